"""Tickets are found by sealed texts: by keyed hashes that change with the events and go with the person."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from adapters.encryption.field_cipher import is_sealed
from adapters.search.ticket_search import SearchHashes
from domain.tickets import NewTicket, RecordingTicket
from domain.values import SYSTEM, Contact, ContactType
from entrypoints.composition.service import Service
from projections import desk
from projections.desk import Filters, Sort
from projections.model import Row
from tests.domain.facts import HOLDER
from tests.money import Ledger

OLDER, NEWER = "older pepper" * 4, "newer pepper" * 4


def open_ticket(service: Service, name: str = "Ada Lovelace", workspace: str = "shelter") -> UUID:
    contact, ticket_id = Contact(ContactType.EMAIL, f"{uuid4().hex}@example.com"), uuid4()
    index = service.access.contact_index.of(contact)
    new = NewTicket(ticket_id, workspace, ticket_id.hex[:12], contact, index, name, "digest")
    service.aggregates.tickets.add(RecordingTicket.open(HOLDER, new))
    return ticket_id


def found(service: Service, text: str = "", workspace: str = "shelter", label: str = "") -> set[UUID]:
    Ledger(service).follow()
    hashes = service.aggregates.search.hashes
    filters = Filters(
        words=hashes.words(workspace, text) if text else None,
        labels=[hashes.label(workspace, label)] if label else [],
    )
    with service.database.reading() as cursor:
        return {row["ticket_id"] for row in desk.page(cursor, workspace, filters, Sort.NEWEST, 100)}


def stored(service: Service) -> str:
    return repr(service.database.rows("SELECT * FROM ticket_search ORDER BY 1, 2"))


def test_a_ticket_is_found_by_its_present_name_and_title(service: Service):
    ticket_id = open_ticket(service)
    tickets = service.aggregates.tickets
    assert (found(service, "lovelace"), found(service, "LOVE ada"), found(service, "grace")) == (
        {ticket_id}, {ticket_id}, set(),
    )  # fmt: skip
    tickets.change(ticket_id, lambda ticket: ticket.rename(HOLDER, "Grace"))
    tickets.change(ticket_id, lambda ticket: ticket.edit_draft(HOLDER, {"title": "Un toit pour l'été"}))
    assert (found(service, "grace ete"), found(service, "lovelace")) == ({ticket_id}, set())
    assert "grace" not in stored(service).lower()


def test_a_ticket_is_found_by_its_labels_in_any_case(service: Service):
    ticket_id = open_ticket(service)
    open_ticket(service)
    service.commands.desk.change(SYSTEM, ticket_id, {"labels": ["Call back", "roof"]})
    assert found(service, label="call  BACK") == {ticket_id}
    assert found(service, "ada", label="roof") == {ticket_id}
    service.commands.desk.change(SYSTEM, ticket_id, {"labels": ["roof"]})
    assert found(service, label="call back") == set()
    Ledger(service).follow()
    [(labels,)] = service.database.rows("SELECT labels FROM read.desk_tickets WHERE ticket_id = %s", (ticket_id,))
    assert is_sealed(labels[0])


def test_every_way_of_searching_finds_the_same_tickets(service: Service, monkeypatch: pytest.MonkeyPatch):
    named = {number: open_ticket(service, "Ada Moss" if number % 2 else "Grace") for number in range(12)}
    with_label = [ticket_id for number, ticket_id in named.items() if number % 3 == 0]
    for ticket_id in with_label:
        service.commands.desk.change(SYSTEM, ticket_id, {"labels": ["roof", "urgent"]})
    Ledger(service).follow()
    hashes, contact_index = service.aggregates.search.hashes, service.access.contact_index
    contacts = contact_index.all_of(service.aggregates.tickets.get(named[0]).contact)
    words, labels = hashes.words("shelter", "moss"), [hashes.label("shelter", label) for label in ("roof", "urgent")]
    ada = [ticket_id for number, ticket_id in named.items() if number % 2]
    expected: list[tuple[Filters, list[UUID]]] = [
        (Filters(words=words), ada),
        (Filters(labels=labels), with_label),
        (Filters(labels=labels, words=words), [named[3], named[9]]),
        (Filters(words=words, contacts=contacts), [named[0], *ada]),
        (Filters(words=[], contacts=contacts), [named[0]]),
        (Filters(words=[]), []),
        (Filters(words=words, unassigned=True, until=datetime.now(UTC) - timedelta(days=1)), []),
        (Filters(words=hashes.words("shelter", "zebedee")), []),
    ]
    # Only the first tickets are looked at, then as many as a page needs, then the texts are looked up, then all are.
    for walked_first, promising, most_looked_up in ((100, 2, 100), (3, 1, 100), (1, 2, 100), (1, 2, 0)):
        monkeypatch.setattr(desk, "WALKED_FIRST", walked_first)
        monkeypatch.setattr(desk, "PROMISING", promising)
        monkeypatch.setattr(desk, "MOST_LOOKED_UP", most_looked_up)
        for sort in (Sort.OLDEST, Sort.NEWEST, Sort.DUE):
            for filters, tickets in expected:
                in_order = sorted(tickets) if sort is Sort.DUE else tickets[:: -1 if sort is Sort.NEWEST else 1]
                assert pages(service, filters, sort) == in_order


def pages(service: Service, filters: Filters, sort: Sort) -> list[UUID]:
    """Return the tickets of all pages of two."""
    listed: list[Row] = []
    with service.database.reading() as cursor:
        while page := desk.page(
            cursor, "shelter", filters, sort, 2, (listed[-1][sort.column], listed[-1]["ticket_id"]) if listed else None
        ):
            listed += page
    return [row["ticket_id"] for row in listed]


def test_equal_words_have_different_hashes_in_each_workspace(service: Service):
    first, second = open_ticket(service), open_ticket(service, workspace="radio")
    rows = dict(service.database.rows("SELECT ticket_id, hashes FROM ticket_search"))
    assert set(rows[first]).isdisjoint(rows[second])
    assert (found(service, "ada"), found(service, "ada", "radio")) == ({first}, {second})


def test_the_hashes_of_a_person_are_deleted_with_the_person(service: Service):
    ticket_id = open_ticket(service)
    service.commands.desk.change(SYSTEM, ticket_id, {"labels": ["roof"]})
    service.commands.tickets.erase(HOLDER, ticket_id)
    assert stored(service) == "[]"


def test_a_run_of_the_chore_indexes_tickets_that_were_opened_before(service: Service):
    tickets = {open_ticket(service) for _ in range(3)}
    service.database.execute("DELETE FROM ticket_search")
    assert found(service, "ada") == set()
    assert service.jobs.search_indexing.left() == 3
    assert service.jobs.search_indexing.index(2) == 2
    service.jobs.search_indexing.run()
    assert (service.jobs.search_indexing.left(), found(service, "ada")) == (0, tickets)


def test_an_older_version_never_replaces_the_hashes_of_a_newer_one(service: Service):
    ticket_id = open_ticket(service)
    older = service.aggregates.tickets.get(ticket_id)
    service.aggregates.tickets.change(ticket_id, lambda ticket: ticket.rename(HOLDER, "Grace"))
    with service.database.transaction() as cursor:
        service.aggregates.search.keep_ticket(cursor, older)
    assert (found(service, "grace"), found(service, "lovelace")) == ({ticket_id}, set())


def test_hashes_of_an_older_pepper_are_found_and_renewed(make_service: Callable[..., Service]):
    older = make_service(email_pepper=(OLDER,))
    ticket_id = open_ticket(older)
    older.commands.desk.change(SYSTEM, ticket_id, {"labels": ["roof"]})
    newer = make_service(email_pepper=(NEWER, OLDER))
    assert found(newer, "love", label="roof") == {ticket_id}
    before = stored(newer)
    renewed = {rotated.name: (rotated.done, rotated.left) for rotated in newer.jobs.key_rotation.run()}
    assert renewed["search"] == (1, 0)
    assert stored(newer) != before
    only_new = make_service(email_pepper=(NEWER,))
    assert found(only_new, "love", label="roof") == {ticket_id}


def test_a_text_without_a_word_finds_nothing():
    hashes = SearchHashes((NEWER,))
    assert hashes.words("shelter", "!?") == []
    assert hashes.label("shelter", "roof") != hashes.words("shelter", "roof")
