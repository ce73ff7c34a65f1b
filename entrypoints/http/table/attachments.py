"""Operations on photos and letters."""

from entrypoints.http.handlers.attachments import (
    PDF_MEDIA_TYPE,
    PHOTO_MEDIA_TYPE,
    AttachmentHandlers,
    ChosenPicture,
    PictureHandlers,
)
from entrypoints.http.operations import BodyKind, Operation, Parameter, RateLimit
from entrypoints.http.problems import PROBLEM_MEDIA_TYPE
from entrypoints.http.table.access import JSON, NOT_FOUND, OPEN, READ, READ_UNMASKED, TICKET, WRITE

TAG = "Photos and letters"
OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "POST", f"{TICKET}/attachments", "Add a photo or a PDF of at most 10 MB; a ticket has at most 10",
        AttachmentHandlers.attach, WRITE, BodyKind.ATTACHMENT, None, 201, idempotency_key=True, tag=TAG,
        other_responses={409: PROBLEM_MEDIA_TYPE}, id="addAttachment",
    ),
    Operation(
        "GET", f"{TICKET}/attachments", "List the photos and PDFs of a ticket, oldest first",
        AttachmentHandlers.list_attachments, READ, tag=TAG, id="listAttachments",
    ),
    Operation(
        "GET", f"{TICKET}/attachments/{{attachment_id}}", "Download a photo or a PDF", AttachmentHandlers.download,
        READ_UNMASKED, media_types=(PHOTO_MEDIA_TYPE, PDF_MEDIA_TYPE), revalidates=True, tag=TAG,
        query=(Parameter("size", "With `small`, a photo for small screens.", {"enum": ["full", "small"]}),),
        id="downloadAttachment",
    ),
    Operation(
        "DELETE", f"{TICKET}/attachments/{{attachment_id}}", "Delete a photo or a PDF", AttachmentHandlers.delete,
        WRITE, status=204, tag=TAG, id="deleteAttachment",
    ),
    Operation(
        "PUT", f"{TICKET}/picture", "Choose the photo of the campaign page, and describe it",
        AttachmentHandlers.choose_picture, WRITE, JSON, ChosenPicture, tag=TAG, id="choosePicture",
    ),
    Operation(
        "DELETE", f"{TICKET}/picture", "Take the photo off the campaign page", AttachmentHandlers.remove_picture, WRITE,
        status=204, tag=TAG, id="removePicture",
    ),
    Operation(
        "GET", "/d/{slug}/picture", "Get the picture of a campaign page", PictureHandlers.show, OPEN,
        media_types=(PHOTO_MEDIA_TYPE,), rate_limit=RateLimit.IMAGE, other_responses=NOT_FOUND, tag="Public page",
        query=(Parameter("v", "Names the picture, so that browsers keep it."),),
    ),
)  # fmt: skip
