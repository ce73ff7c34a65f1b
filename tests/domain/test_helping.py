"""Helping people: whose words they are decides which key seals them and when they are forgotten."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from domain.commands import digest
from domain.errors import InvalidError, NotFoundError
from domain.helping import Help, Helping, Reset
from domain.ports import Mail
from domain.support import SupportTicket
from domain.values import Actor, Contact, ContactType, Role, SupportCategory
from tests.domain.facts import CONTACT, HOLDER
from tests.fakes.stores import MemoryContents, MemorySupportTickets, MemoryTickets
from tests.fakes.worlds import opened

ADMIN = Actor(Role.ADMIN, "key")
PHONE = Contact(ContactType.PHONE, "+12125550123")
GRACE = Contact(ContactType.EMAIL, "grace@example.com")


def index(contact: Contact) -> str:
    return f"index of {contact.value}"


@pytest.fixture
def helping() -> Helping:
    return Helping(
        tickets=MemoryTickets(),
        support=MemorySupportTickets(),
        contents=MemoryContents(),
        indexes=lambda contact: [index(contact)],
        home="https://story.example",
        now=lambda: datetime(2026, 5, 1, 12, 0, tzinfo=UTC),
    )


def ticket(helping: Helping) -> UUID:
    made = opened(uuid4())
    helping.tickets.add(made)
    return made.id


def ask(
    helping: Helping,
    about: UUID | None = None,
    *,
    known: bool = False,
    contact: Contact | None = None,
    category: SupportCategory = SupportCategory.PROFILE_RESET,
) -> SupportTicket:
    support_id = uuid4()
    told = index(contact) if contact else None
    helping.ask(HOLDER, Help(support_id, category, "Help", about, known, contact, told))
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


# Resetting.


def reset(helping: Helping, ticket_id: UUID, contact: Contact = GRACE, token: str = "tkt_new", id: int = 1) -> None:
    helping.reset(ADMIN, ticket_id, Reset(UUID(int=id), contact, index(contact), token))


def mails(helping: Helping) -> list[Mail]:
    assert isinstance(helping.tickets, MemoryTickets)
    return helping.tickets.mails


def test_a_reset_changes_contact_and_token_and_nothing_else(helping: Helping):
    ada = ticket(helping)
    before = vars(helping.tickets.get(ada))
    reset(helping, ada)
    after = vars(helping.tickets.get(ada))
    changed = {name for name, value in after.items() if before[name] != value}
    assert changed >= {"contact", "token_digest"}
    assert changed <= {
        "contact",
        "token_digest",
        "contacts",
        "contact_index",
        "contact_indexes",
        "_version",
        "_modified_on",
    }
    assert (after["contact"], after["token_digest"]) == (GRACE, digest("tkt_new"))


def test_the_new_token_goes_to_the_new_contact_and_a_notice_without_it_to_the_old(helping: Helping):
    ada = ticket(helping)
    reset(helping, ada)
    new, old = mails(helping)
    assert (new.kind, new.to, new.values["token"], new.ticket_id) == ("new_access", GRACE.value, "tkt_new", ada)
    assert (old.kind, old.to, old.ticket_id) == ("contact_changed", CONTACT.value, ada)
    assert old.values == {"changed": "2026-05-01 12:00 UTC", "home": "https://story.example"}
    assert all("@" not in mail.key for mail in (new, old))


def test_the_same_reset_asked_for_again_sends_nothing_more(helping: Helping):
    ada = ticket(helping)
    for _ in range(2):
        reset(helping, ada)
    assert len(mails(helping)) == 2
    assert helping.tickets.get(ada).version == 2


def test_a_new_token_at_the_same_contact_needs_no_notice(helping: Helping):
    ada = ticket(helping)
    reset(helping, ada, CONTACT)
    assert [mail.kind for mail in mails(helping)] == ["new_access"]


def test_an_old_contact_that_has_no_mail_gets_none(helping: Helping):
    ada = ticket(helping)
    helping.tickets.change(ada, lambda t: t.change_contact(ADMIN, PHONE, index(PHONE), "older"))
    reset(helping, ada)
    assert [(mail.kind, mail.to) for mail in mails(helping)] == [("new_access", GRACE.value)]


@pytest.mark.parametrize("contact", [PHONE, Contact(ContactType.SOCIAL, "@grace")])
def test_a_token_is_given_to_nobody_whom_no_mail_reaches(helping: Helping, contact: Contact):
    ada = ticket(helping)
    with pytest.raises(InvalidError, match="by mail"):
        reset(helping, ada, contact)
    assert (mails(helping), helping.tickets.get(ada).contact) == ([], CONTACT)


def test_nobody_who_was_erased_is_given_back(helping: Helping):
    ada = ticket(helping)
    helping.tickets.change(ada, lambda t: t.erase(HOLDER))
    with pytest.raises(NotFoundError):
        reset(helping, ada)
    assert mails(helping) == []


def test_a_reset_resolves_who_asked_for_it_by_ticket_or_by_contact_and_nobody_else(helping: Helping):
    ada, other = ticket(helping), uuid4()
    asked = [
        ask(helping, ada, known=True),
        ask(helping, ada),
        ask(helping, contact=CONTACT),
        ask(helping, contact=GRACE),
    ]
    left = [
        ask(helping, ada, category=SupportCategory.PAYMENT),
        ask(helping, other, contact=CONTACT),
        ask(helping, contact=PHONE),
        ask(helping),
    ]
    reset(helping, ada)
    assert [helping.support.get(one.id).resolved for one in asked] == [True] * 4
    assert [helping.support.get(one.id).resolved for one in left] == [False] * 4


# Forgetting.


def test_forgetting_destroys_the_keys_of_what_has_its_own_and_notes_all_that_is_gone(helping: Helping):
    ada = ticket(helping)
    mine, named, loose = ask(helping, ada, known=True), ask(helping, ada), ask(helping, contact=CONTACT)
    other = ask(helping, contact=GRACE)
    for _ in range(2):
        helping.forget(ada)
    assert forgotten(helping) == {named.id, loose.id}
    assert [helping.support.get(one.id).erased for one in (mine, named, loose, other)] == [True, True, True, False]
    assert helping.support.get(named.id).version == 2


def test_what_was_written_from_an_earlier_contact_is_forgotten_too(helping: Helping):
    ada = ticket(helping)
    before = ask(helping, contact=CONTACT)
    helping.tickets.change(ada, lambda t: t.change_contact(ADMIN, GRACE, index(GRACE), "newer"))
    after = ask(helping, contact=GRACE)
    helping.forget(ada)
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
    helping.forget(ada)
    assert forgotten(helping) == {old}


def test_what_a_crash_left_half_forgotten_is_finished_by_asking_again(helping: Helping):
    ada = ticket(helping)
    named = ask(helping, ada)
    helping.contents.forget(named.id)
    helping.forget(ada)
    assert helping.support.get(named.id).erased
