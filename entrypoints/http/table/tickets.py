"""Operations on tickets, their documents and their history."""

from domain.values import DocumentFormat
from entrypoints.http import bodies
from entrypoints.http.handlers.campaigns import CampaignHandlers
from entrypoints.http.handlers.documents import DocumentHandlers
from entrypoints.http.handlers.history import history
from entrypoints.http.handlers.proofs import ProofHandlers
from entrypoints.http.handlers.recording_files import RECORDING_SUFFIXES, RecordingFileHandlers
from entrypoints.http.handlers.recordings import RecordingHandlers
from entrypoints.http.handlers.ticket_exports import TicketExportHandlers
from entrypoints.http.handlers.tickets import INCLUDES, TicketHandlers
from entrypoints.http.handlers.transcripts import TRANSCRIPT_FORMATS, TranscriptHandlers
from entrypoints.http.handlers.updates import NewUpdate, UpdateHandlers
from entrypoints.http.operations import BodyKind, Operation, Parameter, RateLimit
from entrypoints.http.problems import PROBLEM_MEDIA_TYPE
from entrypoints.http.table.access import (
    ALWAYS_OPEN,
    CONTACT,
    CURSOR,
    HISTORY,
    JSON,
    LIMIT,
    NOT_FOUND,
    OPEN_TICKET,
    PATCH,
    PUBLIC_READ,
    READ,
    READ_UNMASKED,
    SEARCH,
    TAKE_DOWN,
    TICKET,
    WRITE,
)

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "POST", "/api/tickets/create", "Open a ticket and get its access token, which is shown only once",
        TicketHandlers.create, OPEN_TICKET, JSON, bodies.TicketOpening, 201, idempotency_key=True,
        shown_once="accessToken", rate_limit=RateLimit.CREATE, id="createTicket",
    ),
    Operation(
        "GET", "/api/tickets/search", "Find the tickets of a contact", TicketHandlers.search, SEARCH,
        query=(CONTACT, LIMIT, CURSOR), id="searchTickets",
    ),
    Operation(
        "GET", "/api/profiles/search", "Find the tickets of a contact, for profile pages",
        TicketHandlers.search_profiles, SEARCH, query=(CONTACT, LIMIT, CURSOR), id="searchProfiles",
    ),
    Operation(
        "GET", TICKET, "Get a ticket, with the parts that `include` names", TicketHandlers.get, READ,
        query=(Parameter("include", f"A comma-separated list of {', '.join(INCLUDES)}."),), id="getTicket",
    ),
    Operation(
        "PATCH", TICKET, "Change a ticket's display name", TicketHandlers.rename, WRITE, PATCH, bodies.TicketChange,
        id="renameTicket",
    ),
    Operation(
        "DELETE", TICKET, "Erase a ticket's personal data for good", TicketHandlers.erase, WRITE, status=202,
        id="eraseTicket",
    ),
    Operation(
        "POST", f"{TICKET}/upload-audio", "Add a recording of at most 50 MB", RecordingHandlers.upload, WRITE,
        BodyKind.AUDIO, idempotency_key=True, id="uploadAudio",
    ),
    Operation(
        "GET", f"{TICKET}/recordings", "List the recordings of a ticket, oldest first",
        RecordingFileHandlers.list_recordings, READ_UNMASKED, id="listRecordings",
    ),
    Operation(
        "GET", f"{TICKET}/recordings/{{recording_id}}", "Play a recording, whole or a part of it",
        RecordingFileHandlers.play, READ_UNMASKED, media_types=tuple(RECORDING_SUFFIXES), revalidates=True, ranges=True,
        logs_reads=True, id="downloadRecording",
    ),
    Operation(
        "DELETE", f"{TICKET}/recordings/{{recording_id}}",
        "Delete a recording with its transcript; a draft that is not public is made again of the others",
        RecordingFileHandlers.delete, WRITE, status=204, id="deleteRecording",
    ),
    Operation(
        "GET", f"{TICKET}/export", "Download everything that is kept of a ticket, as one zip archive",
        TicketExportHandlers.export, READ_UNMASKED, media_types=("application/zip",), rate_limit=RateLimit.CHECK,
        logs_reads=True, id="exportTicket",
    ),
    Operation(
        "POST", f"{TICKET}/process", "Start to transcribe the recordings and to draft the campaign of all of them",
        RecordingHandlers.process, WRITE, JSON, bodies.ProcessRequest, 202, idempotency_key=True, id="processRecording",
    ),
    Operation(
        "POST", f"{TICKET}/retry", "Repeat the step that failed", RecordingHandlers.retry, WRITE, JSON, bodies.Empty,
        202, idempotency_key=True, id="retryProcessing",
    ),
    Operation(
        "GET", f"{TICKET}/status", "Get the progress of the work on a ticket", RecordingHandlers.progress, READ,
        reads_only_ticket=True, id="getTicketStatus",
    ),
    Operation(
        "GET", f"{TICKET}/transcript", "Get the transcript of all recordings as text, subtitles or a Word file",
        TranscriptHandlers.get, READ_UNMASKED,
        query=(Parameter("format", "The format.", {"enum": [*TRANSCRIPT_FORMATS], "default": "json"}),),
        media_types=tuple(name.partition(";")[0] for name in TRANSCRIPT_FORMATS.values()),
        other_responses={409: PROBLEM_MEDIA_TYPE}, id="getTranscript",
    ),
    Operation(
        "POST", f"{TICKET}/provide-info", "Add information that the recording does not contain",
        RecordingHandlers.provide_info, WRITE, JSON, bodies.ProvidedInfo, id="provideInfo",
    ),
    Operation(
        "PATCH", f"{TICKET}/draft", "Edit the draft", CampaignHandlers.edit_draft, WRITE, PATCH, bodies.DraftChange,
        id="editDraft",
    ),
    Operation(
        "POST", f"{TICKET}/draft/findings", "Keep or remove what may endanger somebody once the draft is published",
        CampaignHandlers.decide_findings, WRITE, JSON, bodies.FindingDecisions, id="decideFindings",
    ),
    Operation(
        "POST", f"{TICKET}/publish", "Publish the campaign page", CampaignHandlers.publish, WRITE, JSON,
        bodies.Publication, id="publishTicket",
    ),
    Operation(
        "POST", f"{TICKET}/unpublish", "Withdraw the campaign page", CampaignHandlers.unpublish, WRITE, JSON,
        bodies.Empty, id="unpublishTicket",
    ),
    Operation(
        "GET", f"{TICKET}/updates", "List the updates on the campaign page, newest first", UpdateHandlers.list_updates,
        PUBLIC_READ, id="listUpdates",
    ),
    Operation(
        "POST", f"{TICKET}/updates", "Post an update on the campaign page", UpdateHandlers.post, WRITE, JSON, NewUpdate,
        201, idempotency_key=True, id="postUpdate",
    ),
    Operation(
        "DELETE", f"{TICKET}/updates/{{update_id}}", "Remove an update from the campaign page", UpdateHandlers.remove,
        WRITE, id="removeUpdate",
    ),
    Operation(
        "POST", f"{TICKET}/suspend", "Take the campaign page down until the ticket is reinstated",
        CampaignHandlers.suspend, TAKE_DOWN, JSON, bodies.Suspension, id="suspendTicket",
    ),
    Operation(
        "POST", f"{TICKET}/reinstate", "End the suspension of a ticket", CampaignHandlers.reinstate, TAKE_DOWN, JSON,
        bodies.Empty, id="reinstateTicket",
    ),
    Operation(
        "POST", f"{TICKET}/generate-doc", "Generate a Word or PDF document", DocumentHandlers.generate, WRITE, JSON,
        bodies.DocumentOrder, 201, idempotency_key=True, tag="Documents", id="generateDocument",
    ),
    Operation(
        "GET", f"{TICKET}/documents", "List all documents of a ticket, newest first", DocumentHandlers.list_documents,
        READ, tag="Documents", id="listDocuments",
    ),
    Operation(
        "GET", f"{TICKET}/documents/{{document_id}}/download", "Download a document", DocumentHandlers.download,
        READ_UNMASKED, media_types=tuple(format.media_type for format in DocumentFormat), tag="Documents",
        revalidates=True, id="downloadDocument",
    ),
    Operation(
        "GET", f"{TICKET}/qr-code", "Get the QR code of the campaign page, as JSON or as an image",
        DocumentHandlers.qr_code, READ, media_types=("application/json", "image/png", "image/svg+xml"), tag="Documents",
        id="getQrCode",
    ),
    Operation(
        "GET", f"{TICKET}/history", "List a ticket's events, or get the ticket as of an earlier position",
        history, HISTORY, tag="History", id="getHistory",
        query=(
            LIMIT, CURSOR,
            Parameter("at", "A position of the event log or a time; the ticket is shown as it was then."),
        ),
    ),
    Operation(
        "GET", f"{TICKET}/audit", "Export a ticket's events with proofs, as `storyledger audit export` does",
        ProofHandlers.export, HISTORY, tag="History", id="exportAudit",
    ),
    Operation(
        "GET", "/checkpoint", "Get the newest signed checkpoint of the event log", ProofHandlers.checkpoint,
        ALWAYS_OPEN, media_types=("text/plain",), other_responses=NOT_FOUND, tag="History", id="getCheckpoint",
    ),
    Operation(
        "GET", "/checkpoint/key", "Get the keys that sign checkpoints, the current one first", ProofHandlers.key,
        ALWAYS_OPEN, media_types=("text/plain",), tag="History", id="getCheckpointKeys",
    ),
    Operation(
        "GET", "/checkpoint/checker", "Get the program that verifies exports offline", ProofHandlers.checker_program,
        ALWAYS_OPEN, media_types=("text/plain",), tag="History", id="downloadChecker",
    ),
    Operation(
        "GET", "/checkpoint/consistency", "Get the proof that the event log continues an older checkpoint",
        ProofHandlers.consistency, ALWAYS_OPEN, other_responses=NOT_FOUND, tag="History", id="getConsistencyProof",
        query=(
            Parameter("from", "The size of the older checkpoint.", {"type": "integer", "minimum": 0}, required=True),
        ),
    ),
)  # fmt: skip
