"""Commands for the person's voice on the public page."""

from dataclasses import dataclass, replace
from uuid import UUID

from domain.commands.content_recorder import ContentRecorder
from domain.commands.transcripts import TranscriptCommands
from domain.errors import RefusedError, StaleVersionError
from domain.ports import Contents, SafetyReviewer, SoundCutter, Tickets
from domain.safety import SafetyReview
from domain.tickets import RecordingTicket
from domain.values import Actor, Content, Draft
from domain.voice import Voice, passage_of, spoken_text


@dataclass(frozen=True)
class ChosenPassage:
    """The ids of the first and the last segment; with `keep_findings`, what may endanger somebody is heard as well."""

    first_id: str
    last_id: str
    keep_findings: bool = False


@dataclass(frozen=True)
class VoiceCommands:
    tickets: Tickets
    contents: Contents
    transcripts: TranscriptCommands
    safety: SafetyReviewer
    cutter: SoundCutter

    def choose(self, actor: Actor, ticket_id: UUID, chosen: ChosenPassage, if_match: int | None = None) -> None:
        """Cut the passage out of its recording and record it; InvalidError if it cannot be chosen.

        Strangers hear it once the person agrees to that after it was chosen.
        """
        ticket = self.tickets.get(ticket_id)
        if if_match is not None and ticket.version != if_match:
            raise StaleVersionError("The ticket has changed since you read it.")
        segments = self.transcripts.segments(ticket)
        lengths_ms = {recording.id: recording.duration_ms for recording in ticket.recordings.used}
        passage = passage_of(segments, chosen.first_id, chosen.last_id, lengths_ms)
        text = spoken_text(passage, segments)
        review = reviewed_voice(self.safety, ticket.draft, ticket.display_name, text)
        recording = ticket.recordings.get(passage.recording_id)
        with self.contents.open(ticket_id, recording.content) as source:
            cut = self.cutter.cut(source, passage.start_ms, passage.end_ms)

        def decide(now: RecordingTicket, content: Content) -> None:
            if now.corrections != ticket.corrections or recording not in now.recordings.used:
                raise RefusedError("The transcript has changed meanwhile. Choose the passage again.")
            voice = Voice(**vars(passage), content=content, facts=cut.facts)
            now.choose_voice(actor, voice, review, keep_findings=chosen.keep_findings)

        ContentRecorder(self.tickets, self.contents).record(ticket_id, cut.sound, decide, if_match)

    def remove(self, actor: Actor, ticket_id: UUID, if_match: int | None = None) -> None:
        recorder = ContentRecorder(self.tickets, self.contents)
        recorder.change(ticket_id, lambda ticket: ticket.remove_voice(actor), if_match)


def reviewed_voice(reviewer: SafetyReviewer, draft: Draft, display_name: str | None, text: str) -> SafetyReview:
    """Return what in a text that strangers hear may endanger somebody; the draft says whom it is about."""
    review = reviewer.review(replace(draft, title=None, story=text, breakdown=()), display_name)
    return SafetyReview(tuple(finding for finding in review.findings if finding.field == "story"))
