"""Handlers that list the recordings of a ticket, play them, whole or in parts, and delete them."""

from dataclasses import dataclass

from adapters import ids
from domain.commands.recordings import RecordingCommands
from domain.errors import NotFoundError
from domain.ports import Contents
from entrypoints.http.handlers.preconditions import if_match
from entrypoints.http.negotiation import matches_etag
from entrypoints.http.operations import Answer, Call, Stream
from entrypoints.http.ranges import requested_range
from entrypoints.presentation.recordings import Recording, recordings_of

# The end of the file name of each media type.
RECORDING_SUFFIXES = {
    "audio/wav": "wav",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg",
    "audio/webm": "webm",
    "audio/mp4": "m4a",
    "audio/aac": "aac",
    "audio/flac": "flac",
}


@dataclass(frozen=True)
class RecordingFileHandlers:
    commands: RecordingCommands
    contents: Contents

    def list_recordings(self, call: Call) -> list[Recording]:
        return recordings_of(call.ticket)

    def play(self, call: Call) -> Answer[Stream | None]:
        """Send the recording, or the range of it that is asked for, without holding it in memory."""
        recording_id = ids.parse(call.path_params["recording_id"])
        recording = next((one for one in recordings_of(call.ticket) if one.id == recording_id), None)
        if recording is None:
            raise NotFoundError("There is no such recording.")
        etag, size = f'"{recording.sha256}"', recording.size_bytes
        headers = {"ETag": etag, "Accept-Ranges": "bytes"}
        if matches_etag(call.headers.get("if-none-match"), etag):
            return Answer(None, 304, headers)
        part = requested_range(call.headers, size, etag)
        start, stop = part or (0, size)
        headers["Content-Length"] = str(stop - start)
        headers["Content-Disposition"] = f'inline; filename="{file_name(recording)}"'
        if part is not None:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
        body = Stream(self.contents.read(call.ticket_id, recording.content, start, stop))
        return Answer(body, 200 if part is None else 206, headers, recording.media_type)

    def delete(self, call: Call) -> Answer[None]:
        """Delete the recording; one that is deleted already stays so."""
        recording_id = ids.parse(call.path_params["recording_id"])
        if recording_id is None:
            raise NotFoundError("There is no such recording.")
        self.commands.delete(call.principal.actor, call.ticket_id, recording_id, if_match(call))
        return Answer(None, 204)


def file_name(recording: Recording) -> str:
    return f"{recording.id}.{RECORDING_SUFFIXES.get(recording.media_type, 'bin')}"
