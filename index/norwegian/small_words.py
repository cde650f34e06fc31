"""The small words of Bokmål, Nynorsk and English: grammar, that tells no text from another."""

# Words that carry a question's grammar, not its subject. In a large library their frequency tells
# that they weigh little; a small one would take «hvor mange» for rare and telling words.
FUNCTION_WORDS = """
    og i å at er som en et ei den det de til på av for med har ikke om var fra men seg så kan vil
    skal ble blir bli være vært hadde han hun jeg vi du dere dem seg sin sitt sine da når nå enn
    over under etter ved mot mellom inn ut opp ned også bare eller hvis dette denne disse man
    hva hvem hvor hvordan hvorfor hvilke hvilken hvilket mange mye gjør gjøre ifølge
    ein eit dei ikkje frå vere vore hadde ho eg me dykk sin når no òg berre viss desse kva kven
    kvar kor korleis kvifor kva mykje gjer gjere ifølgje blei vart vert blir
    the of and to is are was were in that which who what how why when where from with not by this
    have has does did do an a it its many much there for on at as be
"""

_TELLS_NOTHING = """
    aldri allerede allereie alltid altså blant bortsett cirka dere hvilkes omkring samt vedrørende
    whom whose
    alle alt andre annen annet bak begge begynte bort bør både burde ca deg den denne deres derfor
    dermed dersom dessuten disse ditt din dine eg egen eget egne eit ellers enda enkelte enn ennå
    enten etc fem fikk fire flere flest fleste foran fordi forrige fortsatt fram først første får
    fått gang ganger ganske gikk gitt gjennom gjort god godt går hans hele helt hennes her hos hver
    hverandre hvert hvis ikkje imidlertid ingen inkludert innen innenfor jo kanskje kunne kom komme
    kommer la langt lenger lik likevel litt lite må måtte meget meir mer mens mest mindre minst
    mitt min mine nei nesten neste noe noen nok noko nokon nokre ny nye nytt nærmere ofte også om
    omtrent opp oss per pga på rundt samme samt satt se seks selv ser sett si sidan siden sier sist
    siste sitt sjølv slik slike slikt som spesielt stor store stort står svært så særlig tidligere
    til tilbake tillegg to tre tross ulik ulike under unntatt ut uten utenfor utover vel veldig vår
    våre vårt være vært ved vidare videre viss øvrig øvrige overfor sammen
    alle alltid anna annan begge berre bør desse difor dykkar deira dersom enno etter fleire flest
    fleste fordi før første gjennom hennar heile heilt her hjå hos ho ingen innan inkje kvart kvar
    kunna mellom medan meir mest mindre måtte noko nokre nye nær ofte oss saman same sidan sjå
    slik slike som særleg så tidlegare tilbake ulike utan ved vere vore vår våre vårt vidare
    about after all also any because been being between both but can could each either else even
    every few first had her here him his how however into just last less may might more most must
    new next nor now off one only other our out over own per same see several shall she should
    since some such than that their them then these they those through too two under until up upon
    us very via was were whether while will within without would you your
"""
STOP_WORDS = frozenset(f"{FUNCTION_WORDS} {_TELLS_NOTHING}".split())
"""Words that no search is about, that are never suggested, nor taken for misspelt others."""
