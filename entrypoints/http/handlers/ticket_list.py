"""The handler of the day's list: the tickets of a workspace, filtered, searched and sorted."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.contacts import ContactIndex
from adapters.search.ticket_search import SearchHashes
from domain.approval import ApprovalState
from domain.desk import LONGEST_LABEL
from domain.errors import FaultCode, ForbiddenError
from domain.members import MemberRole
from domain.values import Kind, Role
from entrypoints.http.handlers.tickets import searched_contacts
from entrypoints.http.operations import Answer, Call
from entrypoints.http.paging import ResultPage, parse_id, requested_page
from entrypoints.http.problems import invalid
from entrypoints.http.query import choice_parameter, day_parameter, id_parameter, parse_time
from entrypoints.presentation.desk import ListedTicket, TicketList
from projections import desk
from projections.desk import Filters, Key, Sort
from projections.model import Row

LONGEST_SEARCH = 200
MOST_LABELS_SEARCHED = 5
NOBODY, ONESELF = "none", "me"
# What finds tickets by what people said or were called.
_SEARCHES = ("q", "label")


@dataclass(frozen=True)
class TicketListHandlers:
    hashes: SearchHashes
    contact_index: ContactIndex

    def list_tickets(self, call: Call) -> Answer[TicketList]:
        require_search_allowed(call)
        page, sort = requested_page(call), choice_parameter(call, "sort", tuple(Sort))
        after, workspace = _after(page, sort), requested_workspace(call)
        filters = _filters(call)

        def query(cursor: Cursor[TupleRow]) -> tuple[list[Row], dict[str, int], int]:
            workspaces = desk.workspaces(cursor) if workspace is None else [workspace]
            rows = [
                row
                for name in workspaces
                for row in desk.page(cursor, name, self._searched(call, name, filters), sort, page.limit + 1, after)
            ]
            return in_order(rows, sort), desk.counts(cursor, workspace), desk.approvals_requested(cursor, workspace)

        rows, counts, approvals_requested = call.reads.ask(query)
        shown = page.cut(rows, lambda row: _cursor_key(row, sort))
        call.cipher.preload_keys([row["ticket_id"] for row in shown])
        personal = call.personal_data()
        listed = [ListedTicket.from_row(row, personal) for row in shown]
        return page.answer(TicketList(listed, counts, approvals_requested, page.next_cursor))

    def _searched(self, call: Call, workspace: str, filters: Filters) -> Filters:
        """Return the filters with the hashes, which each workspace has of its own."""
        text = call.query.get("q", "")
        return replace(
            filters,
            labels=[self.hashes.label(workspace, label) for label in call.query.getlist("label")],
            words=self.hashes.words(workspace, text) if text.strip() else None,
            contacts=[index for contact in searched_contacts(text) for index in self.contact_index.all_of(contact)],
        )


def may_search(call: Call) -> bool:
    """Return False for accountants: who has a contact or a name would learn which masked ticket is that person's."""
    return call.principal.member_role is not MemberRole.ACCOUNTANT


def require_search_allowed(call: Call) -> None:
    """ForbiddenError if the query searches for people, and the caller may not."""
    if not may_search(call) and any(name in call.query for name in _SEARCHES):
        raise ForbiddenError("Accountants do not search for people. They find gifts by their donors instead.")


def requested_workspace(call: Call) -> str | None:
    """Return the workspace of the caller; one that may see all may choose one, or gets None for all of them."""
    chosen = call.query.get("workspace")
    if call.principal.role in (Role.ADMIN, Role.AUDITOR):
        return chosen
    if chosen not in (None, call.principal.workspace):
        raise invalid("/workspace", "must be your own workspace", FaultCode.UNKNOWN_VALUE)
    assert call.principal.workspace is not None
    return call.principal.workspace


def _filters(call: Call) -> Filters:
    """Return the filters of the query without those that need hashes; raise Problem 422 for an invalid one."""
    if len(call.query.get("q", "")) > LONGEST_SEARCH:
        raise invalid("/q", f"must be at most {LONGEST_SEARCH} characters", FaultCode.TOO_LONG)
    labels = call.query.getlist("label")
    if len(labels) > MOST_LABELS_SEARCHED or any(not 1 <= len(label) <= LONGEST_LABEL for label in labels):
        detail = f"must be at most {MOST_LABELS_SEARCHED} labels of 1 to {LONGEST_LABEL} characters"
        raise invalid("/label", detail, FaultCode.OUT_OF_RANGE)
    assignee = call.query.get("assignee")
    own = call.principal.member_id if assignee == ONESELF else None
    return Filters(
        status=choice_parameter(call, "status", desk.STATUSES) if "status" in call.query else None,
        kind=choice_parameter(call, "kind", tuple(Kind)) if "kind" in call.query else None,
        approval=choice_parameter(call, "approval", tuple(ApprovalState)) if "approval" in call.query else None,
        assignee=own or (id_parameter(call, "assignee") if assignee != NOBODY else None),
        unassigned=assignee == NOBODY,
        since=day_parameter(call, "from"),
        until=day_parameter(call, "to", end_of_day=True),
    )


def in_order(rows: list[Row], sort: Sort) -> list[Row]:
    """Return the rows, which are in order within each workspace, in the order of the list."""

    def key(row: Row) -> tuple[bool, object, UUID]:
        value = row[sort.column]
        return value is None, value, row["ticket_id"]

    return sorted(rows, key=key, reverse=sort.startswith("-"))


def _after(page: ResultPage, sort: Sort) -> Key | None:
    def parse(order: str, time: str | None, id: str) -> Key:
        if order != sort:
            raise ValueError
        return None if time is None and sort is Sort.DUE else parse_time(time or ""), parse_id(id)

    return page.after_key(parse)


def _cursor_key(row: Mapping[str, object], sort: Sort) -> list[object]:
    value = row[sort.column]
    return [sort, value and value.isoformat(), str(row["ticket_id"])]  # type: ignore[attr-defined]
