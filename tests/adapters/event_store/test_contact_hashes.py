"""Contacts are found by a hash that no event shows."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from adapters.encryption.field_cipher import FieldContext
from adapters.event_store import codec
from adapters.event_store.history import SealingMapper
from adapters.event_store.log import NewEntry
from domain.commands.support import HelpRequest
from domain.events import ContactReindexed
from domain.tickets import NewTicket
from domain.values import SYSTEM, Contact, ContactType, SupportCategory
from entrypoints.composition.service import Service
from projections import contact_index
from tests.fakes.events import make_event
from tests.money import Ledger

CONTACT = Contact(ContactType.EMAIL, "ada@example.com")


def open_ticket(service: Service) -> UUID:
    ticket, index = uuid4(), service.access.contact_index.of(CONTACT)
    service.commands.tickets.open(
        SYSTEM, NewTicket(ticket, "public", ticket.hex[:12], CONTACT, index, "Ada", ticket.hex)
    )
    Ledger(service).follow()
    return ticket


def ask(service: Service) -> UUID:
    """Open a support ticket that names no ticket."""
    support_id, index = uuid4(), service.access.contact_index.of(CONTACT)
    request = HelpRequest(support_id, SupportCategory.OTHER, "Help", None, False, CONTACT, index)
    service.commands.support.open(SYSTEM, request)
    return support_id


def tickets_of_contact(service: Service) -> list[UUID]:
    with service.database.reading() as cursor:
        tickets = contact_index.tickets_of(cursor, service.access.contact_index.all_of(CONTACT), None, 10)
    return [ticket for ticket, _ in tickets]


def hashes(service: Service) -> int:
    row = service.database.row("SELECT count(*) FROM contact_hashes")
    assert row is not None
    return int(row[0])


def test_the_hash_by_which_a_contact_is_found_is_in_no_event(service: Service):
    ticket = open_ticket(service)
    ask(service)
    assert tickets_of_contact(service) == [ticket]
    assert service.aggregates.tickets.get(ticket).contact_index == service.access.contact_index.of(CONTACT)
    digest = service.access.contact_index.of(CONTACT).partition(":")[2].encode()
    states = [bytes(state) for (state,) in service.database.rows("SELECT state FROM events")]
    assert len(states) == 2
    assert not any(digest in state for state in states)


def test_an_event_of_an_earlier_version_with_the_hash_in_clear_still_loads(service: Service):
    ticket = open_ticket(service)
    event = make_event(ContactReindexed, ticket, 2, actor=SYSTEM, contact_index="in clear")
    service.history.log.append([NewEntry(ticket, 2, event.TOPIC, codec.encode(event), ticket)])
    assert service.aggregates.tickets.get(ticket).contact_index == "in clear"


def test_a_hash_moved_to_another_event_does_not_open(service: Service):
    ticket = open_ticket(service)
    elsewhere = FieldContext(ticket, 9, ContactReindexed.TOPIC, "contact_index")
    sealed = service.history.cipher.seal(ticket, elsewhere, "hash")
    event = make_event(ContactReindexed, ticket, 2, actor=SYSTEM, contact_index=sealed)
    service.history.log.append([NewEntry(ticket, 2, event.TOPIC, codec.encode(event), ticket)])
    [_, entry] = service.history.log.stream(ticket)
    with pytest.raises(Exception, match="another context"):
        SealingMapper(service.history.cipher).to_domain_event(entry)


def test_an_interrupted_erasure_still_finds_the_support_tickets_of_the_contact_and_then_deletes_the_hashes(
    service: Service, monkeypatch: pytest.MonkeyPatch
):
    ticket, support_id = open_ticket(service), ask(service)

    def crash(_: UUID) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(service.commands.tickets.erasure, "complete", crash)
        with pytest.raises(SystemExit):
            service.commands.tickets.erase(SYSTEM, ticket)
    Ledger(service).follow()
    assert tickets_of_contact(service) == []
    assert hashes(service) == 2
    # The erasure job.
    service.commands.tickets.finish_erasure(ticket)
    assert service.aggregates.support.get(support_id).erased
    assert hashes(service) == 0
