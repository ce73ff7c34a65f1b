"""Look-ups: the documents of a ticket, and the tickets of a contact."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest

import projections
from adapters.event_store.log import EventLog
from adapters.postgres.database import Database, connect
from adapters.read_models.follower import Follower
from domain.events import ContactChanged, DocumentGenerated, Erased, TicketEvent, TicketOpened
from domain.values import DocumentFormat, DocumentType
from projections import contact_index, documents
from tests.domain.facts import HOLDER, WORDS, fact
from tests.fakes.events import made
from tests.fakes.worlds import record

Happen = Callable[..., None]


@pytest.fixture
def happen(database: Database) -> Happen:
    """Records events and lets the read models see them."""

    def happen(*events: TicketEvent) -> None:
        record(EventLog(database), events)
        with connect(database.url) as connection:
            follower = Follower(database.url, projections.ALL)
            while follower.fold_next_batch(connection):
                pass

    return happen


def opened(ticket: UUID, index: str, workspace: str = "public") -> TicketEvent:
    told = fact(TicketOpened).told | {"contact_index": index, "workspace": workspace, "slug": ticket.hex[:12]}
    return made(TicketOpened, ticket, 1, **told)


def document(ticket: UUID, version: int, number: int) -> TicketEvent:
    return made(
        DocumentGenerated,
        ticket,
        version,
        actor=HOLDER,
        document_id=UUID(int=number),
        type=DocumentType.OTHER,
        format=DocumentFormat.PDF,
        content=WORDS,
    )


# Documents.


def listed(database: Database, ticket: UUID) -> list[int]:
    with database.transaction() as cursor:
        return [row["document_id"].int for row in documents.documents(cursor, ticket)]


def test_documents_are_listed_newest_first(database: Database, happen: Happen):
    ada, grace = uuid4(), uuid4()
    happen(opened(ada, "a"), opened(grace, "g"), document(ada, 2, 1), document(grace, 2, 9), document(ada, 3, 2))
    assert listed(database, ada) == [2, 1]
    with database.transaction() as cursor:
        found = documents.document(cursor, ada, UUID(int=1))
        assert found is not None
        assert (found["sha256"], found["size_bytes"], found["format"]) == (WORDS.sha256, WORDS.size_bytes, "pdf")
        assert documents.document(cursor, grace, UUID(int=1)) is None


def test_an_erased_tickets_documents_are_gone_also_those_of_earlier_pages(database: Database, happen: Happen):
    ada, grace = uuid4(), uuid4()
    happen(opened(ada, "a"), opened(grace, "g"), document(ada, 2, 1), document(grace, 2, 9))
    happen(document(ada, 3, 2), made(Erased, ada, 4, actor=HOLDER))
    assert (listed(database, ada), listed(database, grace)) == ([], [9])


# Contacts.


def found(database: Database, index: str, workspace: str | None = None, limit: int = 10) -> list[UUID]:
    with database.transaction() as cursor:
        return [ticket for ticket, _ in contact_index.tickets_of(cursor, [index], workspace, limit)]


def test_tickets_are_found_by_their_contact_newest_first_in_one_workspace_or_all(database: Database, happen: Happen):
    first, second, third, other = (uuid4() for _ in range(4))
    for event in (opened(first, "a"), opened(second, "a", "ngo"), opened(third, "a"), opened(other, "g")):
        happen(event)
    assert found(database, "a") == [third, second, first]
    assert found(database, "a", "ngo") == [second]
    assert found(database, "nobody") == []


def test_a_page_goes_on_where_the_last_one_ended(database: Database, happen: Happen):
    tickets = [uuid4() for _ in range(5)]
    happen(*(opened(ticket, "a") for ticket in tickets))  # recorded in the same moment
    seen: list[UUID] = []
    before = None
    with database.transaction() as cursor:
        while page := contact_index.tickets_of(cursor, ["a"], None, 2, before):
            seen += [ticket for ticket, _ in page]
            before = (page[-1][1], page[-1][0])
    assert sorted(seen) == sorted(tickets)


def test_a_ticket_is_found_by_its_new_contact_and_no_more_by_the_old(database: Database, happen: Happen):
    ada = uuid4()
    happen(opened(ada, "a"))
    happen(made(ContactChanged, ada, 2, **fact(ContactChanged).told | {"contact_index": "b"}))
    assert (found(database, "a"), found(database, "b")) == ([], [ada])


def test_an_erased_ticket_is_found_by_nothing(database: Database, happen: Happen):
    ada = uuid4()
    happen(opened(ada, "a"))
    happen(made(Erased, ada, 2, actor=HOLDER))
    assert found(database, "a") == []
