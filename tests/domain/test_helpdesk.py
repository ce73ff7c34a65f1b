"""Support tickets: who wrote one decides which key encrypts it and when it is erased."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from uuid import UUID, uuid4

import pytest

from adapters.identity.tokens import digest
from domain.commands.support import ContactReset, HelpRequest, SupportCommands
from domain.errors import InvalidError, NotFoundError, RefusedError
from domain.events import SupportAssigned, SupportUnassigned
from domain.ports import Mail, Message, TextMessage
from domain.support import MOST_REPLIES, SupportTicket
from domain.tickets import RecordingTicket
from domain.values import Actor, Contact, ContactType, Role, SupportCategory
from tests.domain.facts import CONTACT, HOLDER
from tests.fakes.stores import MemoryContents, MemorySupportTickets, MemoryTickets, MemoryWorkspaces
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
        workspaces=MemoryWorkspaces(),
        contents=MemoryContents(),
        contact_indexes=lambda contact: [index(contact)],
        home_url="https://story.example",
        holder_values=lambda ticket: {"name": ticket.display_name or ""},
        reaches=lambda contact: contact.type is not ContactType.SOCIAL,
        fits_text=lambda text: len(text) <= 100,
    )


def open_ticket(helpdesk: SupportCommands) -> UUID:
    ticket = opened(uuid4())
    helpdesk.tickets.add(ticket)
    return ticket.id


def ask_for_help(
    helpdesk: SupportCommands,
    about: UUID | None = None,
    *,
    is_holder: bool = False,
    contact: Contact | None = None,
    category: SupportCategory = SupportCategory.PROFILE_RESET,
) -> SupportTicket:
    support_id = uuid4()
    contact_hash = index(contact) if contact else None
    helpdesk.open(HOLDER, HelpRequest(support_id, category, "Help", about, is_holder, contact, contact_hash))
    return helpdesk.support.get(support_id)


def erased_ids(helpdesk: SupportCommands) -> set[UUID]:
    assert isinstance(helpdesk.contents, MemoryContents)
    return helpdesk.contents.erased


def test_only_a_message_from_the_tickets_holder_is_encrypted_with_the_tickets_key(helpdesk: SupportCommands):
    ada = open_ticket(helpdesk)
    assert not ask_for_help(helpdesk, ada, is_holder=True).has_own_key
    assert ask_for_help(helpdesk, ada, is_holder=False).has_own_key
    assert ask_for_help(helpdesk, None).has_own_key


def test_resolving_again_changes_nothing(helpdesk: SupportCommands):
    support = ask_for_help(helpdesk)
    for _ in range(2):
        helpdesk.resolve(ADMIN, support.id)
    assert (helpdesk.support.get(support.id).resolved, helpdesk.support.get(support.id).version) == (True, 2)


# Resets.


def reset(
    helpdesk: SupportCommands, ticket_id: UUID, contact: Contact = GRACE, token: str = "tkt_new", id: int = 1
) -> None:
    helpdesk.reset(ADMIN, ticket_id, ContactReset(UUID(int=id), contact, index(contact), token, digest(token)), now=NOW)


def mails(helpdesk: SupportCommands) -> list[Message]:
    assert isinstance(helpdesk.tickets, MemoryTickets)
    return helpdesk.tickets.mails


def test_a_reset_changes_contact_and_token_and_nothing_else(helpdesk: SupportCommands):
    ada = open_ticket(helpdesk)
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
    ada = open_ticket(helpdesk)
    reset(helpdesk, ada)
    new, old = mails(helpdesk)
    assert (new.kind, new.to, new.values["token"], new.ticket_id) == ("new_access", GRACE.value, "tkt_new", ada)
    assert (old.kind, old.to, old.ticket_id) == ("contact_changed", CONTACT.value, ada)
    assert old.values == {"name": "Ada", "changed": "2026-05-01T12:00:00+00:00", "home": "https://story.example"}
    assert all("@" not in mail.key for mail in (new, old))


def test_a_repeated_reset_sends_no_more_mails(helpdesk: SupportCommands):
    ada = open_ticket(helpdesk)
    for _ in range(2):
        reset(helpdesk, ada)
    assert len(mails(helpdesk)) == 2
    assert helpdesk.tickets.get(ada).version == 2


def test_a_new_token_at_the_same_contact_needs_no_notice(helpdesk: SupportCommands):
    ada = open_ticket(helpdesk)
    reset(helpdesk, ada, CONTACT)
    assert [mail.kind for mail in mails(helpdesk)] == ["new_access"]


def moved_to(contact: Contact, ticket: RecordingTicket) -> None:
    ticket.change_contact(ADMIN, contact, index(contact), "older")


def test_an_old_phone_number_gets_the_notice_as_a_text_message_and_a_handle_gets_none(helpdesk: SupportCommands):
    for contact, notices in ((PHONE, [TextMessage]), (Contact(ContactType.SOCIAL, "@ada"), [])):
        before, ada = len(mails(helpdesk)), open_ticket(helpdesk)
        helpdesk.tickets.change(ada, partial(moved_to, contact))
        reset(helpdesk, ada)
        access, *others = mails(helpdesk)[before:]
        assert (type(access), access.kind, access.to) == (Mail, "new_access", GRACE.value)
        assert [type(other) for other in others] == notices
        assert all((other.kind, other.to) == ("contact_changed", contact.value) for other in others)


@pytest.mark.parametrize("contact", [PHONE, Contact(ContactType.SOCIAL, "@grace")])
def test_a_reset_needs_an_email_contact(helpdesk: SupportCommands, contact: Contact):
    ada = open_ticket(helpdesk)
    with pytest.raises(InvalidError, match="by mail"):
        reset(helpdesk, ada, contact)
    assert (mails(helpdesk), helpdesk.tickets.get(ada).contact) == ([], CONTACT)


def test_an_erased_ticket_cannot_be_reset(helpdesk: SupportCommands):
    ada = open_ticket(helpdesk)
    helpdesk.tickets.change(ada, lambda t: t.erase(HOLDER))
    with pytest.raises(NotFoundError):
        reset(helpdesk, ada)
    assert mails(helpdesk) == []


def test_a_reset_resolves_the_support_tickets_that_asked_for_it_and_no_others(helpdesk: SupportCommands):
    ada, other = open_ticket(helpdesk), uuid4()
    asking = [
        ask_for_help(helpdesk, ada, is_holder=True),
        ask_for_help(helpdesk, ada),
        ask_for_help(helpdesk, contact=CONTACT),
        ask_for_help(helpdesk, contact=GRACE),
    ]
    not_asking = [
        ask_for_help(helpdesk, ada, category=SupportCategory.PAYMENT),
        ask_for_help(helpdesk, other, contact=CONTACT),
        ask_for_help(helpdesk, contact=PHONE),
        ask_for_help(helpdesk),
    ]
    reset(helpdesk, ada)
    assert [helpdesk.support.get(support.id).resolved for support in asking] == [True] * 4
    assert [helpdesk.support.get(support.id).resolved for support in not_asking] == [False] * 4


# The conversation.


def sent(helpdesk: SupportCommands) -> list[Message]:
    assert isinstance(helpdesk.support, MemorySupportTickets)
    return helpdesk.support.mails


def reply(helpdesk: SupportCommands, support: SupportTicket, text: str = "Mended.", id: int = 1) -> None:
    helpdesk.reply(ADMIN, support.id, UUID(int=id), text)


def test_a_reply_goes_to_the_contact_of_the_request_or_of_the_ticket_once(helpdesk: SupportCommands):
    ada = open_ticket(helpdesk)
    requests = [
        (ask_for_help(helpdesk, ada, is_holder=True), Mail, CONTACT),
        (ask_for_help(helpdesk, contact=GRACE), Mail, GRACE),
        (ask_for_help(helpdesk, contact=PHONE), TextMessage, PHONE),
        (ask_for_help(helpdesk, ada, is_holder=True, contact=PHONE), TextMessage, PHONE),
    ]
    for number, (support, kind, contact) in enumerate(requests):
        for _ in range(2):
            reply(helpdesk, support, id=number)
        message = sent(helpdesk)[-1]
        assert (type(message), message.to, message.ticket_id) == (kind, contact.value, support.ticket_id)
    pages = [message.values["page"] for message in sent(helpdesk)]
    page = f"https://story.example/t/{ada}/help"
    assert pages == [f"{page}/{requests[0][0].id}", "", "", page]


def test_a_reply_to_somebody_without_a_page_fits_in_a_text_message(helpdesk: SupportCommands):
    ada = open_ticket(helpdesk)
    with pytest.raises(RefusedError, match="no page"):
        reply(helpdesk, ask_for_help(helpdesk, contact=PHONE), "a" * 101)
    reply(helpdesk, ask_for_help(helpdesk, ada, is_holder=True, contact=PHONE), "a" * 101)
    reply(helpdesk, ask_for_help(helpdesk, contact=GRACE), "a" * 101)
    assert len(sent(helpdesk)) == 2


def test_nobody_is_answered_who_cannot_be_reached(helpdesk: SupportCommands):
    for contact in (None, Contact(ContactType.SOCIAL, "@ada")):
        with pytest.raises(RefusedError, match="another way"):
            reply(helpdesk, ask_for_help(helpdesk, contact=contact))


def write_again(helpdesk: SupportCommands, ticket_id: UUID, support: SupportTicket, id: int = 2) -> None:
    helpdesk.reply_as_author(HOLDER, ticket_id, support.id, UUID(int=id), "Not yet.")


def test_the_author_opens_a_resolved_request_again_by_writing(helpdesk: SupportCommands):
    ada = open_ticket(helpdesk)
    support = ask_for_help(helpdesk, ada, is_holder=True)
    helpdesk.resolve(ADMIN, support.id)
    for _ in range(2):
        write_again(helpdesk, ada, support)
    assert (helpdesk.support.get(support.id).resolved, helpdesk.support.get(support.id).version) == (False, 3)


def test_only_who_belongs_to_the_ticket_of_a_request_writes_again(helpdesk: SupportCommands):
    ada, other = open_ticket(helpdesk), open_ticket(helpdesk)
    for support in (ask_for_help(helpdesk, other, is_holder=True), ask_for_help(helpdesk, ada, is_holder=False)):
        with pytest.raises(NotFoundError):
            write_again(helpdesk, ada, support)


def test_a_conversation_is_bounded_and_ends_with_the_erasure(helpdesk: SupportCommands):
    ada = open_ticket(helpdesk)
    support = ask_for_help(helpdesk, ada, is_holder=True)
    for number in range(MOST_REPLIES):
        write_again(helpdesk, ada, support, number)
    with pytest.raises(RefusedError, match="at most"):
        write_again(helpdesk, ada, support, MOST_REPLIES)
    reply(helpdesk, support)
    helpdesk.erase(ada)
    for act in (partial(write_again, helpdesk, ada), partial(reply, helpdesk)):
        with pytest.raises(RefusedError, match="erased"):
            act(support, id=1_000)


def test_only_who_works_with_stories_of_the_workspace_takes_care_of_a_request(helpdesk: SupportCommands):
    support = ask_for_help(helpdesk)
    with pytest.raises(InvalidError, match="must be a member"):
        helpdesk.assign(ADMIN, support.id, "public", UUID(int=21))
    support.assign(ADMIN, UUID(int=21))
    support.assign(ADMIN, UUID(int=21))
    support.assign(ADMIN, None)
    support.assign(ADMIN, None)
    events = [type(event) for event in support.collect_events()]
    assert events[-2:] == [SupportAssigned, SupportUnassigned]


# Erasure.


def test_an_erasure_destroys_own_keys_and_is_recorded_for_every_support_ticket(helpdesk: SupportCommands):
    ada = open_ticket(helpdesk)
    by_holder = ask_for_help(helpdesk, ada, is_holder=True)
    by_stranger = ask_for_help(helpdesk, ada)
    by_contact = ask_for_help(helpdesk, contact=CONTACT)
    other = ask_for_help(helpdesk, contact=GRACE)
    for _ in range(2):
        helpdesk.erase(ada)
    assert erased_ids(helpdesk) == {by_stranger.id, by_contact.id}
    for support in (by_holder, by_stranger, by_contact):
        assert helpdesk.support.get(support.id).erased
    assert not helpdesk.support.get(other.id).erased
    assert helpdesk.support.get(by_stranger.id).version == 2


def test_support_tickets_from_an_earlier_contact_are_erased_too(helpdesk: SupportCommands):
    ada = open_ticket(helpdesk)
    before = ask_for_help(helpdesk, contact=CONTACT)
    helpdesk.tickets.change(ada, lambda t: t.change_contact(ADMIN, GRACE, index(GRACE), "newer"))
    after = ask_for_help(helpdesk, contact=GRACE)
    helpdesk.erase(ada)
    assert erased_ids(helpdesk) == {before.id, after.id}


def test_support_tickets_indexed_with_an_older_pepper_are_erased_too(helpdesk: SupportCommands):
    ada = open_ticket(helpdesk)
    helpdesk.support.add(
        SupportTicket.open(
            HOLDER,
            old := uuid4(),
            ticket_id=old,
            category=SupportCategory.OTHER,
            message="Help",
            about=None,
            contact=CONTACT,
            contact_index="index",  # the index with which the ticket was opened
        )
    )
    helpdesk.erase(ada)
    assert erased_ids(helpdesk) == {old}


def test_an_erasure_interrupted_by_a_crash_is_finished_when_repeated(helpdesk: SupportCommands):
    ada = open_ticket(helpdesk)
    by_stranger = ask_for_help(helpdesk, ada)
    helpdesk.contents.erase(by_stranger.id)
    helpdesk.erase(ada)
    assert helpdesk.support.get(by_stranger.id).erased
