"""Handlers that list the recordings of a ticket and play them, whole or in parts."""

from dataclasses import dataclass

from adapters import ids
from domain.errors import NotFoundError
from domain.ports import Contents
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
    contents: Contents

    def list_recordings(self, call: Call) -> list[Recording]:
        return recordings(call)

    def play(self, call: Call) -> Answer[Stream | None]:
        """Send the recording, or the range of it that is asked for, without holding it in memory."""
        recording_id = ids.parse(call.path_params["recording_id"])
        recording = next((one for one in recordings(call) if one.id == recording_id), None)
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


def recordings(call: Call) -> list[Recording]:
    """Return the recordings of the call's ticket, oldest first; an erased one has none."""
    if call.ticket["erased"]:
        return []
    return recordings_of(call.reads.ask_log(lambda log: log.stream(call.ticket_id)))


def file_name(recording: Recording) -> str:
    return f"{recording.id}.{RECORDING_SUFFIXES.get(recording.media_type, 'bin')}"
