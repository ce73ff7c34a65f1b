"""Handlers for recordings: upload one, start or repeat its processing, and show the progress."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from uuid import UUID

from adapters.jobs.queue import requested_by
from adapters.quotas import Quotas, Use
from domain.commands.recordings import RecordingCommands
from domain.commands.tickets import TicketCommands
from domain.errors import AlreadyProcessing
from domain.ports import Reserve
from domain.values import Actor
from entrypoints.http.bodies import Empty, ProcessRequest, ProvidedInfo
from entrypoints.http.handlers.preconditions import etag_header, if_match
from entrypoints.http.handlers.quotas import owners_of
from entrypoints.http.handlers.recording_intake import RecordingIntake
from entrypoints.http.operations import Answer, Call
from entrypoints.http.problems import Problem
from entrypoints.presentation.progress import ProcessingStarted, TicketProgress
from entrypoints.presentation.tickets import Ticket, UploadedRecording
from projections.model import Row


@dataclass(frozen=True)
class RecordingHandlers:
    commands: RecordingCommands
    ticket_commands: TicketCommands
    intake: RecordingIntake
    quotas: Quotas
    # Returns the progress of a recording's step, from 0 to 1.
    step_progress: Callable[[UUID, UUID, str], float]

    def upload(self, call: Call) -> Answer[UploadedRecording]:
        assert call.upload is not None
        recording_id = call.seed.id("recording")
        with self.quotas.reserved(owners_of(call), Use(recordings=1, bytes=call.upload.size_bytes)):
            audio, content = self.intake.accept(call, recording_id, call.upload.file, call.upload.file_name)
        row = call.current_row()
        uploaded = UploadedRecording(
            audio_id=recording_id,
            sha256=content.sha256,
            size_bytes=content.size_bytes,
            media_type=audio.media_type,
            duration_seconds=audio.duration_ms / 1000,
            ticket=Ticket.from_row(row, call.personal_data()),
        )
        return Answer(uploaded, 200, etag_header(row))

    def process(self, call: Call, _: ProcessRequest) -> Answer[ProcessingStarted]:
        return self._started(call, self.commands.process)

    def retry(self, call: Call, _: Empty) -> Answer[ProcessingStarted]:
        return self._started(call, self.commands.retry)

    def progress(self, call: Call) -> Answer[TicketProgress]:
        return self._progress(call.ticket)

    def provide_info(self, call: Call, body: ProvidedInfo) -> Answer[TicketProgress]:
        info = {name: value for name in body.model_fields_set if (value := getattr(body, name)) is not None}
        self.ticket_commands.provide_info(call.principal.actor, call.ticket_id, info, if_match(call))
        return self._progress(call.current_row())

    def _progress(self, row: Row) -> Answer[TicketProgress]:
        return Answer(TicketProgress.of(row, self.step_progress), 200, etag_header(row))

    def _started(
        self, call: Call, start: Callable[[Actor, UUID, int | None, Reserve], None]
    ) -> Answer[ProcessingStarted]:
        owners = owners_of(call)
        poll_url = f"/api/tickets/{call.ticket_id}/status"

        def reserve(seconds: int) -> AbstractContextManager[None]:
            return self.quotas.reserved(owners, Use(audio_seconds=seconds))

        try:
            with requested_by(self.quotas.name_of_address(owners)):
                start(call.principal.actor, call.ticket_id, if_match(call), reserve)
        except AlreadyProcessing as error:
            raise Problem("conflict", str(error), poll_url=poll_url) from None
        started = ProcessingStarted(call.ticket_id, "PROCESSING", poll_url)
        return Answer(started, 202, {"Location": poll_url, "Retry-After": "1"})
