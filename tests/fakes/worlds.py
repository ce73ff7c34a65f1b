"""Whole histories: several tickets and gifts at once, their events mixed as they would be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID, uuid4

from hypothesis import strategies as st

from adapters.event_store import codec
from adapters.event_store.log import EventLog, NewEntry
from domain.donations import Donation
from domain.events import PaymentReceived, Refunded, TicketEvent
from domain.support import SupportTicket
from domain.tickets import NewTicket, RecordingTicket
from domain.values import Actor, Donor, Money, Role, StripeReport, SupportCategory
from tests.domain.facts import CONTACT, HOLDER
from tests.fakes.requests import histories

STRIPE = Actor(Role.STRIPE)


def opened(ticket_id: UUID) -> RecordingTicket:
    new_ticket = NewTicket(ticket_id, "public", ticket_id.hex[:12], CONTACT, "index", "Ada", "digest")
    return RecordingTicket.open(HOLDER, new_ticket)


def gift(ticket_id: UUID, minor: int, refunds: Sequence[int]) -> list[TicketEvent]:
    """A gift that was paid and partly given back."""
    donation = Donation.request_checkout(HOLDER, ticket_id, uuid4(), Money(minor, "USD"), None)
    name = donation.donation_id.hex
    told = {"payment_intent_id": f"pi_{name}", "amount": Money(minor, "USD"), "donor": Donor("Hopper", "US")}
    donation.record(STRIPE, PaymentReceived, **told, report=StripeReport(f"evt_{name}", 1_700_000_000))
    for number, back in enumerate(refunds):
        donation.record(
            STRIPE,
            Refunded,
            refund_id=f"re_{name}_{number}",
            amount=Money(back, "USD"),
            state="succeeded",
            refunded_at=1_700_000_100 + number,
            report=StripeReport(f"evt_{name}_{number}", 1_700_000_100 + number),
        )
    return [event for event in donation.collect_events() if isinstance(event, TicketEvent)]


def asked_for_help(ticket_id: UUID, known: bool, asked: Sequence[Callable[[SupportTicket], Any]]) -> list[TicketEvent]:
    """Events of a support ticket about a ticket, opened by its holder or by another person."""
    support_id = uuid4()
    support = SupportTicket.open(
        HOLDER,
        support_id,
        ticket_id=ticket_id if known else support_id,
        category=SupportCategory.OTHER,
        message="Help",
        about=ticket_id,
        contact=CONTACT,
        contact_index="index",
    )
    for request in asked:
        request(support)
    return [event for event in support.collect_events() if isinstance(event, TicketEvent)]


_SEEN_TO = st.lists(st.sampled_from([lambda s: s.resolve(HOLDER), lambda s: s.erase(HOLDER)]), max_size=2)


def lived(ticket_id: UUID, asked: Sequence[Callable[[RecordingTicket], Any]]) -> list[TicketEvent]:
    """Return the events of a ticket after these requests."""
    ticket = opened(ticket_id)
    for request in asked:
        request(ticket)
    return [event for event in ticket.collect_events() if isinstance(event, TicketEvent)]


@st.composite
def worlds(draw: st.DrawFn) -> list[TicketEvent]:
    """The events of up to three tickets, their gifts and calls for help: each stream in order, the streams mixed."""
    streams: list[list[TicketEvent]] = []
    for asked in draw(st.lists(histories, min_size=1, max_size=3)):
        ticket_id = uuid4()
        streams.append(lived(ticket_id, asked))
        for refunds in draw(st.lists(st.lists(st.integers(1, 50), max_size=2), max_size=2)):
            streams.append(gift(ticket_id, 100, refunds))
        for seen_to in draw(st.lists(_SEEN_TO, max_size=1)):
            streams.append(asked_for_help(ticket_id, draw(st.booleans()), seen_to))
    order = draw(st.permutations([number for number, stream in enumerate(streams) for _ in stream]))
    left = [iter(stream) for stream in streams]
    return [next(left[number]) for number in order]


def entry_of(event: TicketEvent) -> NewEntry:
    """The event as it is stored, its personal texts left as they are."""
    return NewEntry(
        originator_id=event.originator_id,
        originator_version=event.originator_version,
        topic=event.TOPIC,
        state=codec.encode(event),
        ticket=event.ticket,
    )


def record(log: EventLog, events: Sequence[TicketEvent]) -> int:
    """Append the events as they are and tell the position reached."""
    for start in range(0, len(events), 500):
        assert log.append([entry_of(event) for event in events[start : start + 500]]) is not None
    return log.head()
