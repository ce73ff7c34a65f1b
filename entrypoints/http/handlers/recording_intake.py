"""The one way by which a recording gets into a ticket, whichever way it came to us."""

from dataclasses import dataclass
from typing import BinaryIO
from uuid import UUID

from adapters.speech.inspection_slots import InspectionSlots
from domain.commands.recordings import RecordingCommands, Upload
from domain.ports import AudioInspector
from domain.values import AudioFacts, Content
from entrypoints.http.handlers.preconditions import if_match
from entrypoints.http.middleware.rate_limits import client_network
from entrypoints.http.operations import Call


@dataclass(frozen=True)
class RecordingIntake:
    commands: RecordingCommands
    inspector: AudioInspector
    inspection_slots: InspectionSlots

    def accept(
        self, call: Call, recording_id: UUID, file: BinaryIO, file_name: str | None
    ) -> tuple[AudioFacts, Content]:
        """Inspect the recording and record it in the call's ticket; an id that the ticket has already changes nothing.

        Raise NotAudioError or AudioTooLongError, or BusyError if too many recordings are being inspected.
        """
        with self.inspection_slots.taken(call.ticket_id, client_network(call.client_address)):
            audio = self.inspector.inspect(file)
        upload = Upload(recording_id, file, audio, file_name)
        return audio, self.commands.upload(call.principal.actor, call.ticket_id, upload, if_match(call))
