"""Norwegian texts on which a prepared model is compared with sentence-transformers.

They are ours, and made like what people ingest: Bokmål and Nynorsk, headings, lists, figures,
dates, abbreviations, a table row, odd characters, and one text longer than most models take.
"""

QUERIES = (
    "Hvor mange ansatte har kommunen?",
    "Hva koster det å leie det store møterommet en hel dag?",
    "Kven har ansvaret for brannvernet på skulane?",
    "Når er fristen for å søke om tilskudd?",
    "Hvilke krav stilles til internkontroll etter § 3-1 (jf. § 5)?",
    "ferie overføring neste år",
)

_SNOW = (
    "Brøyting av fortau prioriteres etter gangtrafikk, ikke etter biltrafikk. Veier til skoler, "
    "sykehjem og holdeplasser skal være ryddet innen klokken sju på hverdager. "
)

PASSAGES = (
    "Kommunen hadde 1 248 ansatte ved utgangen av 2023, fordelt på 962 årsverk. Sykefraværet var "
    "7,4 prosent, en nedgang på 0,6 prosentpoeng fra året før.",
    "Åpningstider\n\nBiblioteket holder åpent mandag til torsdag kl. 10–19, fredag kl. 10–16 og "
    "lørdag kl. 11–15. I juli er det stengt på lørdager.",
    "Søknaden må inneholde:\n• en kort beskrivelse av prosjektet\n• et budsjett i norske kroner\n"
    "• navnet på en kontaktperson, med telefon og e-post",
    "Kommunestyret vedtok den 18.4.2023 å sette av 2,2 mrd. kroner til ny ungdomsskole, jf. Meld. "
    "St. 9 (2023–2024) og sak 41/22. Byggestart er planlagt til høsten 2025.",
    "Eleven har rett til eit trygt og godt skulemiljø som fremjar helse, trivsel og læring. Skulen "
    "skal ha ein aktivitetsplan når ein elev seier at skulemiljøet ikkje er trygt.",
    "Ferjesambandet har 34 avgangar i døgnet om sommaren og 22 om vinteren. Overfarten tek om lag "
    "25 minutt, og ferja har plass til 120 personbilar.",
    "Møterom | Plasser | Pris per dag\nFjellstua | 40 | 3 500 kr\nNaustet | 12 | 1 200 kr",
    "Arbeidstakeren kan overføre inntil to uker ferie til neste år etter skriftlig avtale med "
    "nærmeste leder. Ferie ut over dette må tas ut innen årets slutt.",
    "Laksen vandrer opp elva fra midten av juni. Fisket er åpent til 31. august, og kvoten er to "
    "fisk per døgn. All fanget laks skal meldes inn på nettsiden innen tre dager.",
    "«Vi må tørre å prioritere,» sa rådmannen. Hun viste til at eiendomsskatten er uendret – og at "
    "bufferen i disposisjonsfondet er krympet fra 9 til 4½ prosent.",
    "Brannvernleder skal gjennomføre en risikovurdering hvert år. Rømningsveier skal til enhver "
    "tid være frie for hindringer, f.eks. møbler, søppel og barnevogner.",
    "Tilskuddet dekker inntil 50 % av dokumenterte utgifter, men ikke mer enn kr 75 000,-. "
    "Utbetaling skjer når regnskapet er godkjent av revisor.",
    "Bassenget har en vanntemperatur på 28 °C og er 25 m × 12,5 m. Det brukes om lag 3 m³ vann per "
    "besøkende i året, inkludert dusj.",
    "Kontakt: postmottak@fjordvik.example, tlf. 55 00 12 34. Saksbehandlingstiden er normalt fire "
    "til seks uker fra søknaden er komplett.",
    "Jordskjelvet målte 4,1 på Richters skala og ble kjent fra Ålesund til Røros. Ingen ble skadd, "
    "men flere pipeløp sprakk i de eldste trehusene.",
    "Sametinget og fylkeskommunen er enige om å styrke opplæringen i nordsamisk, lulesamisk og "
    "sørsamisk. Čálliid Lágádus får støtte til nye læremidler.",
    "Avfall sorteres i fire fraksjoner: matavfall, papir, plastemballasje og restavfall. Glass og "
    "metall leveres på returpunktene.",
    "Programvaren logger hver innlogging med tidspunkt, bruker-ID og IP-adresse. Loggene slettes "
    "automatisk etter 90 dager, med mindre de inngår i en pågående sak.",
    (_SNOW * 5).rstrip(),
    (_SNOW * 16).rstrip(),
)

PROBE = PASSAGES[0]
