"""Operations that correct a transcript, and on earlier versions of a transcript and of a draft."""

from functools import partial

from entrypoints.http import bodies
from entrypoints.http.handlers.campaign_page import CampaignPageHandlers
from entrypoints.http.handlers.listen_pages import ListenPageHandlers
from entrypoints.http.handlers.story_pages import StoryPageHandlers
from entrypoints.http.handlers.transcripts import TranscriptHandlers
from entrypoints.http.handlers.versions import VersionHandlers
from entrypoints.http.operations import BodyKind, Operation
from entrypoints.http.table import pages
from entrypoints.http.table.access import CURSOR, HOLDER_PAGE, JSON, LIMIT, PATCH, READ, READ_UNMASKED, TICKET, WRITE
from entrypoints.http.table.pages import as_pages

PAGE = "/t/{ticket_id}/story"
LISTEN = "/t/{ticket_id}/listen"
# What was typed is shown again, with its faults or beside what somebody else saved meanwhile.
AGAIN = as_pages(409, 422)
page = partial(pages.page, tag="Pages")
form = partial(pages.form, tag="Pages")

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "PATCH", f"{TICKET}/transcript", "Correct segments of the transcript, and draft again what nobody wrote",
        TranscriptHandlers.correct, WRITE, PATCH, bodies.TranscriptCorrections, id="correctTranscript",
    ),
    Operation(
        "GET", f"{TICKET}/transcript/versions", "List the corrections of the transcript, newest first",
        VersionHandlers.list_transcripts, READ_UNMASKED, query=(LIMIT, CURSOR), id="listTranscriptVersions",
    ),
    Operation(
        "POST", f"{TICKET}/transcript/restore", "Correct the transcript back to an earlier version",
        TranscriptHandlers.restore, WRITE, JSON, bodies.Restoration, id="restoreTranscript",
    ),
    Operation(
        "GET", f"{TICKET}/draft/versions", "List the versions of the draft, newest first", VersionHandlers.list_drafts,
        READ, query=(LIMIT, CURSOR), id="listDraftVersions",
    ),
    Operation(
        "POST", f"{TICKET}/draft/restore", "Write the draft as it was at an earlier version",
        VersionHandlers.restore_draft, WRITE, JSON, bodies.Restoration, id="restoreDraft",
    ),
    page(PAGE, "Show the draft and the transcript, to correct them", StoryPageHandlers.show, HOLDER_PAGE),
    form(PAGE, "Save the draft from the page", StoryPageHandlers.save, HOLDER_PAGE, other_responses=AGAIN),
    Operation(
        "PUT", PAGE, "Save what was typed so far, for the script of the page", StoryPageHandlers.keep, HOLDER_PAGE,
        BodyKind.FORM, tag="Pages",
    ),
    form(
        f"{PAGE}/transcript", "Correct a segment of the transcript from the page", StoryPageHandlers.correct,
        HOLDER_PAGE, other_responses=AGAIN,
    ),
    form(
        f"{PAGE}/restore", "Bring back an earlier draft from the page", StoryPageHandlers.restore, HOLDER_PAGE,
        other_responses=AGAIN,
    ),
    page(LISTEN, "Show the draft part by part, to check it by ear", ListenPageHandlers.show, HOLDER_PAGE),
    form(
        LISTEN, "Leave a part out of the draft, or put a sentence in, and show the next part",
        ListenPageHandlers.decide, HOLDER_PAGE,
    ),
    page(
        "/t/{ticket_id}/preview", "Show the holder the page as donors see it", CampaignPageHandlers.preview,
        HOLDER_PAGE,
    ),
    form(f"{PAGE}/document", "Make a document of the draft from the page", StoryPageHandlers.print, HOLDER_PAGE),
)  # fmt: skip
