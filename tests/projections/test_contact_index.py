"""The read model that finds a contact's tickets."""

from __future__ import annotations

from uuid import UUID, uuid4

from adapters.postgres.database import Database
from domain.events import ContactChanged, Erased
from projections import contact_index
from tests.domain.facts import HOLDER, fact
from tests.fakes.events import make_event
from tests.projections.conftest import RecordAndFold, opened


def tickets_of(database: Database, index: str, workspace: str | None = None, limit: int = 10) -> list[UUID]:
    with database.transaction() as cursor:
        return [ticket for ticket, _ in contact_index.tickets_of(cursor, [index], workspace, limit)]


def test_tickets_are_found_by_their_contact_newest_first_in_one_workspace_or_all(
    database: Database, record_and_fold: RecordAndFold
):
    first, second, third, other = (uuid4() for _ in range(4))
    for event in (opened(first, "a"), opened(second, "a", "ngo"), opened(third, "a"), opened(other, "g")):
        record_and_fold(event)
    assert tickets_of(database, "a") == [third, second, first]
    assert tickets_of(database, "a", "ngo") == [second]
    assert tickets_of(database, "nobody") == []


def test_a_page_continues_where_the_last_one_ended(database: Database, record_and_fold: RecordAndFold):
    tickets = [uuid4() for _ in range(5)]
    record_and_fold(*(opened(ticket, "a") for ticket in tickets))  # all have the same recording time
    listed: list[UUID] = []
    before = None
    with database.transaction() as cursor:
        while page := contact_index.tickets_of(cursor, ["a"], None, 2, before):
            listed += [ticket for ticket, _ in page]
            before = (page[-1][1], page[-1][0])
    assert sorted(listed) == sorted(tickets)


def test_a_ticket_is_found_by_its_new_contact_and_no_longer_by_the_old(
    database: Database, record_and_fold: RecordAndFold
):
    ada = uuid4()
    record_and_fold(opened(ada, "a"))
    record_and_fold(make_event(ContactChanged, ada, 2, **fact(ContactChanged).fields | {"contact_index": "b"}))
    assert (tickets_of(database, "a"), tickets_of(database, "b")) == ([], [ada])


def test_an_erased_ticket_is_not_found_by_its_contact(database: Database, record_and_fold: RecordAndFold):
    ada = uuid4()
    record_and_fold(opened(ada, "a"))
    record_and_fold(make_event(Erased, ada, 2, actor=HOLDER))
    assert tickets_of(database, "a") == []
