"""Handlers for uploads in parts, which resume after a lost connection (tus 1.0.0)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from adapters import ids
from adapters.disk import FreeSpace
from adapters.quotas import Quotas
from adapters.uploads import Upload, Uploads, use_of
from domain.errors import AudioTooLongError, BusyError, FullError, NotAudioError, UnavailableError
from entrypoints.http import tus
from entrypoints.http.handlers.quotas import owners_of
from entrypoints.http.handlers.recording_intake import RecordingIntake
from entrypoints.http.operations import Answer, Call, ReceivedFile
from entrypoints.http.problems import Problem
from entrypoints.http.uploads import MAX_FILE_NAME_LENGTH


@dataclass(frozen=True)
class UploadHandlers:
    uploads: Uploads
    intake: RecordingIntake
    quotas: Quotas
    # Limits the temporary files in which recordings are put together.
    space: FreeSpace

    def support(self, call: Call) -> Answer[None]:
        del call
        return Answer(None, 204, dict(tus.SUPPORT))

    def create(self, call: Call) -> Answer[None]:
        tus.require_version(call.headers)
        length, described = tus.upload_length(call.headers), call.headers.get("upload-metadata", "")
        if call.upload is not None:
            _require_fits(call.upload, length)
            tus.require_checksum(call.headers.get("upload-checksum"), call.upload.file)
        # An upload counts when it begins, because what has arrived of it takes space from then on.
        with self.quotas.held(owners_of(call), use_of(length)) as reservation:
            upload = self.uploads.create(call.ticket_id, length, described, reservation)
        location = {"Location": f"/api/uploads/{call.ticket_id}/{upload.id}"}
        if call.upload is not None and call.upload.size_bytes:
            upload = self._append(call, upload, call.upload)
        return Answer(None, 201, location | _state(upload))

    def show(self, call: Call) -> Answer[None]:
        tus.require_version(call.headers)
        upload = self._upload(call)
        described = {"Upload-Metadata": upload.metadata} if upload.metadata else {}
        return Answer(None, 200, {"Upload-Length": str(upload.length)} | described | _state(upload))

    def append(self, call: Call) -> Answer[None]:
        tus.require_version(call.headers)
        upload, offset = self._upload(call), tus.upload_offset(call.headers)
        assert call.upload is not None
        if offset != upload.received:
            detail = f"The upload has {upload.received} bytes, so the next part begins there."
            raise Problem("conflict", detail, headers={"Upload-Offset": str(upload.received)})
        _require_fits(call.upload, upload.length - upload.received)
        tus.require_checksum(call.headers.get("upload-checksum"), call.upload.file)
        if call.upload.size_bytes:
            upload = self._append(call, upload, call.upload)
        return Answer(None, 204, _state(upload))

    def terminate(self, call: Call) -> Answer[None]:
        tus.require_version(call.headers)
        upload = self._upload(call)
        self.uploads.delete(upload.ticket_id, upload.id)
        return Answer(None, 204)

    def _upload(self, call: Call) -> Upload:
        return self.uploads.get(call.ticket_id, ids.parse(call.path_params["upload_id"]))

    def _append(self, call: Call, upload: Upload, part: ReceivedFile) -> Upload:
        if upload.received + part.size_bytes < upload.length:
            return self.uploads.append(upload, part.file, part.size_bytes)
        # The last byte counts as received only once the recording is stored: by it the client knows that all is done.
        with self._all_but_the_last_byte_kept(upload, part):
            with self.space.reserved(upload.length), self.uploads.whole(upload, part.file) as recording:
                self.intake.accept(call, upload.id, recording, _file_name(upload))
            return self.uploads.finish(upload)

    @contextmanager
    def _all_but_the_last_byte_kept(self, upload: Upload, part: ReceivedFile) -> Iterator[None]:
        """Delete the upload if it is refused; if the block fails for another reason, the client need not send it again.

        The last byte is missing then, and with it the client tries again.
        """
        try:
            yield
        except (NotAudioError, AudioTooLongError):
            self.uploads.delete(upload.ticket_id, upload.id)
            raise
        except (BusyError, FullError, UnavailableError):
            if part.size_bytes > 1:
                part.file.truncate(part.size_bytes - 1)
                self.uploads.append(upload, part.file, part.size_bytes - 1)
            raise


def _require_fits(part: ReceivedFile, room: int) -> None:
    if part.size_bytes > room:
        raise Problem("too-large", f"Only {room} bytes of this upload are missing.")


def _state(upload: Upload) -> dict[str, str]:
    return {"Upload-Offset": str(upload.received)} | tus.expiry(upload.expires_at)


def _file_name(upload: Upload) -> str | None:
    name = tus.metadata(upload.metadata).get("filename", "")
    return "".join(character for character in name if character.isprintable())[:MAX_FILE_NAME_LENGTH] or None
