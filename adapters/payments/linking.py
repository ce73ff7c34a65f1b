"""Finds the donation that a Stripe event belongs to, or that it belongs to other business on the same Stripe account.

A session that we opened belongs to its donation, whatever its metadata says, and an intent belongs to the donation of
its session. Everything else is linked to an intent. The metadata of an intent or a charge moves no money by itself: it
may have been copied from another payment.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from uuid import UUID

from msgspec import Struct
from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.payments.event_parsers import ParsedFact
from adapters.payments.inbox import NO_CHECKOUT, Inbox
from adapters.payments.parsed_events import PAYMENT_PREFIXES, ParsedEvent
from adapters.payments.stripe_objects import SESSION, DonationKey
from domain.donations import Donation
from domain.events import CheckoutOpened, PaymentDelayed, PaymentFailed, PaymentReceived, TicketEvent
from domain.values import STRIPE, Actor

# Why an event is ignored although its type is one that we use.
OTHER_BUSINESS = "other business"
OTHER_ACCOUNT = "other account"

_LOAD = "SELECT object_id, ticket_id, donation_id FROM stripe_links WHERE object_id = ANY(%b)"
_STORE_OPENED = """
WITH ignored AS (SELECT FROM stripe_links WHERE object_id = %(session)s AND ticket_id IS NULL)
INSERT INTO stripe_links (object_id, ticket_id, donation_id) VALUES (%(session)s, %(ticket)s, %(donation)s)
    ON CONFLICT (object_id) DO UPDATE SET ticket_id = EXCLUDED.ticket_id, donation_id = EXCLUDED.donation_id
RETURNING EXISTS (SELECT FROM ignored)
"""
# What took an object for other business is corrected; what linked it to a donation stays.
_STORE_FOUND = """
INSERT INTO stripe_links AS stored (object_id, ticket_id, donation_id, payment_id)
SELECT * FROM unnest(%b::text[], %b::uuid[], %b::uuid[], %b::text[])
    ON CONFLICT (object_id) DO UPDATE SET ticket_id = EXCLUDED.ticket_id, donation_id = EXCLUDED.donation_id
 WHERE stored.donation_id IS NULL
