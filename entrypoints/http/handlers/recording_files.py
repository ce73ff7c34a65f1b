"""Handlers that list the recordings of a ticket, play them, whole or in parts, and delete them."""

from dataclasses import dataclass
from uuid import UUID

from adapters import ids
from domain.commands.recordings import RecordingCommands
from domain.errors import NotFoundError
from domain.ports import Contents
from domain.values import Content
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
        recording_id = ids.parse(call.path_params["recording_id"])
        recording = next((one for one in recordings_of(call.ticket) if one.id == recording_id), None)
        if recording is None:
            raise NotFoundError("There is no such recording.")
        sound = Sound(call.ticket_id, recording.content, recording.media_type, file_name(recording))
        return played(call, self.contents, sound)

    def delete(self, call: Call) -> Answer[None]:
        """Delete the recording; one that is deleted already stays so."""
        recording_id = ids.parse(call.path_params["recording_id"])
        if recording_id is None:
            raise NotFoundError("There is no such recording.")
        self.commands.delete(call.principal.actor, call.ticket_id, recording_id, if_match(call))
        return Answer(None, 204)


@dataclass(frozen=True)
class Sound:
    """A stored sound of a ticket, and the name of its file."""

    ticket_id: UUID
    content: Content
    media_type: str
    file_name: str


def played(call: Call, contents: Contents, sound: Sound) -> Answer[Stream | None]:
    """Send the sound, or the range of it that is asked for, without holding it in memory."""
    content = sound.content
    etag, size = f'"{content.sha256}"', content.size_bytes
    headers = {"ETag": etag, "Accept-Ranges": "bytes"}
    if matches_etag(call.headers.get("if-none-match"), etag):
        return Answer(None, 304, headers)
    part = requested_range(call.headers, size, etag)
    start, stop = part or (0, size)
    headers["Content-Length"] = str(stop - start)
    headers["Content-Disposition"] = f'inline; filename="{sound.file_name}"'
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    body = Stream(contents.read(sound.ticket_id, content, start, stop))
    return Answer(body, 200 if part is None else 206, headers, sound.media_type)


def file_name(recording: Recording) -> str:
    return f"{recording.id}.{RECORDING_SUFFIXES.get(recording.media_type, 'bin')}"
