"""Handlers for what a workspace erases by itself, and for what its owner should know before it is closed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from uuid import UUID

from adapters.privacy.retention import Retention
from adapters.read_models.closing import closing_counts
from domain.commands.retention import DueErasure
from domain.ports import Workspaces
from entrypoints.http.handlers.members import named_workspace
from entrypoints.http.operations import Answer, Call
from entrypoints.http.paging import cursor_after, requested_page
from entrypoints.presentation.responses import ResponseBody, Time, utc


class DueErasureView(ResponseBody):
    """A ticket that is erased by itself if nobody uses it."""

    ticket_id: UUID
    last_used_at: Time
    announced: bool
    erased_after: Time

    @classmethod
    def of(cls, due: DueErasure) -> DueErasureView:
        return cls(due.ticket_id, utc(due.last_used_at), due.is_announced, utc(due.erased_after))


class DueErasurePage(ResponseBody):
    """A result page of tickets that are erased next, those that were opened first before the others."""

    erasures: list[DueErasureView]
    next_cursor: str | None


class ClosingPreview(ResponseBody):
    """The open matters of a workspace, and what goes on after it is closed."""

    public_pages: int
    waiting_pages: int
    open_payments: int
    open_disputes: int
    refundable_gifts: int
    refund_requests: int
    keys: int
    members: int
    invitations: int


@dataclass(frozen=True)
class WorkspaceEndHandlers:
    retention: Retention
    workspaces: Workspaces

    def list_due_erasures(self, call: Call) -> Answer[DueErasurePage]:
        return self.due_erasures(call)[1]

    def due_erasures(self, call: Call) -> tuple[list[DueErasure], Answer[DueErasurePage]]:
        """Return the tickets of the page, also with what only pages show, and the answer."""
        name, page = named_workspace(call), requested_page(call)
        due, end = self.retention.due_erasures(name, page.limit, page.after_time_and_id())
        page.next_cursor = cursor_after((end[0].isoformat(), str(end[1]))) if end else None
        return due, page.answer(DueErasurePage([DueErasureView.of(each) for each in due], page.next_cursor))

    def preview_closing(self, call: Call) -> ClosingPreview:
        name, now = named_workspace(call), datetime.now(UTC)
        counts = call.reads.ask(lambda cursor: closing_counts(cursor, name, now))
        workspace = self.workspaces.get(name)
        people = {"members": len(workspace.members()), "invitations": len(workspace.invitations(now))}
        return ClosingPreview(**asdict(counts), **people)