"""
_IGNORED_WITH = "SELECT object_id FROM stripe_links WHERE payment_id = ANY(%b) AND ticket_id IS NULL"
_IS_HELD = "SELECT EXISTS (SELECT FROM stripe_inbox WHERE state = 'held' AND waits_for <> '{}')"
_WAKE = (
    "UPDATE stripe_inbox SET state = 'received', error = NULL, waits_for = '{}', ask_about = NULL,"
    " next_attempt_at = now() WHERE state = 'held' AND waits_for && %b"
)
_MARK_WITHOUT_CHECKOUT = "UPDATE stripe_inbox SET error = %s WHERE state = 'held' AND waits_for && %b"


class InboxRow(Struct):
    """A row of the inbox while it is applied: five stored values, and what applying it adds (from `body` on)."""

    event_id: str
    stripe_created: int
    sealed_body: bytes
    ticket_id: UUID | None
    accepted_by: str | None
    body: bytes = b""
    event: ParsedEvent | None = None
    pending_object_id: str | None = None
    donation_key: DonationKey | None = None
    state: str = "applied"
    error: str | None = None
    # The ids of Stripe objects; the event is applied once any of them is linked to a donation.
    waits_for: tuple[str, ...] = ()
    ask_about: str | None = None

    @property
    def actor(self) -> Actor:
        return STRIPE if self.accepted_by is None else Actor.parse(self.accepted_by)

    @property
    def is_answer(self) -> bool:
        """Return True if the row is an object that we asked Stripe for, and no event."""
        return self.event is not None and self.event_id == self.event.object_ids[0]

    @property
    def missing_ids(self) -> tuple[str, ...]:
        """Return the ids of the Stripe objects that an applied event names but does not contain."""
        return self.event.missing_ids if self.event is not None and self.state == "applied" else ()


Load = Callable[[Iterable[DonationKey]], dict[DonationKey, Donation]]
_Parsed = Sequence[tuple[InboxRow, ParsedEvent]]


def link_checkout(inbox: Inbox, cursor: Cursor[TupleRow], _: object, event: TicketEvent) -> None:
    """Link an opened checkout to its donation, in the transaction that records it.

    If earlier events about it were ignored as other business, it is retrieved.
    """
    assert isinstance(event, CheckoutOpened)
    values = {"session": event.session_id, "ticket": event.ticket_id, "donation": event.donation_id}
    if cursor.execute(_STORE_OPENED.encode(), values).fetchone() == (True,):
        inbox.add_retrievals(cursor, {event.session_id: int(time.time())}, repeat=True)
    cursor.execute(_WAKE.encode(), ([event.session_id, str(event.donation_id)],))


def link(
    cursor: Cursor[TupleRow], rows: Sequence[InboxRow], load: Load
) -> tuple[dict[DonationKey, Donation], set[str]]:
    """Find each row's donation and store the new links, or set the state of a row that has none.

    Return the donations by their keys, and the ids of objects of theirs whose earlier events were ignored as other
    business: of those that are linked now, and of all that were ignored under them. Events of other batches that are
    held for one of the linked objects become due again.
    """
    parsed = [(row, row.event) for row in rows if row.event is not None]
    is_held = cursor.execute(_IS_HELD.encode()).fetchone() == (True,)
    cursor.execute(_LOAD.encode(), (list({id for _, event in parsed for id in event.object_ids}),), prepare=True)
    stored = cursor.fetchall()
    links: dict[str, DonationKey] = {id: (ticket, donation) for id, ticket, donation in stored if ticket is not None}
    other_ids = {id for id, ticket, _ in stored if ticket is None}
    donations = load({*links.values(), *(event.named_donation for _, event in parsed if event.named_donation)})
    new_links = _find_links(parsed, links, donations)
    unlinked = [(row, event) for row, event in parsed if row.donation_key is None and row.state == "applied"]
    payments_of_others = _ignore_other_business(unlinked, other_ids)
    for row, event in unlinked:
        if row.state == "applied":
            _hold(row, event, donations)
    if new_links or payments_of_others:
        _store(cursor, new_links, payments_of_others)
    if is_held:
        cursor.execute(_WAKE.encode(), ([*new_links, *payments_of_others],))
        session_ids = [
            event.object_ids[0]
            for row, event in parsed
            if row.state == "applied" and row.donation_key and event.names_its_intent
        ]
        cursor.execute(_MARK_WITHOUT_CHECKOUT.encode(), (NO_CHECKOUT, session_ids))
    if ignored_ids := other_ids & new_links.keys():
        cursor.execute(_IGNORED_WITH.encode(), (sorted(ignored_ids),))
        ignored_ids |= {id for (id,) in cursor.fetchall()}
    return donations, ignored_ids


def _find_links(
    parsed: _Parsed, links: dict[str, DonationKey], donations: Mapping[DonationKey, Donation]
) -> dict[str, DonationKey]:
    """Set the rows' donations and return the new links.

    A refund may name only a charge, and the charge only an intent, so the search is repeated until it finds no new
    link. An event that is refused links nothing, so that what depends on its payment is held.
    """
    new_links: dict[str, DonationKey] = {}
    accepted_minor = {
        fact.fields["payment_intent_id"]: fact.fields["amount"].minor
        for row, event in parsed
        if row.accepted_by is not None
        for fact in _captures(event.facts)
    }
    found_link = True
    while found_link:
        found_link = False
        for row, event in parsed:
            if row.donation_key is not None:
                continue
            key = next((links[id] for id in event.object_ids if links.get(id) in donations), None)
            if key is None and _is_proven(row, event, donations):
                key = event.named_donation
            if key is None:
                continue
            row.donation_key = key
            if row.state == "applied" and (refusal := _refusal(event, donations[key], accepted_minor)):
                row.state, row.error = ("ignored" if row.is_answer else "dead"), refusal
                continue
            for id in event.object_ids:
                if id not in links:
                    links[id] = new_links[id] = key
                    found_link = True
    return new_links


def _is_proven(row: InboxRow, event: ParsedEvent, donations: Mapping[DonationKey, Donation]) -> bool:
    """Return True if the donation that the metadata names is the event's: it is a checkout, or a person said so."""
    return event.named_donation in donations and (event.kind == SESSION or row.accepted_by is not None)


