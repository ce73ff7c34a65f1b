"""Handlers for the day's list and for the page of one ticket, on which staff work."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlencode

from domain.approval import LONGEST_NOTE as LONGEST_WISH
from domain.commands.approvals import NeedsApproval
from domain.commands.desk import ASSIGNABLE
from domain.desk import LONGEST_NOTE
from domain.errors import DomainError
from domain.tickets import LONGEST_SUSPENSION_REASON
from domain.values import ContentStatus
from domain.workspaces import Workspace
from entrypoints.http.bodies import Empty, Suspension, form_fields, validated
from entrypoints.http.desk import (
    DESK,
    MANAGERS,
    OPERATORS,
    Desk,
    ask_for,
    assignable,
    chosen_filters,
    name_of,
    next_page,
)
from entrypoints.http.handlers.approvals import ApprovalHandlers, RequestedChanges
from entrypoints.http.handlers.audit_pages import AUDIT
from entrypoints.http.handlers.campaigns import CampaignHandlers
from entrypoints.http.handlers.desk import DeskChange, DeskHandlers, NewNote
from entrypoints.http.handlers.publish_page import approval_values
from entrypoints.http.handlers.ticket_list import TicketListHandlers, may_search
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import page_language, see_other
from entrypoints.http.problems import Problem, problem_of
from entrypoints.presentation.desk import ListedTicket
from entrypoints.presentation.donations import DonationTotals
from entrypoints.presentation.tickets import Draft
from projections import desk, donation_ledger, ticket_status
from projections.desk import Sort

FILTERS = ("q", "status", "approval", "label", "assignee", "sort", "from", "to")


class Line(NamedTuple):
    """A ticket as a line of the list."""

    ticket: ListedTicket
    # None once the page is public, or if nobody asked for an approval.
    approval: str | None
    assignee: str | None
    overdue: bool


@dataclass(frozen=True)
class DeskTicketHandlers:
    tickets: TicketListHandlers
    notes: DeskHandlers
    campaigns: CampaignHandlers
    approvals: ApprovalHandlers
    needs_approval: NeedsApproval
    desk: Desk

    def show_list(self, call: Call) -> Answer[bytes] | Answer[None]:
        """Show the tickets that match the filters. A person without a workspace is led to the choice of workspaces.

        Operators of the installation are led to the first part of the desk that they use.
        """
        if call.principal.role in OPERATORS:
            return see_other(next((part.path for part in self.desk.parts(call)), AUDIT))
        if call.principal.workspace is None:
            return see_other(f"{DESK}/sign-in")
        chosen, done = chosen_filters(call, FILTERS), call.query.get("done")
        ask_for(call, chosen)
        result_page = self.tickets.list_tickets(call).body
        workspace, language, now = self.desk.workspace(call), page_language(call), datetime.now(UTC)
        return self.desk.page(
            call,
            "tickets.html",
            lines=[_line(call, ticket, workspace, language, now) for ticket in result_page.tickets],
            counts=result_page.counts,
            approvals_requested=result_page.approvals_requested,
            statuses=desk.STATUSES,
            sorts=tuple(Sort),
            chosen=chosen,
            people=assignable(workspace, masked=call.masked),
            done=done,
            without=lambda name: _url({key: text for key, text in chosen.items() if key != name}),
            with_filter=lambda name, value: _url({**chosen, name: value}),
            next_url=next_page(DESK, result_page.next_cursor, chosen),
            may_open=call.principal.member_role in ASSIGNABLE,
            may_search=may_search(call),
        )

    def show(self, call: Call, error: Exception | None = None, form: Mapping[str, str] | None = None) -> Answer[bytes]:
        row, personal = call.ticket, call.personal_data()
        workspace, language = self.desk.workspace(call), page_language(call)
        listed, totals = call.reads.ask(
            lambda cursor: (
                desk.listed(cursor, call.ticket_id),
                donation_ledger.totals(cursor, call.ticket_id),
            )
        )
        sums = DonationTotals.from_rows(row, totals, None, None, personal)
        ticket = ListedTicket.from_row(listed, personal) if listed else None
        problem = problem_of(error) if error else None
        notes = self.notes.list_notes(call).body
        return self.desk.page(
            call,
            "ticket.html",
            problem.status if problem else 200,
            title=personal.draft(row).title,
            name=personal.text_or_none(row["ticket_id"], row["display_name"]),
            contact=personal.contact(row),
            draft=Draft.from_row(row, personal),
            content_status=row["content_status"],
            suspended=row["suspended"],
            public=ticket_status.is_public(row),
            slug=row["slug"],
            ticket=ticket,
            due=ticket.due_at.astimezone(UTC).date().isoformat() if ticket and ticket.due_at else "",
            begun_at=row["created_at"],
            people=assignable(workspace, masked=call.masked),
            notes=[(note, name_of(note.actor, workspace, language, masked=call.masked)) for note in notes.notes],
            older_notes=next_page(f"{DESK}/tickets/{call.ticket_id}", notes.next_cursor),
            sums=sums,
            may_work=call.principal.member_role in ASSIGNABLE,
            may_manage=call.principal.member_role in MANAGERS,
            problem=problem,
            form=form or {},
            **approval_values(row, personal, self.needs_approval),
            version=row["version"],
            longest_note=LONGEST_NOTE,
            longest_wish=LONGEST_WISH,
            longest_reason=LONGEST_SUSPENSION_REASON,
        )

    def change(self, call: Call) -> Answer[bytes] | Answer[None]:
        """Set labels, assignee and due date as the form has them."""
        form = form_fields(call.raw_body)
        day = form.get("due", "").strip()
        body = {
            "labels": [label for part in form.get("labels", "").split(",") if (label := part.strip())],
            "assignee": form.get("assignee") or None,
            "dueAt": f"{day}T23:59:59Z" if day else None,
        }
        try:
            self.notes.change(call, validated(DeskChange, body))
        except (Problem, DomainError) as error:
            return self.show(call, error, form=form)
        return self._done(call, "saved")

    def add_note(self, call: Call) -> Answer[bytes] | Answer[None]:
        form = form_fields(call.raw_body)
        try:
            self.notes.add_note(call, validated(NewNote, {"text": form.get("text", "").replace("\r\n", "\n")}))
        except (Problem, DomainError) as error:
            return self.show(call, error, form=form)
        return self._done(call, "noted")

    def suspend(self, call: Call) -> Answer[bytes] | Answer[None]:
        form = form_fields(call.raw_body)
        try:
            self.campaigns.suspend(call, validated(Suspension, {"reason": form.get("reason", "").strip()}))
        except (Problem, DomainError) as error:
            return self.show(call, error, form=form)
        return self._done(call, "suspended")

    def reinstate(self, call: Call) -> Answer[None]:
        self.campaigns.reinstate(call, Empty())
        return self._done(call, "reinstated")

    def approve(self, call: Call) -> Answer[bytes] | Answer[None]:
        """Approve the page as the member saw it: the form names the version that was shown."""
        if version := form_fields(call.raw_body).get("version"):
            call.headers = {**call.headers, "if-match": f'"{version}"'}
        try:
            self.approvals.approve(call, Empty())
        except DomainError as error:
            return self.show(call, error)
        return self._done(call, "approved")

    def request_changes(self, call: Call) -> Answer[bytes] | Answer[None]:
        form = form_fields(call.raw_body)
        try:
            self.approvals.request_changes(call, validated(RequestedChanges, {"note": form.get("note", "").strip()}))
        except (Problem, DomainError) as error:
            return self.show(call, error, form=form)
        return self._done(call, "asked")

    @staticmethod
    def _done(call: Call, done: str) -> Answer[None]:
        return see_other(f"{DESK}/tickets/{call.ticket_id}?done={done}")


def _line(call: Call, ticket: ListedTicket, workspace: Workspace, language: str, now: datetime) -> Line:
    return Line(
        ticket,
        (ticket.approval or None) if ticket.content_status is not ContentStatus.PUBLISHED else None,
        name_of(f"member:{ticket.assignee}", workspace, language, masked=call.masked) if ticket.assignee else None,
        ticket.due_at is not None and ticket.due_at < now,
    )


def _url(query: Mapping[str, str]) -> str:
    return f"{DESK}?{urlencode(query)}" if query else DESK
