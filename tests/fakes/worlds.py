"""Histories of several tickets, donations and support tickets, whose events are mixed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from hypothesis import strategies as st

from adapters.event_store import codec
from adapters.event_store.log import EventLog, NewEntry
from domain.desk import Desk
from domain.donations import Donation
from domain.events import PaymentReceived, Refunded, TicketEvent
from domain.support import SupportTicket
from domain.tickets import NewTicket, RecordingTicket
from domain.values import STRIPE, SYSTEM, Donor, Money, StripeReport, SupportCategory
from tests.domain.facts import CONTACT, HOLDER
from tests.fakes.requests import histories


def opened(ticket_id: UUID, workspace: str = "public") -> RecordingTicket:
    new_ticket = NewTicket(ticket_id, workspace, ticket_id.hex[:12], CONTACT, "index", "Ada", "digest")
    return RecordingTicket.open(HOLDER, new_ticket)


def donation_events(ticket_id: UUID, minor: int, refunds: Sequence[int]) -> list[TicketEvent]:
    """Return the events of a donation that was paid and then partly refunded."""
    donation = Donation.request_checkout(HOLDER, ticket_id, uuid4(), Money(minor, "USD"), None)
    name = donation.donation_id.hex
    fields = {"payment_intent_id": f"pi_{name}", "amount": Money(minor, "USD"), "donor": Donor("Hopper", "US")}
    donation.record(STRIPE, PaymentReceived, **fields, report=StripeReport(f"evt_{name}", 1_700_000_000))
    for number, refunded_minor in enumerate(refunds):
        donation.record(
            STRIPE,
            Refunded,
            refund_id=f"re_{name}_{number}",
            amount=Money(refunded_minor, "USD"),
            state="succeeded",
            refunded_at=1_700_000_100 + number,
            report=StripeReport(f"evt_{name}_{number}", 1_700_000_100 + number),
        )
    return [event for event in donation.collect_events() if isinstance(event, TicketEvent)]


def support_events(
    ticket_id: UUID, by_holder: bool, requests: Sequence[Callable[[SupportTicket], Any]]
) -> list[TicketEvent]:
    """Return the events of a support ticket about a ticket, opened by its holder or by another person."""
    support_id = uuid4()
    support = SupportTicket.open(
        HOLDER,
        support_id,
        ticket_id=ticket_id if by_holder else support_id,
        category=SupportCategory.OTHER,
        message="Help",
        about=ticket_id,
        contact=CONTACT,
        contact_index="index",
    )
    for request in requests:
        request(support)
    return [event for event in support.collect_events() if isinstance(event, TicketEvent)]


_SUPPORT_CHANGES = st.lists(st.sampled_from([lambda s: s.resolve(HOLDER), lambda s: s.erase(HOLDER)]), max_size=2)


_DUE = datetime(2026, 5, 4, 12, tzinfo=UTC)
DESK_CHANGES = st.lists(
    st.sampled_from(
        [
            lambda desk: desk.set_labels(HOLDER, ["roof"]),
            lambda desk: desk.set_labels(HOLDER, ["call back", "roof"]),
            lambda desk: desk.assign(HOLDER, UUID(int=21)),
            lambda desk: desk.assign(HOLDER, None),
            lambda desk: desk.set_due_date(HOLDER, _DUE),
            lambda desk: desk.set_due_date(HOLDER, None),
            lambda desk: desk.remind(SYSTEM, _DUE),
            lambda desk: desk.add_note(HOLDER, uuid4(), "Call back."),
        ]
    ),
    max_size=5,
)


def desk_events(
    ticket_id: UUID, requests: Sequence[Callable[[Desk], Any]], workspace: str = "public"
) -> list[TicketEvent]:
    """Return what was noted about a ticket in these requests."""
    desk = Desk.open(HOLDER, ticket_id, workspace)
    for request in requests:
        request(desk)
    return [event for event in desk.collect_events() if isinstance(event, TicketEvent)]


def ticket_events(
    ticket_id: UUID, requests: Sequence[Callable[[RecordingTicket], Any]], workspace: str = "public"
) -> list[TicketEvent]:
    """Return the events of a ticket after these requests."""
    ticket = opened(ticket_id, workspace)
    for request in requests:
        request(ticket)
    return [event for event in ticket.collect_events() if isinstance(event, TicketEvent)]


@st.composite
def worlds(draw: st.DrawFn) -> list[TicketEvent]:
    """Return the events of up to three tickets with all their other streams, each stream in order."""
    streams: list[list[TicketEvent]] = []
    for requests in draw(st.lists(histories, min_size=1, max_size=3)):
        ticket_id = uuid4()
        streams.append(ticket_events(ticket_id, requests))
        for refunds in draw(st.lists(st.lists(st.integers(1, 50), max_size=2), max_size=2)):
            streams.append(donation_events(ticket_id, 100, refunds))
        for changes in draw(st.lists(_SUPPORT_CHANGES, max_size=1)):
            streams.append(support_events(ticket_id, draw(st.booleans()), changes))
        for changes in draw(st.lists(DESK_CHANGES, max_size=1)):
            streams.append(desk_events(ticket_id, changes))
    order = draw(st.permutations([number for number, stream in enumerate(streams) for _ in stream]))
    remaining = [iter(stream) for stream in streams]
    return [next(remaining[number]) for number in order]


def entry_of(event: TicketEvent) -> NewEntry:
    """Return the event as it is stored, without encrypting its personal texts."""
    return NewEntry(
        originator_id=event.originator_id,
        originator_version=event.originator_version,
        topic=event.TOPIC,
        state=codec.encode(event),
        ticket=event.ticket,
    )


def record(log: EventLog, events: Sequence[TicketEvent]) -> int:
    """Append the events without encrypting them and return the position of the last one."""
    for start in range(0, len(events), 500):
        assert log.append([entry_of(event) for event in events[start : start + 500]]) is not None
    return log.head()
