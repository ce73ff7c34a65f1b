"""Handlers for the person's voice on the campaign page: choose a passage of a recording, play it, and remove it."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, StrictBool

from adapters.quotas import Quotas, Use
from adapters.speech.inspection_slots import InspectionSlots
from domain.commands.voices import ChosenPassage, VoiceCommands
from domain.errors import NotFoundError
from domain.ports import Contents
from domain.values import Content
from entrypoints.http.bodies import Body, Line
from entrypoints.http.handlers.preconditions import etag_header, if_match
from entrypoints.http.handlers.public_pages import page_row
from entrypoints.http.handlers.quotas import owners_of
from entrypoints.http.handlers.recording_files import Sound, played
from entrypoints.http.middleware.rate_limits import client_network
from entrypoints.http.operations import Answer, Call, Stream
from entrypoints.presentation.safety import DraftSafety
from entrypoints.presentation.voices import Voice
from projections import ticket_status
from projections.model import Row

NO_VOICE = "No passage of a recording was chosen."
SOUND_MEDIA_TYPE = "audio/mpeg"
LONGEST_SEGMENT_ID = 60
# More than the sound of the longest passage has.
MOST_BYTES = 600_000
# A consent that is taken back counts at once, also for who heard it before.
NOT_KEPT = {"Cache-Control": "private, no-cache"}

SegmentId = Annotated[Line, Field(min_length=1, max_length=LONGEST_SEGMENT_ID)]


class ChosenVoice(Body):
    """The passage from one segment of a transcript to another, of at most 90 seconds.

    With `keepFindings` it may say what may endanger somebody; without it such a passage is refused.
    """

    first_segment_id: SegmentId
    last_segment_id: SegmentId
    keep_findings: StrictBool = False


@dataclass(frozen=True)
class VoiceHandlers:
    commands: VoiceCommands
    contents: Contents
    safety: DraftSafety
    inspection_slots: InspectionSlots
    quotas: Quotas
    public_url: str

    def get(self, call: Call) -> Answer[Voice]:
        return self._answer(call, call.ticket)

    def choose(self, call: Call, body: ChosenVoice) -> Answer[Voice]:
        self.cut(call, body)
        return self._answer(call, call.current_row())

    def cut(self, call: Call, body: ChosenVoice) -> None:
        chosen = ChosenPassage(body.first_segment_id, body.last_segment_id, body.keep_findings)
        with (
            self.quotas.reserved(owners_of(call), Use(bytes=MOST_BYTES)),
            self.inspection_slots.taken(call.ticket_id, client_network(call.client_address)),
        ):
            self.commands.choose(call.principal.actor, call.ticket_id, chosen, if_match(call))

    def play(self, call: Call) -> Answer[Stream | None]:
        return played(call, self.contents, sound_of(_with_voice(call.ticket)))

    def remove(self, call: Call) -> Answer[None]:
        self.commands.remove(call.principal.actor, call.ticket_id, if_match(call))
        return Answer(None, 204)

    def shown(self, call: Call, row: Row) -> Voice | None:
        """Return the voice of the ticket as its holder sees it, or None."""
        if not row["voice"]:
            return None
        heard = ticket_status.is_public(row) and self.safety.voice_is_heard(row)
        return Voice.from_row(row, call.personal_data(), self.public_url, heard=heard)

    def _answer(self, call: Call, row: Row) -> Answer[Voice]:
        voice = self.shown(call, row)
        if voice is None:
            raise NotFoundError(NO_VOICE)
        return Answer(voice, 200, etag_header(row))


@dataclass(frozen=True)
class PublicVoiceHandlers:
    """The voice on a public page."""

    safety: DraftSafety
    contents: Contents

    def play(self, call: Call) -> Answer[Stream | None]:
        """Send the sound while the page is public and the person agrees that it is heard."""
        row = page_row(call)
        if row is None or not ticket_status.is_public(row):
            raise NotFoundError(NO_VOICE)
        answer = played(call, self.contents, sound_of(_with_voice(self.safety.public_row(row))))
        answer.headers |= NOT_KEPT
        return answer


def sound_of(row: Row) -> Sound:
    """Return the sound of the row's voice."""
    voice = row["voice"]
    return Sound(row["ticket_id"], Content(voice["sha256"], voice["size_bytes"]), voice["media_type"], "voice.mp3")


def _with_voice(row: Row) -> Row:
    if not row["voice"]:
        raise NotFoundError(NO_VOICE)
    return row
