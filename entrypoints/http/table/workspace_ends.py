"""How long a workspace keeps things, and closing it: as JSON and on the desk."""

from domain.members import MemberRole
from entrypoints.http.handlers.desk_workspace import DeskCloseHandlers, DeskRetentionHandlers
from entrypoints.http.handlers.workspace_ends import WorkspaceEndHandlers
from entrypoints.http.operations import Access, Operation
from entrypoints.http.table.access import CURSOR, LIMIT, WORKSPACE_CLOSE, WORKSPACE_READ
from entrypoints.http.table.desk_pages import DESK_MANAGERS, DESK_STAFF
from entrypoints.http.table.members import WORKSPACE
from entrypoints.http.table.pages import REFUSED, desk_form, desk_page

DESK_OWNER = Access(frozenset(), members=frozenset({MemberRole.OWNER}))

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET", f"{WORKSPACE}/due-erasures", "List the tickets that are erased next because nobody used them for long",
        WorkspaceEndHandlers.list_due_erasures, WORKSPACE_READ, query=(LIMIT, CURSOR), tag="Workspaces",
        id="listDueErasures",
    ),
    Operation(
        "GET", f"{WORKSPACE}/closing", "Say what is still open in a workspace, before it is closed",
        WorkspaceEndHandlers.preview_closing, WORKSPACE_CLOSE, tag="Workspaces", id="previewClosing",
    ),
    desk_page(
        "/desk/retention", "Show how long stories, names of donors and logs are kept", DeskRetentionHandlers.show,
        DESK_STAFF, query=(CURSOR,),
    ),
    desk_form(
        "/desk/retention", "Change how long stories and names of donors are kept", DeskRetentionHandlers.change,
        DESK_MANAGERS, other_responses=REFUSED,
    ),
    desk_page(
        "/desk/close", "Show what closing the workspace would do, and what speaks against it", DeskCloseHandlers.show,
        DESK_OWNER,
    ),
    desk_form(
        "/desk/close", "Close the workspace, whose name was typed", DeskCloseHandlers.close, DESK_OWNER,
        other_responses=REFUSED,
    ),
)  # fmt: skip
