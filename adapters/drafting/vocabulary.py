"""Common words, which cannot be names or places."""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    """Return the words of a text as a set."""
    return frozenset(text.split())


FUNCTION_WORDS = words("""
    a about above actually after again against ago all almost alone already also always am an and another any
    anybody anyone anything are around as ask asking at away back bad because been before behind being below
    best better between both but by call called calling came can can't cannot cant could couldn't did didn't do
    does doesn't doing don't done dont down during each early either else enough even ever every everybody
    everyone everything few find first for from get gets getting give go goes going gone gonna good got gotta
    great had hard has have haven't having he he's hello help her here here's hers hey hi him his home hope
    hoping how i i'd i'll i'm i've if im in into is isn't it it's its ive just keep kind know last late lately
    least left less let like little live lives living long look looking lost lot made make many may maybe me
    mean might mine more most much must my myself name name's names near need needs never new next no nobody
    none nor not nothing now of off oh ok okay old on once one only or other our ours out over own part people
    person please pretty put quite rather real really right said same saw say saying says see seen she she's
    should since so some somebody someone something soon sorry sort speaking still story such sure take taking
    tell than thank thanks that that's the their theirs them then there there's these they they're thing things
    think this those though through till time to today together told tomorrow tonight too took toward tried try
    trying two under until up upon us used using very wait want wanted wants was wasn't way we we'd we'll we're
    we've week weeks well went were what what's when where which while who whole whose why will wish with within
    without won't work worked working works would wouldn't year years yes yesterday yet you you're your yours y
    yo soy me llamo mi nombre es habla le la el los las de del que en un una con para por porque necesito
    necesitamos tengo hola buenas buenos dias tardes noches ayuda vivo vivimos tambien pero estoy aqui
    """)

# Words that follow "I'm", "this is" or "we live in" without being a name or place.
SITUATION_WORDS = words("""
    able accident afraid alone angry apartment ashamed asking badly behind broke calling car child children
    crisis currently daughter desperate difficult disabled divorced elderly embarrassed embarrassing emergency
    facing family father fear feeling fine friend glad going grateful grandfather grandmother happy homeless
    hospital hotel house husband hurting ill important injured job kids mad man married mom mother motel mum
    nervous nurse okay parent personal pregnant reaching recording recently regarding retired rough sad scared
    school serious shelter sick single son stressful strange struggling student stuck teacher terrible tired
    truck unable unemployed urgent veteran wife willing woman worried writing young basement boat building
    camper city country county court debt district neighborhood poverty rental room state tent town trailer van
    village rv mess message request situation fundraiser campaign
    """)

TITLES = words(
    "dr doctor mr mrs ms miss mister professor prof pastor reverend rev father sister brother sergeant sgt captain "
    "lieutenant lt officer sr sra srta senor senora don dona"
)
PARTICLES = words("de la las los del della di da dos das van von der den bin ibn al el ter san santa st mac le du")

_ENGLISH_RELATIONS = """
    son daughter mother father mom dad wife husband brother sister grandmother grandfather grandson granddaughter
    grandma grandpa niece nephew aunt uncle cousin friend neighbor neighbour partner fiance fiancee boyfriend
    girlfriend stepson stepdaughter roommate coworker baby boy girl child teacher student pastor toddler
    """
# Words for relations, each with its English word.
RELATIONS: dict[str, str] = {
    **{word: word for word in _ENGLISH_RELATIONS.split()},
    "hijo": "son",
    "hija": "daughter",
    "madre": "mother",
    "padre": "father",
    "mama": "mother",
    "papa": "father",
    "esposa": "wife",
    "esposo": "husband",
    "hermano": "brother",
    "hermana": "sister",
    "abuela": "grandmother",
    "abuelo": "grandfather",
    "amigo": "friend",
    "amiga": "friend",
}
