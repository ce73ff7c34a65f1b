"""Operations on the person's voice on the campaign page, and the page on which a person chooses it."""

from entrypoints.http.handlers.voice_page import VoicePageHandlers
from entrypoints.http.handlers.voices import SOUND_MEDIA_TYPE, ChosenVoice, PublicVoiceHandlers, VoiceHandlers
from entrypoints.http.operations import Operation, Parameter, RateLimit
from entrypoints.http.problems import PROBLEM_MEDIA_TYPE
from entrypoints.http.table.access import HOLDER_PAGE, JSON, NOT_FOUND, OPEN, READ, READ_UNMASKED, TICKET, WRITE
from entrypoints.http.table.pages import AGAIN, holder_form, holder_page

VERSION = Parameter("v", "Names the passage, so that another one has another address.")
PAGE = "/t/{ticket_id}/voice"
TAG = "The person's voice"
SOUND = (SOUND_MEDIA_TYPE,)

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET", f"{TICKET}/voice", "Get the passage of a recording that the campaign page lets people hear",
        VoiceHandlers.get, READ, tag=TAG, id="getVoice",
    ),
    Operation(
        "PUT", f"{TICKET}/voice", "Choose the passage of a recording that the campaign page lets people hear",
        VoiceHandlers.choose, WRITE, JSON, ChosenVoice, other_responses={409: PROBLEM_MEDIA_TYPE}, tag=TAG,
        id="chooseVoice",
    ),
    Operation(
        "DELETE", f"{TICKET}/voice", "Take the voice off the campaign page, and delete its sound", VoiceHandlers.remove,
        WRITE, status=204, tag=TAG, id="removeVoice",
    ),
    Operation(
        "GET", f"{TICKET}/voice/sound", "Play the chosen passage, whole or in parts", VoiceHandlers.play, READ_UNMASKED,
        media_types=SOUND, revalidates=True, ranges=True, query=(VERSION,), logs_reads=True, tag=TAG, id="playVoice",
    ),
    Operation(
        "GET", "/d/{slug}/voice", "Hear the person of a campaign page", PublicVoiceHandlers.play, OPEN,
        media_types=SOUND, rate_limit=RateLimit.PAGE, other_responses=NOT_FOUND, revalidates=True, ranges=True,
        query=(VERSION,), tag="Public page",
    ),
    holder_page(
        PAGE, "Show the passage that people hear, and the form for another", VoicePageHandlers.show, HOLDER_PAGE,
    ),
    holder_form(
        PAGE, "Choose a passage on the page, agree to it, or remove it", VoicePageHandlers.change, HOLDER_PAGE,
        other_responses=AGAIN,
    ),
)  # fmt: skip