def _refusal(event: ParsedEvent, donation: Donation, accepted_minor: Mapping[str, int]) -> str | None:
    """Return why a person must look at the event, or None. What they accepted is accepted of the same payment again."""
    requested = donation.amount
    if any(fact.currency not in (None, requested.currency) for fact in event.facts):
        return "malformed: currency differs from the donation's"
    for fact in _captures(event.facts):
        intent, captured = fact.fields["payment_intent_id"], fact.fields["amount"]
        recorded = donation.gift.captured.get(intent)
        if captured.minor > max(requested.minor, accepted_minor.get(intent, 0), recorded.amount if recorded else 0):
            return f"captured {captured.major} {captured.currency} instead of {requested.major} {requested.currency}"
    return None


def _captures(facts: Iterable[ParsedFact]) -> Iterator[ParsedFact]:
    return (fact for fact in facts if fact.event_type is PaymentReceived)


def _ignore_other_business(unlinked: _Parsed, other_ids: set[str]) -> dict[str, str]:
    """Ignore the events that belong to no donation of ours, and return the ids that only they have.

    An object that would have our metadata if it were ours, and has none, is not ours, nor is what it names. With each
    id comes that of the payment under which it was ignored.
    """
    links: dict[str, str] = {}
    grew = True
    while grew:
        grew = False
        for row, event in unlinked:
            if row.state != "applied" or event.named_donation is not None:
                continue
            if event.is_whole or not (other_ids | links.keys()).isdisjoint(event.object_ids):
                row.state, row.error = "ignored", OTHER_BUSINESS
                for id in event.object_ids:
                    links.setdefault(id, event.payment_id)
                grew = True
    return {id: payment_id for id, payment_id in links.items() if id not in other_ids}


def _hold(row: InboxRow, event: ParsedEvent, donations: Mapping[DonationKey, Donation]) -> None:
    """Hold an event whose donation is not known, unless its metadata names one and it moves no money."""
    row.waits_for = event.object_ids
    donation = donations.get(event.named_donation) if event.named_donation else None
    if donation is None:
        row.state = "held"
        if not event.is_whole and event.named_donation is None:
            row.ask_about = event.payment_id if event.payment_id.startswith(PAYMENT_PREFIXES) else None
    elif (facts := event.facts_to_record) and all(fact.event_type in (PaymentFailed, PaymentDelayed) for fact in facts):
        row.donation_key = event.named_donation
    else:
        row.state = "held"
        row.ask_about = donation.gift.opened_session
        # If no session is recorded yet, the event waits until the donation has one.
        row.waits_for += (row.ask_about or str(donation.donation_id),)


def _store(cursor: Cursor[TupleRow], links: Mapping[str, DonationKey], payments_of_others: Mapping[str, str]) -> None:
    ids = [*links, *payments_of_others]
    keys: list[tuple[UUID | None, UUID | None]] = [links.get(id, (None, None)) for id in ids]
    cursor.execute(
        _STORE_FOUND.encode(),
        (
            ids,
            [ticket for ticket, _ in keys],
            [donation for _, donation in keys],
            [payments_of_others.get(id) for id in ids],
        ),
        prepare=True,
    )
