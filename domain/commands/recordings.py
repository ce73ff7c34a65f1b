"""Commands for a recording, and the steps that turn it into a draft."""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from math import ceil
from typing import BinaryIO
from uuid import UUID

from domain.commands.content_recorder import ContentRecorder
from domain.corrections import corrected
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

    def process(
        self, actor: Actor, ticket_id: UUID, if_match: int | None = None, reserve: Reserve = unreserved
    ) -> None:
        """Ask for a draft of the recording. `reserve` gets the seconds of sound that will be transcribed."""
        with reserve(self._audio_seconds(ticket_id)):
            self.tickets.change(ticket_id, lambda ticket: ticket.process(actor), if_match)

    def retry(self, actor: Actor, ticket_id: UUID, if_match: int | None = None, reserve: Reserve = unreserved) -> None:
        """Repeat what failed, from the transcription on."""
        with reserve(self._audio_seconds(ticket_id)):
            self.tickets.change(ticket_id, lambda ticket: ticket.retry(actor), if_match)

    def _audio_seconds(self, ticket_id: UUID) -> int:
        recording = self.tickets.get(ticket_id).recording
        return 0 if recording is None else ceil(recording.duration_ms / 1000)

    def run_step(self, step: Step, ticket_id: UUID, recording_id: UUID, report: Report) -> None:
        """Run one step for one recording; a step that the ticket does not wait for changes nothing.

        StepFailed is raised to the caller, who knows whether to try again or to call `fail_step`.
        """
        ticket = self.tickets.get(ticket_id)
        if not ticket.awaits(step, recording_id):
            return

        def report_unless_superseded(progress: float) -> None:
            if not self.tickets.get(ticket_id).awaits(step, recording_id):
                raise Superseded("A newer recording replaced this one.")
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
        assert ticket.recording is not None
        with self.contents.open(ticket.id, ticket.recording.content) as recording:
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

        def record(current: RecordingTicket) -> None:
            # A correction that came meanwhile has asked for an analysis of its own.
            if current.corrections == ticket.corrections:
                current.record_analysis(SYSTEM, recording_id, analysis)

        self.tickets.change(ticket.id, record)

    def _draft(self, ticket: RecordingTicket, recording_id: UUID) -> None:
        assert ticket.analysis is not None
        draft = self.drafter.draft(transcript_of(ticket, self.contents, self.transcripts), ticket.analysis)
        self.tickets.change(ticket.id, lambda ticket: ticket.propose_draft(SYSTEM, recording_id, draft))


def transcript_of(ticket: RecordingTicket, contents: Contents, transcripts: Transcripts) -> Transcript:
    """Return the transcript of the ticket's latest transcribed recording; RefusedError if there is none yet."""
    recording_id, transcript = uncorrected_transcript(ticket, contents, transcripts)
    return corrected(recording_id, transcript, ticket.corrections)


def uncorrected_transcript(
    ticket: RecordingTicket, contents: Contents, transcripts: Transcripts
) -> tuple[UUID, Transcript]:
    """Return the recording and the transcript as the recogniser made it; RefusedError if there is none yet."""
    if ticket.transcript is None or ticket.transcribed_id is None:
        raise RefusedError("There is no transcript yet.")
    with contents.open(ticket.id, ticket.transcript) as stored:
        return ticket.transcribed_id, transcripts.load(stored.read())
