"""Helping people: whose words they are decides which key seals them and when they are erased."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from adapters.identity.tokens import digest
from domain.commands.support import ContactReset, HelpRequest, SupportCommands
from domain.errors import InvalidError, NotFoundError
from domain.ports import Mail
from domain.support import SupportTicket
from domain.values import Actor, Contact, ContactType, Role, SupportCategory
from tests.domain.facts import CONTACT, HOLDER
from tests.fakes.stores import MemoryContents, MemorySupportTickets, MemoryTickets
from tests.fakes.worlds import opened

ADMIN = Actor(Role.ADMIN, "key")
PHONE = Contact(ContactType.PHONE, "+12125550123")
GRACE = Contact(ContactType.EMAIL, "grace@example.com")
NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def index(contact: Contact) -> str:
    return f"index of {contact.value}"


@pytest.fixture
def helpdesk() -> SupportCommands:
    return SupportCommands(
        tickets=MemoryTickets(),
        support=MemorySupportTickets(),
        contents=MemoryContents(),
        contact_indexes=lambda contact: [index(contact)],
        home="https://story.example",
    )


def ticket(helpdesk: SupportCommands) -> UUID:
    made = opened(uuid4())
    helpdesk.tickets.add(made)
    return made.id


def ask(
    helpdesk: SupportCommands,
    about: UUID | None = None,
    *,
    known: bool = False,
    contact: Contact | None = None,
    category: SupportCategory = SupportCategory.PROFILE_RESET,
) -> SupportTicket:
    support_id = uuid4()
    told = index(contact) if contact else None
    helpdesk.ask(HOLDER, HelpRequest(support_id, category, "Help", about, known, contact, told))
    return helpdesk.support.get(support_id)


def erased_ids(helpdesk: SupportCommands) -> set[UUID]:
    assert isinstance(helpdesk.contents, MemoryContents)
    return helpdesk.contents.erased


def test_a_message_is_sealed_with_the_key_of_the_ticket_that_its_author_belongs_to(helpdesk: SupportCommands):
    ada = ticket(helpdesk)
    assert not ask(helpdesk, ada, known=True).has_own_key
    assert ask(helpdesk, ada, known=False).has_own_key
    assert ask(helpdesk, None).has_own_key


def test_resolving_again_changes_nothing(helpdesk: SupportCommands):
    support = ask(helpdesk)
    for _ in range(2):
        helpdesk.resolve(ADMIN, support.id)
    assert (helpdesk.support.get(support.id).resolved, helpdesk.support.get(support.id).version) == (True, 2)


# Resetting.


def reset(
    helpdesk: SupportCommands, ticket_id: UUID, contact: Contact = GRACE, token: str = "tkt_new", id: int = 1
) -> None:
    helpdesk.reset(ADMIN, ticket_id, ContactReset(UUID(int=id), contact, index(contact), token, digest(token)), now=NOW)


def mails(helpdesk: SupportCommands) -> list[Mail]:
    assert isinstance(helpdesk.tickets, MemoryTickets)
    return helpdesk.tickets.mails


def test_a_reset_changes_contact_and_token_and_nothing_else(helpdesk: SupportCommands):
    ada = ticket(helpdesk)
    before = vars(helpdesk.tickets.get(ada))
    reset(helpdesk, ada)
    after = vars(helpdesk.tickets.get(ada))
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
        "last_act",
    }
    assert (after["contact"], after["token_digest"]) == (GRACE, digest("tkt_new"))


def test_the_new_token_goes_to_the_new_contact_and_a_notice_without_it_to_the_old(helpdesk: SupportCommands):
    ada = ticket(helpdesk)
    reset(helpdesk, ada)
    new, old = mails(helpdesk)
    assert (new.kind, new.to, new.values["token"], new.ticket_id) == ("new_access", GRACE.value, "tkt_new", ada)
    assert (old.kind, old.to, old.ticket_id) == ("contact_changed", CONTACT.value, ada)
    assert old.values == {"changed": "2026-05-01 12:00 UTC", "home": "https://story.example"}
    assert all("@" not in mail.key for mail in (new, old))


def test_the_same_reset_asked_for_again_sends_nothing_more(helpdesk: SupportCommands):
    ada = ticket(helpdesk)
    for _ in range(2):
        reset(helpdesk, ada)
    assert len(mails(helpdesk)) == 2
    assert helpdesk.tickets.get(ada).version == 2


def test_a_new_token_at_the_same_contact_needs_no_notice(helpdesk: SupportCommands):
    ada = ticket(helpdesk)
    reset(helpdesk, ada, CONTACT)
    assert [mail.kind for mail in mails(helpdesk)] == ["new_access"]


def test_an_old_contact_that_has_no_mail_gets_none(helpdesk: SupportCommands):
    ada = ticket(helpdesk)
    helpdesk.tickets.change(ada, lambda t: t.change_contact(ADMIN, PHONE, index(PHONE), "older"))
    reset(helpdesk, ada)
    assert [(mail.kind, mail.to) for mail in mails(helpdesk)] == [("new_access", GRACE.value)]


@pytest.mark.parametrize("contact", [PHONE, Contact(ContactType.SOCIAL, "@grace")])
def test_a_reset_needs_an_email_contact(helpdesk: SupportCommands, contact: Contact):
    ada = ticket(helpdesk)
    with pytest.raises(InvalidError, match="by mail"):
        reset(helpdesk, ada, contact)
    assert (mails(helpdesk), helpdesk.tickets.get(ada).contact) == ([], CONTACT)


def test_an_erased_ticket_cannot_be_reset(helpdesk: SupportCommands):
    ada = ticket(helpdesk)
    helpdesk.tickets.change(ada, lambda t: t.erase(HOLDER))
    with pytest.raises(NotFoundError):
        reset(helpdesk, ada)
    assert mails(helpdesk) == []


def test_a_reset_resolves_the_support_tickets_that_asked_for_it_and_no_others(helpdesk: SupportCommands):
    ada, other = ticket(helpdesk), uuid4()
    asked = [
        ask(helpdesk, ada, known=True),
        ask(helpdesk, ada),
        ask(helpdesk, contact=CONTACT),
        ask(helpdesk, contact=GRACE),
    ]
    left = [
        ask(helpdesk, ada, category=SupportCategory.PAYMENT),
        ask(helpdesk, other, contact=CONTACT),
        ask(helpdesk, contact=PHONE),
        ask(helpdesk),
    ]
    reset(helpdesk, ada)
    assert [helpdesk.support.get(one.id).resolved for one in asked] == [True] * 4
    assert [helpdesk.support.get(one.id).resolved for one in left] == [False] * 4


# Erasure.


def test_an_erasure_destroys_own_keys_and_is_recorded_for_every_support_ticket(helpdesk: SupportCommands):
    ada = ticket(helpdesk)
    mine, named, loose = ask(helpdesk, ada, known=True), ask(helpdesk, ada), ask(helpdesk, contact=CONTACT)
    other = ask(helpdesk, contact=GRACE)
    for _ in range(2):
        helpdesk.erase(ada)
    assert erased_ids(helpdesk) == {named.id, loose.id}
    assert [helpdesk.support.get(one.id).erased for one in (mine, named, loose, other)] == [True, True, True, False]
    assert helpdesk.support.get(named.id).version == 2


def test_support_tickets_from_an_earlier_contact_are_erased_too(helpdesk: SupportCommands):
    ada = ticket(helpdesk)
    before = ask(helpdesk, contact=CONTACT)
    helpdesk.tickets.change(ada, lambda t: t.change_contact(ADMIN, GRACE, index(GRACE), "newer"))
    after = ask(helpdesk, contact=GRACE)
    helpdesk.erase(ada)
    assert erased_ids(helpdesk) == {before.id, after.id}


def test_support_tickets_indexed_with_an_older_pepper_are_erased_too(helpdesk: SupportCommands):
    ada = ticket(helpdesk)
    helpdesk.support.add(
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
    helpdesk.erase(ada)
    assert erased_ids(helpdesk) == {old}


def test_an_erasure_interrupted_by_a_crash_is_finished_when_repeated(helpdesk: SupportCommands):
    ada = ticket(helpdesk)
    named = ask(helpdesk, ada)
    helpdesk.contents.erase(named.id)
    helpdesk.erase(ada)
    assert helpdesk.support.get(named.id).erased
