"""Rotation: with the new secret first all is opened and brought to it, and then the old one is needed for nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from adapters.encryption.keyring import DecryptionError
from adapters.identity.tokens import digest
from adapters.privacy.key_rotation import MissingSecretError, RotatedRows, check_master_key
from domain.ports import Mail
from domain.tickets import NewTicket
from domain.values import SYSTEM, Contact, ContactType
from entrypoints.composition.service import Service
from entrypoints.presentation.personal_data import PersonalData
from projections import contact_index, ticket_status
from tests.money import Ledger

OLD, NEW, OTHER = "o" * 40, "n" * 40, "x" * 40
CONTACT = Contact(ContactType.EMAIL, "ada@example.com")

Made = Callable[..., Service]


def serving(make_service: Made, master: tuple[str, ...], peppers: tuple[str, ...] = (OLD,)) -> Service:
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


def found(service: Service) -> list[UUID]:
    with service.database.reading() as cursor:
        return [t for t, _ in contact_index.tickets_of(cursor, service.access.contact_index.all_of(CONTACT), None, 10)]


def done(told: list[RotatedRows]) -> dict[str, tuple[int, int]]:
    return {one.name: (one.done, one.left) for one in told}


ADA, GRACE = UUID(int=1), UUID(int=2)


def test_after_a_rotation_the_old_master_key_is_not_needed(make_service: Made):
    old = serving(make_service, (OLD,))
    ledger = Ledger(old)
    open_ticket(old, ADA)
    payment = ledger.payment(ADA)
    ledger.deliver(payment.succeeded())  # received, and sealed with the inbox's key until it is applied
    old.access.idempotency.begin("visitor", "POST /x", "key", "body")
    with old.database.connection() as connection:
        old.mail.outbox.queue(
            connection, Mail("access_code", "ada@example.com", {"code": "1", "expires": "now"}, "k", None)
        )

    both = serving(make_service, (NEW, OLD))
    open_ticket(both, GRACE)
    assert name_of(both, ADA) == "Ada"
    check_master_key(both.database, both.secrets.master)
    told = done(both.jobs.key_rotation.run())
    assert told == {
        "ticketKeys": (1, 0),
        "serviceKeys": (1, 0),
        "inbox": (1, 0),
        "outbox": (1, 0),
        "contacts": (0, 0),
    }
    assert all(count == 0 for count, _ in done(both.jobs.key_rotation.run()).values())

    new = serving(make_service, (NEW,))
    check_master_key(new.database, new.secrets.master)
    assert (name_of(new, ADA), name_of(new, GRACE)) == ("Ada", "Ada")
    later = Ledger(new)
    later.settle()
    assert later.totals(ADA) == {"USD": (10_000, 0, 10_000)}
    with pytest.raises(Exception, match="still running"):
        new.access.idempotency.begin("visitor", "POST /x", "key", "body")
    # Who was not restarted yet reads on what it knows, and says so of what it cannot open.
    with pytest.raises(DecryptionError):
        serving(make_service, (OLD,)).history.keys.get(GRACE)


def test_a_service_without_a_master_key_that_is_needed_does_not_start(make_service: Made):
    open_ticket(serving(make_service, (OLD,)), ADA)
    database = serving(make_service, (NEW,)).database
    for given in ((NEW,), (NEW, OTHER), ()):
        with pytest.raises(MissingSecretError, match="MASTER_KEY: "):
            check_master_key(database, given)
    check_master_key(database, (NEW, OLD))
    [ticket_keys, *_] = serving(make_service, (NEW,)).jobs.key_rotation.run()
    assert (ticket_keys.done, ticket_keys.left) == (0, 1)


def test_a_rotation_brings_nobody_back_who_is_erased_while_it_runs(make_service: Made, monkeypatch: pytest.MonkeyPatch):
    service = serving(make_service, (OLD,))
    open_ticket(service, ADA)
    both = serving(make_service, (NEW, OLD))
    replace = both.jobs.key_rotation._replace

    def erased_first(*given: Any) -> int:
        both.commands.tickets.erase(SYSTEM, ADA)
        return replace(*given)

    monkeypatch.setattr(type(both.jobs.key_rotation), "_replace", lambda _, *given: erased_first(*given))
    told = done(both.jobs.key_rotation.run())
    assert told["ticketKeys"] == (0, 0)
    assert not both.history.keys.key_exists(ADA)
    # The keys of erased tickets are not needed.
    check_master_key(both.database, (OTHER,))


def test_contacts_are_found_with_every_pepper_and_after_a_rotation_with_the_newest_alone(make_service: Made):
    old = serving(make_service, (OLD,), (OLD,))
    open_ticket(old, ADA)
    both = serving(make_service, (OLD,), (NEW, OLD))
    open_ticket(both, GRACE)
    assert set(found(both)) == {ADA, GRACE}
    assert set(found(serving(make_service, (OLD,), (NEW,)))) == {GRACE}

    assert done(both.jobs.key_rotation.run())["contacts"] == (1, 0)
    Ledger(both).follow()
    assert set(found(serving(make_service, (OLD,), (NEW,)))) == {ADA, GRACE}
    assert done(both.jobs.key_rotation.run())["contacts"] == (0, 0)


def test_a_donors_hash_says_which_pepper_made_it(make_service: Made):
    ledger = Ledger(serving(make_service, (OLD,), (OLD,)))
    before = ledger.payment()
    ledger.take(before.completed())
    ledger = Ledger(serving(make_service, (OLD,), (NEW, OLD)))
    after = ledger.payment()
    ledger.take(after.completed())
    names = [ledger.row(payment)["email_hash"].partition(":")[0] for payment in (before, after)]
    assert names[0] != names[1]
    assert len(ledger.view(after).donor_email_hash) == 64
