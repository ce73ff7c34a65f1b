"""Operations on uploads in parts, which resume after a lost connection."""

from dataclasses import replace

from entrypoints.http import tus
from entrypoints.http.handlers.uploads import UploadHandlers
from entrypoints.http.operations import BodyKind, Operation, RateLimit
from entrypoints.http.problems import PROBLEM_MEDIA_TYPE
from entrypoints.http.table.access import ALWAYS_OPEN, NOT_FOUND, WRITE

UPLOAD = "/api/uploads/{ticket_id}/{upload_id}"
CREATE_UPLOAD = replace(WRITE, ticket_in_metadata=True)
OTHER_VERSION = {412: PROBLEM_MEDIA_TYPE}
MISMATCH = {460: PROBLEM_MEDIA_TYPE}

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "OPTIONS", "/api/uploads", "Say what is supported of tus 1.0.0, the protocol of uploads that resume",
        UploadHandlers.support, ALWAYS_OPEN, status=204, tag="Uploads", rate_limit=RateLimit.NONE,
        id="getUploadOptions",
    ),
    Operation(
        "POST", "/api/uploads", "Begin an upload that resumes; Upload-Metadata names `ticket` and `filename`",
        UploadHandlers.create, CREATE_UPLOAD, BodyKind.PART, status=201, media_types=(), tag="Uploads",
        rate_limit=RateLimit.UPLOAD, response_headers=tus.RESUMABLE, other_responses={**MISMATCH, **NOT_FOUND},
        id="createUpload",
    ),
    Operation(
        "HEAD", UPLOAD, "Get how many bytes have arrived of an upload", UploadHandlers.show, WRITE, media_types=(),
        tag="Uploads", rate_limit=RateLimit.UPLOAD, response_headers=tus.RESUMABLE, other_responses=OTHER_VERSION,
        id="getUploadOffset",
    ),
    Operation(
        "PATCH", UPLOAD, "Send the next bytes of an upload; the last ones make it a recording of the ticket",
        UploadHandlers.append, WRITE, BodyKind.PART, status=204, tag="Uploads", rate_limit=RateLimit.UPLOAD,
        response_headers=tus.RESUMABLE, other_responses=MISMATCH, id="appendToUpload",
    ),
    Operation(
        "DELETE", UPLOAD, "End an upload and delete what has arrived of it", UploadHandlers.terminate, WRITE,
        status=204, tag="Uploads", rate_limit=RateLimit.UPLOAD, response_headers=tus.RESUMABLE, id="cancelUpload",
    ),
)  # fmt: skip
