"""Commands for a recording, and the steps that turn it into a draft."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from io import BytesIO
from math import ceil
from typing import BinaryIO
from uuid import UUID

from domain.commands.content_recorder import ContentRecorder
from domain.errors import RefusedError, StepFailed, Superseded
from domain.lifecycle import spoken_hints
from domain.ports import (
    Analyser,
    Contents,
    Drafter,
    Report,
    Reserve,
    Tickets,
    Transcriber,
    Transcripts,
    unreserved,
)
from domain.tickets import RecordingTicket
from domain.transcripts import HeardRecording, attributed, joined
from domain.values import SYSTEM, Actor, AudioFacts, Content, Step, Transcript


@dataclass(frozen=True)
class Upload:
    """A recording that was inspected and accepted, open at its beginning."""

    recording_id: UUID
    source: BinaryIO
    facts: AudioFacts
    file_name: str | None


@dataclass(frozen=True)
class RecordingCommands:
    tickets: Tickets
    contents: Contents
    transcripts: Transcripts
    transcriber: Transcriber
    analyser: Analyser
    drafter: Drafter
    new_id: Callable[[], UUID]

    def upload(self, actor: Actor, ticket_id: UUID, upload: Upload, if_match: int | None = None) -> Content:
        return ContentRecorder(self.tickets, self.contents).record(
            ticket_id,
            upload.source,
            lambda ticket, content: ticket.upload(actor, upload.recording_id, content, upload.facts, upload.file_name),
            if_match,
        )

    def delete(self, actor: Actor, ticket_id: UUID, recording_id: UUID, if_match: int | None = None) -> None:
        """Delete a recording with its transcripts; of a deleted one, shred what an interruption may have left."""
        recorder = ContentRecorder(self.tickets, self.contents)
        contents = recorder.change(ticket_id, lambda ticket: ticket.delete_recording(actor, recording_id), if_match)
        for content in contents - self.tickets.get(ticket_id).recorded_contents:
            self.contents.shred(ticket_id, content)

    def process(
        self, actor: Actor, ticket_id: UUID, if_match: int | None = None, reserve: Reserve = unreserved
    ) -> None:
        """Ask for a draft of all recordings. `reserve` gets the seconds of sound that will be transcribed."""
        with reserve(self._audio_seconds(ticket_id)):
            self.tickets.change(ticket_id, lambda ticket: ticket.process(actor), if_match)

    def retry(self, actor: Actor, ticket_id: UUID, if_match: int | None = None, reserve: Reserve = unreserved) -> None:
        """Repeat what failed, from the transcription on."""
        with reserve(self._audio_seconds(ticket_id)):
            self.tickets.change(ticket_id, lambda ticket: ticket.retry(actor), if_match)

    def _audio_seconds(self, ticket_id: UUID) -> int:
        recordings = self.tickets.get(ticket_id).recordings
        return sum(ceil(recording.duration_ms / 1000) for recording in recordings.to_transcribe)

    def run_step(self, step: Step, ticket_id: UUID, recording_id: UUID, report: Report) -> None:
        """Run one step for one recording; a step that the ticket does not wait for changes nothing.

        StepFailed is raised to the caller, who knows whether to try again or to call `fail_step`.
        """
        ticket = self.tickets.get(ticket_id)
        if not ticket.awaits(step, recording_id):
            return

        def report_unless_superseded(progress: float) -> None:
            if not self.tickets.get(ticket_id).awaits(step, recording_id):
                raise Superseded("The recordings have changed.")
            report(progress)

        try:
            match step:
                case Step.TRANSCRIBE:
                    self._transcribe(ticket, recording_id, report_unless_superseded)
                case Step.ANALYSE:
                    self._analyse(ticket, recording_id)
                case Step.DRAFT:
                    self._draft(ticket, recording_id)
        except Superseded:
            return

    def fail_step(self, step: Step, ticket_id: UUID, recording_id: UUID, fault: StepFailed) -> None:
        """Record that a step failed for good."""
        self.tickets.change(ticket_id, lambda ticket: ticket.fail_step(SYSTEM, step, recording_id, fault))

    def _transcribe(self, ticket: RecordingTicket, recording_id: UUID, report: Report) -> None:
        with self.contents.open(ticket.id, ticket.recordings.get(recording_id).content) as recording:
            transcript = self.transcriber.transcribe(recording, report, spoken_hints(ticket.kind, ticket.display_name))
        transcription_id = self.new_id()
        ContentRecorder(self.tickets, self.contents).record(
            ticket.id,
            BytesIO(self.transcripts.dump(transcript)),
            lambda ticket, content: ticket.record_transcript(
                SYSTEM, recording_id, transcription_id, content, transcript.language, transcript.engine
            ),
        )

    def _analyse(self, ticket: RecordingTicket, recording_id: UUID) -> None:
        analysis = self.analyser.analyse(transcript_of(ticket, self.contents, self.transcripts))
        self._record(ticket, lambda current: current.record_analysis(SYSTEM, recording_id, analysis))

    def _draft(self, ticket: RecordingTicket, recording_id: UUID) -> None:
        assert ticket.analysis is not None
        heard = _corrected_recordings(ticket, self.contents, self.transcripts)
        draft = self.drafter.draft(joined(heard), ticket.analysis, ticket.default_currency)
        currency = draft.currency or ticket.opening_currency
        draft = replace(draft, currency=currency, sources=attributed(draft.sources, heard))
        self._record(ticket, lambda current: current.propose_draft(SYSTEM, recording_id, draft))

    def _record(self, ticket: RecordingTicket, record: Callable[[RecordingTicket], None]) -> None:
        """Record a result. A correction or deletion that came meanwhile has asked for one of its own."""

        def decide(current: RecordingTicket) -> None:
            if (current.corrections, current.recordings.transcribed) == (
                ticket.corrections,
                ticket.recordings.transcribed,
            ):
                record(current)

        self.tickets.change(ticket.id, decide)


def transcript_of(ticket: RecordingTicket, contents: Contents, transcripts: Transcripts) -> Transcript:
    """Return the transcript of all recordings in their order; RefusedError if there is none yet."""
    return joined(_corrected_recordings(ticket, contents, transcripts))


def _corrected_recordings(
    ticket: RecordingTicket, contents: Contents, transcripts: Transcripts
) -> list[HeardRecording]:
    return [heard.corrected(ticket.corrections) for heard in heard_recordings(ticket, contents, transcripts)]


def heard_recordings(ticket: RecordingTicket, contents: Contents, transcripts: Transcripts) -> list[HeardRecording]:
    """Return the transcribed recordings as the recogniser heard them, in order; RefusedError if there is none yet."""
    heard = []
    for recording in ticket.recordings.transcribed:
        assert recording.transcript is not None
        with contents.open(ticket.id, recording.transcript) as stored:
            heard.append(HeardRecording(recording.id, recording.duration_ms, transcripts.load(stored.read())))
    if not heard:
        raise RefusedError("There is no transcript yet.")
    return heard
