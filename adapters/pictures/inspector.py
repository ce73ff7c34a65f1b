"""The inspector of attachments: recognises photos and PDFs by their content, and has photos encoded anew."""

import io
import tempfile
from typing import BinaryIO

from adapters.confined.child_process import Limits, run_child
from adapters.confined.errors import ChildCrashed, ChildInterrupted, ChildTimedOut, InputRefused
from domain.errors import NotAnAttachmentError, UnavailableError
from domain.ports import InspectedAttachment

LIMITS = Limits(cpu_seconds=20, wall_seconds=40, memory_mb=1024, output_mb=16)
PDF, JPEG = "application/pdf", "image/jpeg"
# The largest and the smallest part of a PDF file in which its beginning and its end are looked for (ISO 32000).
HEADER_BYTES, TRAILER_BYTES = 1024, 2048
TOO_LARGE = "This photo has too many pixels. Take it again with a lower resolution."
UNREADABLE = "This file is neither a photo (JPEG, PNG or WebP) nor a PDF that can be opened."


class ChildAttachmentInspector:
    """Keeps a PDF as it is, unopened; has a photo decoded in a child process with limits."""

    def inspect(self, file: BinaryIO) -> InspectedAttachment:
        """Return what is to be kept of the file.

        Raise NotAnAttachmentError if it is neither a photo nor a PDF, and UnavailableError if the machine is too busy.
        """
        file.seek(0)
        header = file.read(HEADER_BYTES)
        if b"%PDF-" in header[:HEADER_BYTES]:
            return self._pdf(file)
        return self._photo(file)

    def _pdf(self, file: BinaryIO) -> InspectedAttachment:
        size = file.seek(0, io.SEEK_END)
        file.seek(max(0, size - TRAILER_BYTES))
        if b"%%EOF" not in file.read(TRAILER_BYTES):
            raise NotAnAttachmentError(UNREADABLE)
        file.seek(0)
        return InspectedAttachment(PDF, file)

    def _photo(self, file: BinaryIO) -> InspectedAttachment:
        with tempfile.TemporaryFile() as output:
            try:
                facts = run_child("photo", file, {}, LIMITS, output=output)
            except InputRefused as refused:
                raise NotAnAttachmentError(TOO_LARGE if refused.code == "too_large" else UNREADABLE) from None
            except (ChildInterrupted, ChildTimedOut):
                raise UnavailableError("The photo could not be checked just now; please try again.") from None
            except ChildCrashed:
                raise NotAnAttachmentError(UNREADABLE) from None
            output.seek(0)
            large, small = (io.BytesIO(output.read(size)) for size in facts["bytes"])
        return InspectedAttachment(JPEG, large, small, facts["width"], facts["height"])
