"""Norwegian sentence boundaries: tricky cases, one by one, and what holds for any text."""

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.sentences import split_sentences

# «¦» marks where a sentence ends; it is taken out before the text is split.
CASES = """
Fristen er i dag. ¦ Søknaden sendes på nett.
Er du syk? ¦ Ring legen! ¦ Vi svarer.
Hva nå?! ¦ Ingen vet.
Tilbud som f.eks. Røde Kors gir, er gratis. ¦ De teller ikke.
Tilbud som f. eks. Røde Kors gir, er gratis.
Vi møter bl.a. Oslo kommune og bl. a. NAV i høst.
Rådet, Legeforeningen, m. fl, var enige. ¦ Saken er lukket.
Deltakere var Virke, KS m.fl. ¦ Møtet varte en time.
Deltakere var Virke, KS m. fl. ¦ Møtet varte en time.
De selger melk, ost osv. ¦ Butikken stenger tidlig.
De selger melk, ost m.m. ¦ Butikken stenger tidlig.
De selger melk, ost o.l. ¦ Butikken stenger tidlig.
Konferansen 23.11.23 var full. ¦ Neste er 18.4. og gjelder skole.
Målingen ble tatt 18.4. ¦ Denne gangen svarte flere.
Svarfristen er 18.4. 2024 for alle.
Planen står i Meld. St. 9 (2023–2024). ¦ Den gjelder hele landet.
Planen står i Meld. St. 9 (2023–2024) og i Prop. 1 S (2023–2024).
Saken ble sendt i Innst. 8 S og i St.meld. nr. 25. ¦ Ingen var imot.
Se Ot.prp. nr. 5 og Dok. 8 for mer.
Han viste til Ot. prp. 12 i talen sin.
Rammen er 2,2 mrd. ¦ Av dette går 110 mill. til døgnplasser.
Rammen er 2,2 mrd kroner. ¦ Det er nok.
Støtten er 5 mill. kr. ¦ Pengene kommer i mai.
Støtten er på kr. 500 per dag.
Det koster ca. 40 kr. og varer i min. 5 år.
Boka er skrevet av H. Moe og A. B. Vik. ¦ Den er ny.
Boka er skrevet av J.R. Dahl i fjor.
Formelen kom fra A. I. Virtanen selv.
Pasienten trenger vitamin D. ¦ Det finnes i fisk.
Boka handler om kong Olav V. ¦ Han døde i 1991.
Kl. 12.00 åpner dørene. ¦ Da må alle være ute.
Dørene åpner kl. 12.00. ¦ Alle er velkomne.
Dørene åpner kl. 9. ¦ Alle er velkomne.
Den 8. april og den 17. Mai er det fri.
Hun ble nummer 2. ¦ Det var alle glade for.
Avtalen gjelder 1. januar 2024. ¦ Den varer i tre år.
Avtalen gjelder fra 15. aug. 2023 og ut året.
Hun bor i 3. etasje. ¦ Heisen virker ikke.
Han sa: «Vi går nå.» ¦ Så gikk de.
«Går vi nå?» spurte hun. ¦ Ingen svarte.
«Vi går.» sa han og gikk.
Rådet sa nei (se kap. 3). ¦ Saken er lukket.
Rådet sa nei. ¦ (Saken er lukket.) ¦ Ingen klaget.
Kap. 6.: Ledelse og kvalitet
Reglene står i kap. 4 og art. 7. ¦ De er strenge.
Dette er fisk av samme art. ¦ De lever lenge.
Vi venter… ¦ Ingen kommer.
Vi venter … og venter. ¦ Ingen kommer.
Kanskje... ¦ Vi får se.
Hva mener du? ¦ – Jeg mener ingenting.
Statsråden kom. ¦ – Vi skal bygge, sa hun.
Etter § 3 skal alle høres. ¦ Etter § 4. ledd kan noen slippe.
§ 2-1. Formålet med loven er klart. ¦ Den er kort.
1. Søk om plass. ¦ Husk vedlegg.
1.2. Mål for planen
Kapittel 3. Tiltak i skolen
a. Første ledd gjelder.
Les mer på www.eksempel.no. ¦ Der står alt.
Skriv til post@eksempel.no. ¦ Vi svarer raskt.
Sykehuset St. Olav ligger i Trondheim. ¦ Det er stort.
Dr. Berg og prof. Lie møtte frk. Ås. ¦ De var enige.
Vi takker adm. dir. Hansen og adm.dir. Olsen.
Det er pr. 2011 ingen plan, og pr. Oslo heller ingen.
Utvalget har 13 medlemmer, jf. Stortingets vedtak. ¦ Lederen er ny.
Reglene gjelder t.o.m. Sogn og f. o. m. Voss.
Gjelder mht. Oslo og iflg. Bergen kommune.
Veksten var 8.9 % i fjor. ¦ I år er den 4,3 %.
Bransjen har 1.369 medlemmer og 15.515 årsverk. ¦ Tallene er fra april.
Han spiller i Serie A. ¦ Fra neste år spiller han hjemme.
Selskapet heter Fjord AS. ¦ Det er lite.
Det er 30 i klassen. ¦ 12 av dem er nye.
Hva er 3,5 timer? ¦ Det er nesten fire.
Eg veit ikkje kven som kjem. ¦ Kanskje kjem ingen.
Dei møtte m.a. Sogn kommune. ¦ Etterpå reiste dei heim.
Det gjeld t.d. Bergen og t. d. Voss. ¦ Andre er ikkje med.
Dei sel mjølk, ost o.a. ¦ Butikken er liten.
Planen gjeld frå 1. juli. ¦ Då er alle på ferie.
Ho skreiv til fleire, jf. Stortinget si sak nr. 4. ¦ Svaret kom i går.
«Kva no?» spurde ho. ¦ Ingen svara.
"""
TRICKY = [line for line in CASES.strip().splitlines() if line]


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in split_sentences(text)]


