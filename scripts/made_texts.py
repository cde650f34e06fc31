"""Texts of made documents: made-up facts of municipal services, in Bokmål and Nynorsk."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """What stands on one page or slide."""

    heading: str
    paragraphs: tuple[str, ...]
    lead_in: str
    items: tuple[str, ...]
    table: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class MadeDocument:
    """A document before it is a file. `fact` is its own, on page `fact_page`, and answers
    `question`; `name` is the path of the file in its folder, without the extension."""

    name: str
    title: str
    language: str
    sections: tuple[Section, ...]
    fact: str
    fact_page: int
    question: str


@dataclass(frozen=True, slots=True)
class _Words:
    """One of the two written languages. What is at a place in one is at the same in the other."""

    language: str
    services: Sequence[str]
    received: Sequence[str]
    groups: Row
    fact: str
    question: str
    title: str
    headings: Row
    sentences: Row
    lead_in: str
    items: Row
    columns: Row


_BOKMAAL = _Words(
    language="nb",
    services="hjemmetjenesten helsestasjonen legevakten skolehelsetjenesten dagsenteret "  # noqa: SIM905
    "brannvesenet fysioterapitjenesten biblioteket kulturskolen barnehagen renovasjonstjenesten "
    "vannverket byggesakskontoret flyktningtjenesten sykehjemmet barnevernet".split(),
    received="klager henvisninger søknader telefoner besøk spørreskjemaer meldinger brev".split(),  # noqa: SIM905
    groups=(
        "barn og unge",
        "eldre som bor alene",
        "familier med små barn",
        "nye innbyggere",
        "pårørende",
        "mennesker med nedsatt hørsel",
    ),
    fact="I {year} tok {service} imot {number} {received}.",
    question="Hvor mange {received} tok {service} imot i {year}?",
    title="Året {year} for {service}",
    headings=(
        "Åpningstider og bemanning",
        "Samarbeid med andre",
        "Tilbudet til {group}",
        "Økonomi og innkjøp",
        "Planer for {later}",
        "Hva brukerne mener",
        "Lokaler og utstyr",
        "Kvalitet og avvik",
    ),
    sentences=(
        "Fra {year} har {service} hatt åpent {count} dager i året.",
        "Vi hørte fra {count} brukere, og {share} prosent av dem ville ha et tilbud om kvelden.",
        "{Service} samarbeider med {other}, slik at {group} ikke skal vente mer enn {few} uker.",
        "Bemanningen gikk opp fra {few} til {more} årsverk, og det merket særlig {group}.",
        "Det ble brukt {count} tusen kroner på utstyr, som er {share} prosent av rammen.",
        "Av {count} planlagte møter med {other} ble {few} flyttet til året etter.",
        "Lokalene er fra {year} og skal pusses opp når {other} har flyttet ut.",
        "Uten hjelp fra {other} hadde {group} fått et dårligere tilbud i {year}.",
        "Sykefraværet var {share} prosent, mens målet for {later} er under {few} prosent.",
        "For {group} finnes det nå en egen kontaktperson, som svarer innen {few} dager.",
        "Planen for {later} er å gi {group} opplæring i {few} kvelder hver vår.",
        "Avvikene ble gjennomgått {few} ganger, og de fleste gjaldt reisetid og beskjeder.",
        "Prøveordningen med {other} varte i {more} uker og gikk over i fast drift.",
        "Egenandelen ble satt opp med {few} kroner, men {group} betaler som før.",
    ),
    lead_in="I {later} skal {service} arbeide for dette:",
    items=(
        "kortere ventetid for {group}, helst under {few} uker",
        "faste møter med {other} {few} ganger i året",
        "{few} nye plasser til {group}",
        "bedre skilting og trygg vei til {other}",
        "en felles vaktliste med {other} fra {later}",
        "opplæring av {more} vikarer før sommeren",
    ),
    columns=("Tjeneste", "År", "Ansatte", "Åpne dager"),
)

_NYNORSK = _Words(
    language="nn",
    services="heimetenesta helsestasjonen legevakta skulehelsetenesta dagsenteret "  # noqa: SIM905
    "brannvesenet fysioterapitenesta biblioteket kulturskulen barnehagen renovasjonstenesta "
    "vassverket byggesakskontoret flyktningtenesta sjukeheimen barnevernet".split(),
    received="klager tilvisingar søknader telefonar besøk spørjeskjema meldingar brev".split(),  # noqa: SIM905
    groups=(
        "barn og unge",
        "eldre som bur åleine",
        "familiar med små barn",
        "nye innbyggjarar",
        "pårørande",
        "menneske med nedsett høyrsel",
    ),
    fact="I {year} tok {service} imot {number} {received}.",
    question="Kor mange {received} tok {service} imot i {year}?",
    title="Året {year} for {service}",
    headings=(
        "Opningstider og bemanning",
        "Samarbeid med andre",
        "Tilbodet til {group}",
        "Økonomi og innkjøp",
        "Planar for {later}",
        "Kva brukarane meiner",
        "Lokale og utstyr",
        "Kvalitet og avvik",
    ),
    sentences=(
        "Frå {year} har {service} hatt ope {count} dagar i året.",
        "Vi høyrde frå {count} brukarar, og {share} prosent av dei ville ha eit tilbod om kvelden.",
        "{Service} samarbeider med {other}, slik at {group} ikkje skal vente meir enn {few} veker.",
        "Bemanninga gjekk opp frå {few} til {more} årsverk, og det merka særleg {group}.",
        "Det vart brukt {count} tusen kroner på utstyr, som er {share} prosent av ramma.",
        "Av {count} planlagde møte med {other} vart {few} flytte til året etter.",
        "Lokala er frå {year} og skal pussast opp når {other} har flytta ut.",
        "Utan hjelp frå {other} hadde {group} fått eit dårlegare tilbod i {year}.",
        "Sjukefråværet var {share} prosent, medan målet for {later} er under {few} prosent.",
        "For {group} finst det no ein eigen kontaktperson, som svarer innan {few} dagar.",
        "Planen for {later} er å gi {group} opplæring i {few} kveldar kvar vår.",
        "Avvika vart gått gjennom {few} gonger, og dei fleste galdt reisetid og beskjedar.",
        "Prøveordninga med {other} varte i {more} veker og gjekk over i fast drift.",
        "Eigendelen vart sett opp med {few} kroner, men {group} betaler som før.",
    ),
    lead_in="I {later} skal {service} arbeide for dette:",
    items=(
        "kortare ventetid for {group}, helst under {few} veker",
        "faste møte med {other} {few} gonger i året",
        "{few} nye plassar til {group}",
        "betre skilting og trygg veg til {other}",
        "ei felles vaktliste med {other} frå {later}",
        "opplæring av {more} vikarar før sommaren",
    ),
    columns=("Teneste", "År", "Tilsette", "Opne dagar"),
)


def made_documents(
    files: int, seed: int = 1, pages: int = 3, sentences: int = 20
) -> list[MadeDocument]:
    """As many documents as `files`, of `pages` sections with so many `sentences` each."""
    chance = random.Random(seed)
    kinds = list(product(range(len(_BOKMAAL.services)), range(len(_BOKMAAL.received))))
    years = range(2005, 2025)
    facts = chance.sample(list(product(kinds, years)), files)
    numbers = chance.sample(range(2100, 10_000), files)  # beyond all years and other numbers
    return [
        _made(at, (_BOKMAAL, _NYNORSK)[at % 2], fact, number, pages, sentences, chance)
        for at, (fact, number) in enumerate(zip(facts, numbers, strict=True))
    ]


def _made(  # noqa: PLR0913, PLR0917 - what decides a document
    at: int,
    words: _Words,
    fact: tuple[tuple[int, int], int],
    number: int,
    pages: int,
    sentences: int,
    chance: random.Random,
) -> MadeDocument:
    (service_at, received_at), year = fact
    service, received = words.services[service_at], words.received[received_at]
    sections = [_section(words, service, sentences, chance) for _ in range(pages)]
    page = chance.randrange(pages)
    told = words.fact.format(year=year, service=service, number=number, received=received)
    sections[page] = _telling(sections[page], told, chance)
    return MadeDocument(
        name=f"{words.language}/{year}/{at:04} {_capitalised(service)}",
        title=words.title.format(year=year, service=service),
        language=words.language,
        sections=tuple(sections),
        fact=told,
        fact_page=page + 1,
        question=words.question.format(year=year, service=service, received=received),
    )


def _section(words: _Words, service: str, sentences: int, chance: random.Random) -> Section:
    filled = partial(_filled, words=words, service=service, chance=chance)
    told = [filled(chance.choice(words.sentences)) for _ in range(sentences)]
    return Section(
        heading=filled(chance.choice(words.headings)),
        paragraphs=tuple(" ".join(told[at : at + 4]) for at in range(0, sentences, 4)),
        lead_in=filled(words.lead_in),
        items=tuple(filled(item) for item in chance.sample(words.items, 4)),
        table=(
            words.columns,
            *(tuple(filled(cell) for cell in _CELLS) for _ in range(4)),
        ),
    )


_CELLS = ("{Other}", "{year}", "{more}", "{count}")


def _filled(template: str, words: _Words, service: str, chance: random.Random) -> str:
    other = chance.choice([name for name in words.services if name != service])
    return template.format(
        service=service,
        Service=_capitalised(service),
        other=other,
        Other=_capitalised(other),
        group=chance.choice(words.groups),
        year=chance.randint(2005, 2024),
        later=chance.randint(2026, 2035),
        count=chance.randint(60, 350),
        share=chance.randint(11, 59),
        few=chance.randint(2, 9),
        more=chance.randint(12, 48),
    )


def _telling(section: Section, fact: str, chance: random.Random) -> Section:
    """The section with a fact after one of its paragraphs' last words."""
    at = chance.randrange(len(section.paragraphs))
    paragraphs = list(section.paragraphs)
    paragraphs[at] += f" {fact}"
    return replace(section, paragraphs=tuple(paragraphs))


def _capitalised(word: str) -> str:
    return word[0].upper() + word[1:]
