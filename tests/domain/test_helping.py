"""Helping people: whose words they are decides which key seals them and when they are forgotten."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from domain.helping import Help, Helping
from domain.support import SupportTicket
from domain.values import Actor, Contact, ContactType, Role, SupportCategory
from tests.domain.facts import CONTACT, HOLDER
from tests.fakes.stores import MemoryContents, MemorySupportTickets, MemoryTickets
from tests.fakes.worlds import opened

ADMIN = Actor(Role.ADMIN, "key")
GRACE = Contact(ContactType.EMAIL, "grace@example.com")


def index(contact: Contact) -> str:
    return f"index of {contact.value}"


@pytest.fixture
def helping() -> Helping:
    return Helping(MemoryTickets(), MemorySupportTickets(), MemoryContents(), lambda contact: [index(contact)])


def ticket(helping: Helping) -> UUID:
    made = opened(uuid4())
    helping.tickets.add(made)
    return made.id


def ask(
    helping: Helping, about: UUID | None = None, *, known: bool = False, contact: Contact | None = None
) -> SupportTicket:
    support_id = uuid4()
    told = index(contact) if contact else None
    helping.ask(HOLDER, Help(support_id, SupportCategory.PROFILE_RESET, "Help", about, known, contact, told))
    return helping.support.get(support_id)


def forgotten(helping: Helping) -> set[UUID]:
    assert isinstance(helping.contents, MemoryContents)
    return helping.contents.forgotten


def test_words_are_sealed_with_the_key_of_the_ticket_that_whoever_asks_belongs_to(helping: Helping):
    ada = ticket(helping)
    assert not ask(helping, ada, known=True).own_key
    assert ask(helping, ada, known=False).own_key
    assert ask(helping, None).own_key


def test_resolving_again_changes_nothing(helping: Helping):
    support = ask(helping)
    for _ in range(2):
        helping.resolve(ADMIN, support.id)
    assert (helping.support.get(support.id).resolved, helping.support.get(support.id).version) == (True, 2)


def test_forgetting_destroys_the_keys_of_what_has_its_own_and_notes_all_that_is_gone(helping: Helping):
    ada = ticket(helping)
    mine, named, loose = ask(helping, ada, known=True), ask(helping, ada), ask(helping, contact=CONTACT)
    other = ask(helping, contact=GRACE)
    for _ in range(2):
        helping.forget(HOLDER, helping.tickets.get(ada))
    assert forgotten(helping) == {named.id, loose.id}
    assert [helping.support.get(one.id).erased for one in (mine, named, loose, other)] == [True, True, True, False]
    assert helping.support.get(named.id).version == 2


def test_what_was_written_from_an_earlier_contact_is_forgotten_too(helping: Helping):
    ada = ticket(helping)
    before = ask(helping, contact=CONTACT)
    helping.tickets.change(ada, lambda t: t.change_contact(ADMIN, GRACE, index(GRACE), "newer"))
    after = ask(helping, contact=GRACE)
    helping.forget(HOLDER, helping.tickets.get(ada))
    assert forgotten(helping) == {before.id, after.id}


def test_what_was_indexed_under_an_older_pepper_is_forgotten_too(helping: Helping):
    ada = ticket(helping)
    helping.support.add(
        SupportTicket.open(
            HOLDER,
            old := uuid4(),
            ticket_id=old,
            category=SupportCategory.OTHER,
            message="Help",
            about=None,
            contact=CONTACT,
            contact_index="index",  # what the ticket itself was opened with
        )
    )
    helping.forget(HOLDER, helping.tickets.get(ada))
    assert forgotten(helping) == {old}


def test_what_a_crash_left_half_forgotten_is_finished_by_asking_again(helping: Helping):
    ada = ticket(helping)
    named = ask(helping, ada)
    helping.contents.forget(named.id)
    helping.forget(HOLDER, helping.tickets.get(ada))
    assert helping.support.get(named.id).erased
