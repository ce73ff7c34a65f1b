"""Databases, services and long histories for the benchmarks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID, uuid4

import projections
from adapters.event_store import codec
from adapters.event_store import log as event_log
from adapters.event_store.log import NewEntry
from adapters.ids import uuid7
from adapters.postgres import migrations
from adapters.postgres.database import connect
from adapters.read_models import rebuild
from domain.donations import donation_stream
from domain.events import (
    CheckoutOpened,
    CheckoutRequested,
    DonationEvent,
    PaymentConfirmed,
    PaymentReceived,
    Refunded,
    TicketOpened,
)
from domain.values import STRIPE, Actor, Contact, ContactType, Donor, Kind, Money, Role, StripeReport
from entrypoints.composition.service import Service
from entrypoints.composition.settings import Settings
from tests.postgres import fresh_database

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOLDER = Actor(Role.HOLDER)
BATCH_EVENTS = 5_000


@contextmanager
def migrated(server_url: str) -> Iterator[str]:
    with fresh_database(server_url) as url:
        with connect(url) as connection:
            migrations.migrate(connection)
        rebuild.ensure_live(url, projections.ALL, lambda *_: None)
        yield url


@contextmanager
def service_on(url: str, parts: frozenset[str] = frozenset(), data_dir: Path | None = None) -> Iterator[Service]:
    with TemporaryDirectory() as folder:
        service = Service(Settings(data_dir=data_dir or Path(folder)), url, parts)
        try:
            yield service
        finally:
            service.stop()


def in_threads(count: int, work: Callable[[int], object]) -> None:
    """Run the work in this many threads at once, each with its number."""
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def opened(ticket: UUID) -> NewEntry:
    event = TicketOpened(
        originator_id=ticket,
        originator_version=1,
        timestamp=NOW,
        actor=HOLDER,
        workspace="public",
        kind=Kind.CAMPAIGN,
        slug=ticket.hex[:12],
        contact=Contact(ContactType.EMAIL, "sealed"),
        contact_index="index",
        display_name=None,
        token_digest="digest",
    )
    return NewEntry(ticket, 1, event.TOPIC, codec.encode(event), ticket)


def asked_minor(number: int) -> int:
    """Return the amount of the donation with this number, in the minor unit."""
    return 1_000 + number % 9_000


def gift(ticket: UUID, number: int) -> list[NewEntry]:
    """Return the events of one paid donation. Every tenth donation is partly refunded."""
    donation = uuid7()
    stream = donation_stream(ticket, donation)
    amount = Money(asked_minor(number), "USD")
    common = {"actor": STRIPE, "ticket_id": ticket, "donation_id": donation}
    report = StripeReport(f"evt_{number}", 1_760_000_000 + number)
    paid = {"payment_intent_id": f"pi_{number}", "amount": amount, "report": report}
    facts: list[tuple[type[DonationEvent], dict[str, object]]] = [
        (CheckoutRequested, {"amount": amount}),
        (CheckoutOpened, {"session_id": f"cs_{number}", "expires_at": 1_760_086_400, "livemode": False}),
        (PaymentReceived, paid | {"charge_id": f"ch_{number}", "donor": Donor("Lovelace", "GB", "hash")}),
        (PaymentConfirmed, paid | {"session_id": f"cs_{number}", "donor": Donor("Lovelace", "GB", "hash")}),
    ]
    if number % 10 == 0:
        refund = {"refund_id": f"re_{number}", "amount": Money(100, "USD"), "state": "succeeded", "refunded_at": 1}
        facts.append((Refunded, refund | {"report": report}))
    entries = []
    for version, (fact, fields) in enumerate(facts, 1):
        build: Callable[..., DonationEvent] = fact
        event = build(originator_id=stream, originator_version=version, timestamp=NOW, **common, **fields)
        entries.append(NewEntry(stream, version, event.TOPIC, codec.encode(event), ticket))
    return entries


def write_history(url: str, gifts: int, tickets: int = 100, ticket: UUID | None = None) -> int:
    """Append this many donations, to one ticket or spread over many, and return the last position."""
    named = [ticket] if ticket else [uuid4() for _ in range(tickets)]
    position = 0
    with connect(url, statement_seconds=0) as connection, connection.cursor() as cursor:
        waiting = [] if ticket else [[opened(ticket_id)] for ticket_id in named]
        size = 0
        for number in range(gifts):
            waiting.append(gift(named[number % len(named)], number))
            size += len(waiting[-1])
            if size >= BATCH_EVENTS:
                position = _append(cursor, waiting)
                waiting, size = [], 0
        if waiting:
            position = _append(cursor, waiting)
        connection.execute("ANALYZE events")
    return position


def _append(cursor: object, groups: list[list[NewEntry]]) -> int:
    results = event_log.append(cursor, groups)  # type: ignore[arg-type]
    assert results[-1] is not None
    return results[-1][-1]
