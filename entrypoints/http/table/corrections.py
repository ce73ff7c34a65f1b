"""Operations that correct a transcript, and on earlier versions of a transcript and of a draft."""

from entrypoints.http import bodies
from entrypoints.http.handlers.transcripts import TranscriptHandlers
from entrypoints.http.handlers.versions import VersionHandlers
from entrypoints.http.operations import Operation
from entrypoints.http.table.access import CURSOR, JSON, LIMIT, PATCH, READ, READ_UNMASKED, TICKET, WRITE

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "PATCH", f"{TICKET}/transcript", "Correct segments of the transcript, and draft again what nobody wrote",
        TranscriptHandlers.correct, WRITE, PATCH, bodies.TranscriptCorrections,
    ),
    Operation(
        "GET", f"{TICKET}/transcript/versions", "List the corrections of the transcript, newest first",
        VersionHandlers.list_transcripts, READ_UNMASKED, query=(LIMIT, CURSOR),
    ),
    Operation(
        "POST", f"{TICKET}/transcript/restore", "Correct the transcript back to an earlier version",
        TranscriptHandlers.restore, WRITE, JSON, bodies.Restoration,
    ),
    Operation(
        "GET", f"{TICKET}/draft/versions", "List the versions of the draft, newest first", VersionHandlers.list_drafts,
        READ, query=(LIMIT, CURSOR),
    ),
    Operation(
        "POST", f"{TICKET}/draft/restore", "Write the draft as it was at an earlier version",
        VersionHandlers.restore_draft, WRITE, JSON, bodies.Restoration,
    ),
)  # fmt: skip
