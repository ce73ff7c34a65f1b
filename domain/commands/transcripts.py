"""Commands that correct a transcript."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from domain.commands.content_recorder import ContentRecorder
from domain.commands.recordings import heard_recordings
from domain.corrections import CorrectedSegment, Correction, corrected_segments
from domain.errors import FaultCode, InvalidError
from domain.ports import Contents, Tickets, Transcripts
from domain.tickets import RecordingTicket
from domain.values import Actor
from domain.voice import text_heard


@dataclass(frozen=True)
class TranscriptCommands:
    tickets: Tickets
    contents: Contents
    transcripts: Transcripts

    def correct(
        self, actor: Actor, ticket_id: UUID, texts: Sequence[tuple[str, str]], if_match: int | None = None
    ) -> None:
        """Correct segments, given by their ids and new texts; a text that stays as it is confirms an uncertain one."""

        def decide(ticket: RecordingTicket) -> None:
            present = {str(each.place): each for each in self.segments(ticket)}
            for index, (segment_id, _) in enumerate(texts):
                if segment_id not in present:
                    detail = "is not a segment of the transcript"
                    raise InvalidError(detail, f"/corrections/{index}/segmentId", FaultCode.UNKNOWN_VALUE)
            changes = (_correction(present[segment_id], text) for segment_id, text in texts)
            self._correct(actor, ticket, changes)

        ContentRecorder(self.tickets, self.contents).change(ticket_id, decide, if_match)

    def restore(self, actor: Actor, ticket_id: UUID, version: int, if_match: int | None = None) -> None:
        """Correct every segment to the text that it had at an earlier version of the ticket."""
        earlier = self.tickets.at(ticket_id, version)

        def decide(ticket: RecordingTicket) -> None:
            present = self.segments(ticket)
            texts = {each.place: each.segment.text for each in self._segments(ticket, earlier.corrections)}
            changed = [each for each in present if each.segment.text != texts[each.place]]
            changes = (_correction(each, texts[each.place]) for each in changed)
            self._correct(actor, ticket, changes)

        ContentRecorder(self.tickets, self.contents).change(ticket_id, decide, if_match)

    def segments(self, ticket: RecordingTicket) -> list[CorrectedSegment]:
        """Return the segments of the transcript as they read now."""
        return self._segments(ticket, ticket.corrections)

    def _correct(self, actor: Actor, ticket: RecordingTicket, changes: Iterable[Correction | None]) -> None:
        ticket.correct_transcript(actor, [change for change in changes if change is not None])
        if ticket.voice is not None:
            ticket.reword_voice(actor, text_heard(ticket.voice, self.segments(ticket)))

    def _segments(self, ticket: RecordingTicket, corrections: Sequence[Correction]) -> list[CorrectedSegment]:
        return [
            segment
            for heard in heard_recordings(ticket, self.contents, self.transcripts)
            for segment in corrected_segments(heard.recording_id, heard.transcript, corrections)
        ]


def _correction(present: CorrectedSegment, text: str) -> Correction | None:
    """Return the correction of a segment to the text, or None if that changes nothing."""
    if text.strip() == present.segment.text.strip() and not present.segment.uncertain:
        return None
    place = present.place
    # A text that only differs in the blanks around it is confirmed as it is.
    to_text = present.segment.text if text.strip() == present.segment.text.strip() else text.strip()
    return Correction(place.recording_id, place.segment, present.segment.text, to_text)
