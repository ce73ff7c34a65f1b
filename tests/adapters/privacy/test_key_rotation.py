"""A key rotation re-encrypts everything with the new secret, and then the old one is not needed any more."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from adapters.encryption.keyring import DecryptionError
from adapters.identity.tokens import digest
from adapters.privacy.key_rotation import MissingSecretError, RotatedRows, check_master_key
from domain.commands.workspaces import Invitation
from domain.members import MemberRole
from domain.ports import Mail
from domain.tickets import NewTicket
from domain.values import SYSTEM, Contact, ContactType
from entrypoints.composition.service import Service
from entrypoints.presentation.personal_data import PersonalData
from projections import contact_index, ticket_status
from tests.money import Ledger

OLD, NEW, OTHER = "o" * 40, "n" * 40, "x" * 40
CONTACT = Contact(ContactType.EMAIL, "ada@example.com")

MakeService = Callable[..., Service]


def serving(make_service: MakeService, master: tuple[str, ...], peppers: tuple[str, ...] = (OLD,)) -> Service:
    return make_service(master_key=master, email_pepper=peppers)


def open_ticket(service: Service, ticket: UUID) -> None:
    service.commands.tickets.open(
        SYSTEM,
        NewTicket(
            ticket, "public", ticket.hex[:12], CONTACT, service.access.contact_index.of(CONTACT), "Ada", digest("x")
        ),
    )
    Ledger(service).follow()


def name_of(service: Service, ticket: UUID) -> str | None:
    with service.database.reading() as cursor:
        row = ticket_status.ticket(cursor, ticket)
    assert row is not None
    return PersonalData(service.history.cipher).text_or_none(ticket, row["display_name"])


def ticket_ids_of_contact(service: Service) -> list[UUID]:
    with service.database.reading() as cursor:
        return [t for t, _ in contact_index.tickets_of(cursor, service.access.contact_index.all_of(CONTACT), None, 10)]


def counts_by_name(rotated_rows: list[RotatedRows]) -> dict[str, tuple[int, int]]:
    return {rotation.name: (rotation.done, rotation.left) for rotation in rotated_rows}


ADA, GRACE = UUID(int=1), UUID(int=2)


def test_after_a_rotation_the_old_master_key_is_not_needed(make_service: MakeService):
    old = serving(make_service, (OLD,))
    ledger = Ledger(old)
    open_ticket(old, ADA)
    payment = ledger.payment(ADA)
    ledger.deliver(payment.completed())  # received, and encrypted with the inbox's key until it is applied
    old.access.idempotency.begin("visitor", "POST /x", "key", "body")
    with old.database.connection() as connection:
        old.mail.outbox.queue(
            connection,
            Mail(
                "access_code",
                "ada@example.com",
                {"code": "1", "expires": "now", "link": "https://s.example/l"},
                "k",
                None,
            ),
        )

    both = serving(make_service, (NEW, OLD))
    open_ticket(both, GRACE)
    assert name_of(both, ADA) == "Ada"
    check_master_key(both.database, both.secrets.master)
    counts = counts_by_name(both.jobs.key_rotation.run())
    assert counts == {
        "ticketKeys": (2, 0),
        "serviceKeys": (1, 0),
        "inbox": (1, 0),
        "outbox": (1, 0),
        "contacts": (0, 0),
        "members": (0, 0),
        "search": (0, 0),
    }
    assert all(count == 0 for count, _ in counts_by_name(both.jobs.key_rotation.run()).values())

    new = serving(make_service, (NEW,))
    check_master_key(new.database, new.secrets.master)
    assert (name_of(new, ADA), name_of(new, GRACE)) == ("Ada", "Ada")
    later = Ledger(new)
    later.settle()
    assert later.totals(ADA) == {"USD": (10_000, 0, 10_000)}
    with pytest.raises(Exception, match="still running"):
        new.access.idempotency.begin("visitor", "POST /x", "key", "body")
    # A process that still has the old keys reads old rows, and reports that it cannot decrypt new ones.
    with pytest.raises(DecryptionError):
        serving(make_service, (OLD,)).history.keys.get(GRACE)


def test_a_service_without_a_master_key_that_is_needed_does_not_start(make_service: MakeService):
    open_ticket(serving(make_service, (OLD,)), ADA)
    database = serving(make_service, (NEW,)).database
    for master_keys in ((NEW,), (NEW, OTHER), ()):
        with pytest.raises(MissingSecretError, match="MASTER_KEY: "):
            check_master_key(database, master_keys)
    check_master_key(database, (NEW, OLD))
    [ticket_keys, *_] = serving(make_service, (NEW,)).jobs.key_rotation.run()
    assert (ticket_keys.done, ticket_keys.left) == (0, 1)


def test_a_rotation_does_not_restore_a_ticket_that_is_erased_while_it_runs(
    make_service: MakeService, monkeypatch: pytest.MonkeyPatch
):
    service = serving(make_service, (OLD,))
    open_ticket(service, ADA)
    both = serving(make_service, (NEW, OLD))
    replace = both.jobs.key_rotation._replace

    def erased_first(*arguments: Any) -> int:
        both.commands.tickets.erase(SYSTEM, ADA)
        return replace(*arguments)

    monkeypatch.setattr(type(both.jobs.key_rotation), "_replace", lambda _, *arguments: erased_first(*arguments))
    counts = counts_by_name(both.jobs.key_rotation.run())
    assert counts["ticketKeys"] == (0, 0)
    assert not both.history.keys.key_exists(ADA)
    # The keys of erased tickets are not needed.
    check_master_key(both.database, (OTHER,))


def test_contacts_are_found_with_every_pepper_and_after_a_rotation_with_the_newest_alone(make_service: MakeService):
    old = serving(make_service, (OLD,), (OLD,))
    open_ticket(old, ADA)
    both = serving(make_service, (OLD,), (NEW, OLD))
    open_ticket(both, GRACE)
    assert set(ticket_ids_of_contact(both)) == {ADA, GRACE}
    assert set(ticket_ids_of_contact(serving(make_service, (OLD,), (NEW,)))) == {GRACE}

    assert counts_by_name(both.jobs.key_rotation.run())["contacts"] == (1, 0)
    Ledger(both).follow()
    assert set(ticket_ids_of_contact(serving(make_service, (OLD,), (NEW,)))) == {ADA, GRACE}
    assert counts_by_name(both.jobs.key_rotation.run())["contacts"] == (0, 0)


def test_members_sign_in_after_a_rotation_with_the_newest_pepper_alone(make_service: MakeService):
    old, email = serving(make_service, (OLD,), (OLD,)), Contact(ContactType.EMAIL, "ada@example.com")
    now = datetime.now(UTC)
    invitation = Invitation(ADA, email, old.access.contact_index.of(email), [], MemberRole.OWNER)
    old.commands.workspaces.invite(SYSTEM, "shelter", invitation, now=now)
    both = serving(make_service, (OLD,), (NEW, OLD))
    indexes = both.access.contact_index.all_of(email)
    both.commands.workspaces.accept("shelter", ADA, indexes, now=now)
    assert counts_by_name(both.jobs.key_rotation.run())["members"] == (1, 0)

    new = serving(make_service, (OLD,), (NEW,))
    [membership] = new.access.member_sessions.memberships(new.access.contact_index.all_of(email))
    assert (membership.member_id, membership.has_joined) == (ADA, True)
    assert counts_by_name(both.jobs.key_rotation.run())["members"] == (0, 0)


def test_a_donors_hash_says_which_pepper_made_it(make_service: MakeService):
    ledger = Ledger(serving(make_service, (OLD,), (OLD,)))
    before = ledger.payment()
    ledger.take(before.completed())
    ledger = Ledger(serving(make_service, (OLD,), (NEW, OLD)))
    after = ledger.payment()
    ledger.take(after.completed())
    cipher = ledger.service.history.cipher
    hashes = [cipher.open(payment.ticket_id, ledger.row(payment)["email_hash"]) for payment in (before, after)]
    names = [hash.partition(":")[0] for hash in hashes]
    assert names[0] != names[1]
    assert len(ledger.view(after).donor_email_hash) == 64
