"""The day's list: its pages, filters and counts say what the events say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.event_store.log import EventLog
from adapters.postgres.database import Database
from adapters.read_models.in_memory import folded
from domain.events import TicketEvent
from domain.safety import SafetyReview
from domain.tickets import RecordingTicket
from domain.values import Money
from projections import desk, ticket_status
from projections.desk import Filters, Key, Sort
from projections.model import RecordedEvent, Row
from tests.domain.facts import HOLDER
from tests.examples import examples
from tests.fakes.worlds import DESK_CHANGES, desk_events, donation_events, ticket_events
from tests.projections.conftest import RecordAndFold

GRACE = UUID(int=21)
COMPLETE = {"title": "A roof", "story": "It fell in.", "goal": Money(150_000, "USD"), "beneficiary": "Ada"}
NOW = datetime(2026, 5, 1, tzinfo=UTC)


def ask_for_approval(ticket: RecordingTicket) -> None:
    ticket.edit_draft(HOLDER, COMPLETE)
    ticket.request_publication(HOLDER, True, SafetyReview(), NOW)


TICKET_CHANGES = st.lists(
    st.sampled_from(
        [
            lambda ticket: ticket.rename(HOLDER, "Grace"),
            lambda ticket: ticket.edit_draft(HOLDER, {"title": "A roof"}),
            lambda ticket: ticket.edit_draft(HOLDER, COMPLETE),
            lambda ticket: ticket.edit_draft(HOLDER, {"title": None, "goal": None}),
            ask_for_approval,
        ]
    ),
    max_size=3,
)


@st.composite
def tickets(draw: st.DrawFn) -> Callable[[str], list[TicketEvent]]:
    """Return a function that makes the events of a ticket in a workspace."""
    changes, noted = draw(TICKET_CHANGES), draw(DESK_CHANGES)
    is_paid, is_erased = draw(st.booleans()), draw(st.sampled_from([False, False, False, True]))

    def events(workspace: str) -> list[TicketEvent]:
        ticket_id = uuid4()
        requests = [*changes, *([lambda ticket: ticket.erase(HOLDER)] if is_erased else [])]
        paid = donation_events(ticket_id, 100, ()) if is_paid else []
        return [*ticket_events(ticket_id, requests, workspace), *desk_events(ticket_id, noted, workspace), *paid]

    return events


@pytest.fixture
def workspace() -> str:
    return f"w-{uuid4().hex}"


class Listing:
    """The list of one workspace of a database."""

    def __init__(self, database: Database, workspace: str) -> None:
        self.database, self.workspace = database, workspace

    def page(self, sort: Sort = Sort.OLDEST, limit: int = 100, after: Key | None = None, **filters: Any) -> list[Row]:
        with self.database.reading() as cursor:
            return desk.page(cursor, self.workspace, Filters(**filters), sort, limit, after)

    def pages(self, sort: Sort, limit: int, between: Callable[[], object] = lambda: None, **filters: Any) -> list[UUID]:
        """Return the tickets of all pages; `between` is called after each page."""
        ticket_ids: list[UUID] = []
        after: Key | None = None
        while rows := self.page(sort, limit, after, **filters):
            ticket_ids += [row["ticket_id"] for row in rows]
            after = rows[-1][sort.column], rows[-1]["ticket_id"]
            between()
        return ticket_ids

    def counts(self) -> dict[str, int]:
        with self.database.reading() as cursor:
            return {status: n for status, n in desk.counts(cursor, self.workspace).items() if n}


def in_order(rows: Sequence[Row], sort: Sort) -> list[UUID]:
    far = datetime.max.replace(tzinfo=UTC)
    ordered = sorted(rows, key=lambda row: (row[sort.column] or far, row["ticket_id"]), reverse=sort.startswith("-"))
    return [row["ticket_id"] for row in ordered]


@given(histories=st.lists(tickets(), max_size=8), limit=st.integers(1, 5))
@examples(8)
def test_the_list_and_its_counts_are_a_fold_of_the_events(
    database: Database,
    record_and_fold: RecordAndFold,
    histories: list[Callable[[str], list[TicketEvent]]],
    limit: int,
):
    listing = Listing(database, f"w-{uuid4().hex}")
    for history in histories:
        record_and_fold(*history(listing.workspace))
    recorded = [
        RecordedEvent(stored.position, stored.recorded_at, stored.event())
        for stored in EventLog(database).batch(0, 1_000_000)
    ]
    rows = [row for row in folded(ticket_status, recorded).all(desk.LISTED) if row["workspace"] == listing.workspace]
    for sort in Sort:
        assert listing.pages(sort, limit) == in_order(rows, sort)
    assert listing.counts() == Counter(row["status"] for row in rows)
    for status in desk.STATUSES:
        expected = [row for row in rows if row["status"] == status]
        assert listing.pages(Sort.NEWEST, limit, status=status) == in_order(expected, Sort.NEWEST)
    waiting = [row for row in rows if row["approval"] == "requested"]
    assert listing.pages(Sort.NEWEST, limit, approval="requested") == in_order(waiting, Sort.NEWEST)
    with database.reading() as cursor:
        assert desk.approvals_requested(cursor, listing.workspace) == len(waiting)
    assert listing.pages(Sort.DUE, limit, assignee=GRACE) == in_order(
        [row for row in rows if row["assignee"] == GRACE], Sort.DUE
    )
    assert listing.pages(Sort.DUE, limit, unassigned=True) == in_order(
        [row for row in rows if row["assignee"] is None], Sort.DUE
    )


@given(sort=st.sampled_from(Sort), limit=st.integers(1, 4), number=st.integers(0, 9), more=st.integers(0, 3))
@examples(8)
def test_pages_neither_skip_nor_repeat_a_ticket_while_others_are_opened(
    database: Database, record_and_fold: RecordAndFold, sort: Sort, limit: int, number: int, more: int
):
    listing = Listing(database, f"w-{uuid4().hex}")

    def open_tickets(count: int) -> list[UUID]:
        ids = [uuid4() for _ in range(count)]
        record_and_fold(*(event for ticket_id in ids for event in ticket_events(ticket_id, [], listing.workspace)))
        return ids

    present = open_tickets(number)
    added: list[UUID] = []

    def add_some() -> None:
        # Only so often, because the oldest first would otherwise go on without an end.
        if len(added) < 6:
            added.extend(open_tickets(more))

    ticket_ids = listing.pages(sort, limit, add_some)
    assert len(set(ticket_ids)) == len(ticket_ids)
    assert set(present) <= set(ticket_ids) <= {*present, *added}


def test_a_page_has_what_is_shown_of_each_ticket(database: Database, record_and_fold: RecordAndFold, workspace: str):
    ticket_id = uuid4()
    record_and_fold(
        *ticket_events(ticket_id, [lambda ticket: ticket.edit_draft(HOLDER, COMPLETE)], workspace),
        *donation_events(ticket_id, 2_500, ()),
        *desk_events(ticket_id, [lambda noted: noted.set_labels(HOLDER, ["roof"])], workspace),
    )
    listing = Listing(database, workspace)
    [row] = listing.page()
    assert (row["status"], row["content_status"], row["labels"]) == ("PAYMENT_RECEIVED", "READY", ["roof"])
    assert (row["display_name"], row["title"], row["suspended"]) == ("Ada", "A roof", False)
    assert (row["goal"], row["paid"], row["paid_currency"]) == ({"minor": 150_000, "currency": "USD"}, 2_500, "USD")
    with database.reading() as cursor:
        assert desk.listed(cursor, ticket_id) == row
        assert desk.listed(cursor, uuid4()) is None
        assert workspace in desk.workspaces(cursor)
    day = timedelta(days=1)
    assert listing.page(since=row["created_at"], until=row["created_at"] + day) == [row]
    assert listing.page(until=row["created_at"]) == listing.page(since=row["created_at"] + day) == []


def test_a_note_of_the_staff_does_not_count_as_an_update(
    database: Database, record_and_fold: RecordAndFold, workspace: str
):
    ticket_id = uuid4()
    record_and_fold(*ticket_events(ticket_id, [], workspace))
    [before] = Listing(database, workspace).page()
    record_and_fold(*desk_events(ticket_id, [lambda noted: noted.assign(HOLDER, GRACE)], workspace))
    [after] = Listing(database, workspace).page()
    assert (before["assignee"], after["assignee"]) == (None, GRACE)
    assert after["updated_at"] == before["updated_at"]


def test_an_erased_ticket_is_neither_listed_nor_counted(
    database: Database, record_and_fold: RecordAndFold, workspace: str
):
    ticket_id, listing = uuid4(), Listing(database, workspace)
    events = ticket_events(ticket_id, [lambda ticket: ticket.erase(HOLDER)], workspace)
    record_and_fold(*events[:1])
    assert listing.counts() == {"DRAFT": 1}
    record_and_fold(*events[1:], *desk_events(ticket_id, [lambda noted: noted.assign(HOLDER, GRACE)], workspace))
    assert (listing.counts(), listing.page()) == ({}, [])


def test_a_ticket_is_due_until_its_assignee_was_reminded(
    database: Database, record_and_fold: RecordAndFold, workspace: str
):
    ticket_id, noon = uuid4(), datetime(2026, 5, 4, 12, tzinfo=UTC)
    events = desk_events(
        ticket_id,
        [
            lambda noted: noted.assign(HOLDER, GRACE),
            lambda noted: noted.set_due_date(HOLDER, noon),
            lambda noted: noted.remind(HOLDER, noon),
        ],
        workspace,
    )
    record_and_fold(*ticket_events(ticket_id, [], workspace), *events[:-1])

    def due(now: datetime) -> list[UUID]:
        with database.reading() as cursor:
            return [due_id for due_id in desk.due(cursor, now, 1_000) if due_id == ticket_id]

    assert (due(noon - timedelta(seconds=1)), due(noon)) == ([], [ticket_id])
    record_and_fold(events[-1])
    assert due(noon) == []