def test_the_cases_are_many() -> None:
    assert len(TRICKY) >= 70


@pytest.mark.parametrize("case", TRICKY)
def test_boundaries_are_where_a_reader_sets_them(case: str) -> None:
    assert sentences(case.replace("¦ ", "")) == case.split(" ¦ ")


def test_a_line_break_always_ends_a_sentence() -> None:
    assert sentences("Vår ref.\n22/8920\nOslo,\nmai 2024") == [
        "Vår ref.",
        "22/8920",
        "Oslo,",
        "mai 2024",
    ]
    assert sentences("Han sa nei.\nmen kom likevel") == ["Han sa nei.", "men kom likevel"]


def test_each_line_may_begin_with_its_number() -> None:
    assert sentences("Vi vil:\n1. Bygge skoler.\n2. Ansette flere.") == [
        "Vi vil:",
        "1. Bygge skoler.",
        "2. Ansette flere.",
    ]


@pytest.mark.parametrize("text", ["", " ", "\n\n", "\u00a0"])
def test_blank_text_has_no_sentences(text: str) -> None:
    assert split_sentences(text) == []


WORDS = st.sampled_from(
    [
        "Det",
        "er",
        "f.eks.",
        "kl.",
        "12.",
        "mai",
        "«",
        "»",
        "(",
        ")",
        ".",
        "…",
        "?",
        "!",
        "A.",
        "m.",
        "fl.",
        "\n",
        " ",
        "  ",
        "St.",
        "9",
        "ø",
        "Å",
        "-",
        "–",
        "1.2.",
        "\u00a0",
    ]
)


@given(st.lists(WORDS, max_size=40).map("".join) | st.lists(WORDS).map(" ".join) | st.text())
def test_sentences_cover_all_but_white_space_in_order(text: str) -> None:
    spans = split_sentences(text)
    ends = [0, *(end for _, end in spans)]
    for (start, end), before in zip(spans, ends, strict=False):
        assert before <= start < end <= len(text)
        assert not text[before:start].strip()
        assert text[start:end] == text[start:end].strip()
    assert not text[ends[-1] :].strip()


@given(
    st.lists(st.sampled_from(["Vi går nå.", "Er du her?", "Ja!", "Det regner på Ås."]), min_size=1)
)
def test_plain_sentences_come_back_one_by_one(parts: list[str]) -> None:
    assert sentences(" ".join(parts)) == parts


@pytest.mark.parametrize(
    "pattern",
    [".", ". ", ".)", "...)", "A. ", "1. ", "a.a. ", ". (", "! ", "\n", " ", "§ 1.", "1.2", "ca. "],
)
def test_time_grows_with_the_length_only(pattern: str) -> None:
    began = process_time()
    split_sentences((pattern * 200_000)[:200_000])
    assert process_time() - began < 3


def test_a_megabyte_of_sentences_is_split_at_once() -> None:
    text = "Det koster ca. 5 mill. kr. Og så er det slutt. " * 22_000
    began = process_time()
    assert len(split_sentences(text)) == 44_000
    assert process_time() - began < 4
