"""Support tickets are stored and found in the same way by the history and by the fake in memory."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

import projections
from adapters.event_store import contact_hashes
from adapters.event_store.history import Streams
from adapters.event_store.support_tickets import StoredSupportTickets
from adapters.jobs.queue import enqueue
from adapters.postgres.database import Database, connect
from adapters.read_models.follower import Follower
from domain.errors import NotFoundError
from domain.ports import SupportTickets
from domain.support import SupportTicket
from domain.values import SupportCategory
from tests.domain.facts import CONTACT, HOLDER
from tests.fakes.stores import MemorySupportTickets, MemoryTickets
from tests.fakes.worlds import opened
from tests.stores import Stores


@pytest.fixture
def stores(database: Database) -> Stores:
    return Stores(database)


@pytest.fixture(params=["stored", "in memory"])
def support(request: pytest.FixtureRequest) -> SupportTickets:
    """Return each implementation in turn. The read model has none of the stored support tickets yet."""
    if request.param == "in memory":
        return MemorySupportTickets()
    return stored(request.getfixturevalue("stores"), request.getfixturevalue("database"))


def stored(stores: Stores, database: Database) -> StoredSupportTickets:
    streams = Streams(stores.history, enqueue, stores.recorded.append, contact_hashes.EFFECTS)
    return StoredSupportTickets(streams, database, stores.log)


def open_ticket(
    support: SupportTickets, about: UUID | None = None, index: str = "index", ticket: UUID | None = None
) -> UUID:
    support_id = uuid4()
    support.add(
        SupportTicket.open(
            HOLDER,
            support_id,
            ticket_id=ticket or support_id,
            category=SupportCategory.OTHER,
            message="Help",
            about=about,
            contact=CONTACT,
            contact_index=index,
        )
    )
    return support_id


def test_an_opened_support_ticket_is_stored_once_however_often_it_is_opened(support: SupportTickets):
    opened = SupportTicket.open(
        HOLDER,
        id := uuid4(),
        ticket_id=id,
        category=SupportCategory.PAYMENT,
        message="Help",
        about=None,
        contact=None,
        contact_index=None,
    )
    support.add(opened)
    support.change(id, lambda found_ticket: found_ticket.resolve(HOLDER))
    reopened = SupportTicket.open(
        HOLDER,
        id,
        ticket_id=id,
        category=SupportCategory.OTHER,
        message="Other",
        about=None,
        contact=None,
        contact_index=None,
    )
    support.add(reopened)
    loaded = support.get(id)
    assert (loaded.category, loaded.resolved, loaded.has_own_key) == (SupportCategory.PAYMENT, True, True)


def test_a_support_ticket_that_was_never_opened_is_not_found(support: SupportTickets):
    for method in (support.get, lambda id: support.change(id, lambda found_ticket: found_ticket.resolve(HOLDER))):
        with pytest.raises(NotFoundError):
            method(uuid4())


def test_support_tickets_about_a_ticket_or_from_its_contact_are_found_without_the_read_model(support: SupportTickets):
    ada, grace = uuid4(), uuid4()
    about_ticket, from_contact = open_ticket(support, ada, "other"), open_ticket(support, None, "adas")
    about_none = open_ticket(support, uuid4(), "adas")
    open_ticket(support, grace, "graces"), open_ticket(support, None, "")
    assert support.concerning(ada, ["adas", "older"]) == [about_ticket, from_contact, about_none]
    assert support.concerning(uuid4(), []) == []


def test_an_erased_support_ticket_is_not_found(support: SupportTickets):
    ada = uuid4()
    erased_id, other_id = open_ticket(support, ada), open_ticket(support, ada)
    support.change(erased_id, lambda found_ticket: found_ticket.erase(HOLDER))
    ids = support.concerning(ada, [])
    assert other_id in ids
    support.change(other_id, lambda found_ticket: found_ticket.erase(HOLDER))
    assert support.get(other_id).erased


def test_a_ticket_is_not_a_support_ticket(stores: Stores, database: Database):
    ticket, memory = opened(uuid4()), MemoryTickets()
    stores.tickets.add(ticket)
    memory.add(opened(ticket.id))
    kinds: list[SupportTickets] = [stored(stores, database), MemorySupportTickets(memory.streams)]
    for support in kinds:
        with pytest.raises(NotFoundError):
            support.get(ticket.id)
        with pytest.raises(NotFoundError):
            support.change(ticket.id, lambda found_ticket: found_ticket.resolve(HOLDER))


def test_support_tickets_of_the_read_model_are_found_once_and_in_order(stores: Stores, database: Database):
    support, ada = stored(stores, database), uuid4()
    early = open_ticket(support, ada)
    with connect(database.url) as connection:
        follower = Follower(database.url, projections.ALL)
        while follower.fold_next_batch(connection):
            pass
    late = open_ticket(support, ada)
    assert support.concerning(ada, []) == [early, late]
    belongs_to_another: Any = open_ticket(stored(stores, database), None, "adas")
    assert support.concerning(ada, ["adas"]) == [early, late, belongs_to_another]
