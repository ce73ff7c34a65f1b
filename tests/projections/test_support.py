"""The read model of support tickets."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from adapters.postgres.database import Database
from adapters.read_models.in_memory import folded
from domain.events import (
    SupportAssigned,
    SupportAuthorReplied,
    SupportReplied,
    SupportTicketErased,
    SupportTicketOpened,
    SupportTicketResolved,
    SupportUnassigned,
    TicketEvent,
)
from domain.values import Contact, ContactType, SupportCategory, SupportStatus
from projections import support
from projections.model import Row
from tests.domain.facts import HOLDER, TICKET
from tests.fakes.events import START, log_entries, make_event
from tests.projections.conftest import RecordAndFold

FIRST, SECOND, THIRD = UUID(int=1), UUID(int=2), UUID(int=3)
CONTACT = Contact(ContactType.EMAIL, "grace@example.com")


def opened(support_id: UUID, **fields: Any) -> TicketEvent:
    """Return the opening of a support ticket, sealed with its own key unless `ticket_id` names another ticket."""
    usual = {"ticket_id": support_id, "category": SupportCategory.OTHER, "message": "Please call me."}
    return make_event(SupportTicketOpened, support_id, 1, actor=HOLDER, **usual | fields)


def second_event(kind: type[TicketEvent], support_id: UUID, version: int = 2, **fields: Any) -> TicketEvent:
    return make_event(kind, support_id, version, actor=HOLDER, ticket_id=support_id, **fields)


def rows_after(*events: TicketEvent) -> list[Row]:
    return folded(support, log_entries(*events)).all(support.SUPPORT_TICKETS)


def test_an_opened_support_ticket_is_a_row_with_its_sealed_message_and_contact():
    [row] = rows_after(opened(FIRST, about=TICKET, contact=CONTACT, contact_index="g"))
    assert (row["support_id"], row["ticket_id"], row["about"]) == (FIRST, FIRST, TICKET)
    assert (row["message"], row["contact_type"], row["contact"]) == ("Please call me.", "EMAIL", "grace@example.com")
    assert (row["status"], row["created_at"]) == (SupportStatus.OPEN, START + timedelta(minutes=1))


def test_a_resolved_support_ticket_keeps_its_message_and_the_time_of_its_resolution():
    [row] = rows_after(opened(FIRST), second_event(SupportTicketResolved, FIRST))
    assert (row["status"], row["message"]) == (SupportStatus.RESOLVED, "Please call me.")
    assert row["resolved_at"] - row["created_at"] == timedelta(minutes=1)


def test_an_erased_support_ticket_keeps_no_message_and_no_contact():
    [row] = rows_after(opened(FIRST, contact=CONTACT, contact_index="g"), second_event(SupportTicketErased, FIRST))
    assert row["erased"] is True
    assert {row[name] for name in ("message", "contact_type", "contact")} == {None}


def test_events_of_a_support_ticket_that_was_never_opened_are_ignored():
    assert rows_after(second_event(SupportTicketResolved, FIRST)) == []


def test_support_tickets_are_listed_newest_first_in_pages(database: Database, record_and_fold: RecordAndFold):
    for support_id in (FIRST, SECOND, THIRD):
        record_and_fold(opened(support_id))
    with database.reading() as cursor:
        page = support.recent(cursor, 2)
        next_page = support.recent(cursor, 2, (page[-1]["asked_at"], page[-1]["support_id"]))
    assert [row["support_id"] for row in page + next_page] == [THIRD, SECOND, FIRST]


def test_a_ticket_has_the_support_tickets_about_it(database: Database, record_and_fold: RecordAndFold):
    record_and_fold(opened(FIRST, about=TICKET), opened(SECOND))
    with database.reading() as cursor:
        assert [row["support_id"] for row in support.about(cursor, TICKET)] == [FIRST]


def test_a_person_has_the_support_tickets_about_their_ticket_and_those_from_their_contact(
    database: Database, record_and_fold: RecordAndFold
):
    of_another_ticket = UUID(int=4)
    record_and_fold(
        opened(FIRST, about=TICKET),
        opened(SECOND, contact=CONTACT, contact_index="g"),
        opened(THIRD, contact=CONTACT, contact_index="someone else"),
        opened(of_another_ticket, ticket_id=UUID(int=9), contact=CONTACT, contact_index="g"),
    )
    with database.reading() as cursor:
        assert [row["support_id"] for row in support.concerning(cursor, TICKET, ["g"])] == [FIRST, SECOND]
    record_and_fold(second_event(SupportTicketErased, SECOND))
    with database.reading() as cursor:
        assert [row["support_id"] for row in support.concerning(cursor, TICKET, ["g"])] == [FIRST]


def test_the_replies_of_both_sides_are_kept_in_their_order_and_the_author_opens_the_request_again():
    [row] = rows_after(
        opened(FIRST),
        second_event(SupportReplied, FIRST, 2, reply_id=SECOND, text="Mended."),
        second_event(SupportTicketResolved, FIRST, 3),
        second_event(SupportAuthorReplied, FIRST, 4, reply_id=THIRD, text="Not yet."),
    )
    assert [(reply["text"], reply["by_author"]) for reply in row["replies"]] == [("Mended.", False), ("Not yet.", True)]
    assert (row["status"], row["resolved_at"]) == (SupportStatus.OPEN, None)
    assert row["asked_at"] - row["created_at"] == timedelta(minutes=3)


def test_support_tickets_are_filtered_and_the_one_whose_author_wrote_last_comes_first(
    database: Database, record_and_fold: RecordAndFold
):
    for event in (
        opened(FIRST, category=SupportCategory.PAYMENT),
        opened(SECOND),
        second_event(SupportAssigned, SECOND, assignee=TICKET),
        opened(THIRD),
        second_event(SupportAssigned, THIRD, assignee=TICKET),
        second_event(SupportUnassigned, THIRD, 3),
        second_event(SupportAuthorReplied, FIRST, reply_id=TICKET, text="Again."),
    ):
        record_and_fold(event)
    chosen = {
        support.Filters(): [FIRST, THIRD, SECOND],
        support.Filters(category=SupportCategory.PAYMENT): [FIRST],
        support.Filters(assignee=TICKET): [SECOND],
        support.Filters(unassigned=True): [FIRST, THIRD],
        support.Filters(ticket_id=THIRD): [THIRD],
        support.Filters(status=SupportStatus.RESOLVED): [],
        support.Filters(workspace="public", unassigned=True, category=SupportCategory.OTHER): [THIRD],
    }
    with database.reading() as cursor:
        ids_by_filter = {f: [row["support_id"] for row in support.recent(cursor, 9, filters=f)] for f in chosen}
    assert ids_by_filter == chosen
