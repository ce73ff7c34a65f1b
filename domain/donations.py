"""One donation: a fold over facts about Stripe's objects, the same for every order and repetition of them.

The rules of money are in `domain.gift`; here is what may be decided, and what is noted of what Stripe tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self
from uuid import UUID, uuid5

from eventsourcing.domain import BaseAggregate

from domain.errors import RefusedError
from domain.events import (
    CheckoutOpened,
    CheckoutRefused,
    CheckoutRequested,
    DonationEvent,
    PaymentConfirmed,
    PaymentReceived,
    RefundAccepted,
    RefundRefused,
    RefundRequested,
)
from domain.gift import Gift
from domain.values import Actor, Money


def donation_stream(ticket_id: UUID, donation_id: UUID) -> UUID:
    """The stream that a donation's facts are kept in."""
    return uuid5(ticket_id, donation_id.hex)


class Donation(BaseAggregate[UUID]):
    """One gift under a ticket, from the wish to give to whatever became of the money."""

    TOPIC = "donation"

    def __init__(self, ticket_id: UUID, donation_id: UUID, amount: Money) -> None:
        self.ticket_id = ticket_id
        self.donation_id = donation_id
        self.amount = amount
        self.description: str | None = None
        self.gift = Gift()
        self._told_at: dict[tuple[Any, ...], int] = {}

    # Deciding: the checkout.

    @classmethod
    def request_checkout(
        cls, actor: Actor, ticket_id: UUID, donation_id: UUID, amount: Money, description: str | None
    ) -> Self:
        return cls._create(
            CheckoutRequested,
            id=donation_stream(ticket_id, donation_id),
            actor=actor,
            ticket_id=ticket_id,
            donation_id=donation_id,
            amount=amount,
            description=description,
        )

    @property
    def awaits_checkout(self) -> bool:
        """The gift is on record, and nobody knows yet whether Stripe opened a checkout for it."""
        return self.gift.awaits_checkout

    def open_checkout(self, actor: Actor, session_id: str, expires_at: int, livemode: bool) -> None:
        if self.gift.opened_session != session_id:
            self._trigger(CheckoutOpened, actor, session_id=session_id, expires_at=expires_at, livemode=livemode)

    def refuse_checkout(self, actor: Actor, reason: str) -> None:
        if self.awaits_checkout:
            self._trigger(CheckoutRefused, actor, reason=reason)

    # Deciding: giving money back.

    def request_refund(self, actor: Actor, request_id: UUID, amount: Money | None, reason: str | None) -> None:
        """Set `amount` aside to be given back, all that is left if None; asking again with the same id is no news."""
        if request_id in self.gift.requests:
            return
        if not self.gift.captured:
            raise RefusedError("This donation was not paid, so there is nothing to give back.")
        if self.gift.dispute_open:
            raise RefusedError("A dispute about this donation is open: the bank decides who gets the money.")
        left = self.gift.left
        wanted = left if amount is None else amount.minor
        if not 0 < wanted <= left:
            raise RefusedError("No more can be given back than is left of the donation.")
        self._trigger(
            RefundRequested,
            actor,
            request_id=request_id,
            payment_intent_id=max(self.gift.captured, key=lambda intent: (self.gift.captured[intent], intent)),
            amount=Money(wanted, self.amount.currency),
            reason=reason,
        )

    def accept_refund(self, actor: Actor, request_id: UUID, refund_id: str) -> None:
        if self._awaits_refund(request_id):
            self._trigger(RefundAccepted, actor, request_id=request_id, refund_id=refund_id)

    def refuse_refund(self, actor: Actor, request_id: UUID, reason: str) -> None:
        if self._awaits_refund(request_id):
            self._trigger(RefundRefused, actor, request_id=request_id, reason=reason)

    def _awaits_refund(self, request_id: UUID) -> bool:
        return request_id in self.gift.open_requests

    # Noting what Stripe tells.

    def take(self, actor: Actor, fact: type[DonationEvent], **told: Any) -> None:
        """Note a fact that Stripe told; the same fact told again, by another event or later, changes nothing."""
        if fact is PaymentReceived and told["payment_intent_id"] in self.gift.captured:
            fact = PaymentConfirmed
        known_since = self._told_at.get(_fingerprint(fact, told))
        if known_since is None or told["report"].at < known_since:
            self._trigger(fact, actor, **told)

    def _trigger(self, fact: type[DonationEvent], actor: Actor, **told: Any) -> None:
        self.trigger_event(fact, actor=actor, ticket_id=self.ticket_id, donation_id=self.donation_id, **told)

    # Evolving.

    def evolve(self, event: DonationEvent) -> None:
        if isinstance(event, CheckoutRequested):
            self.description = event.description
        if (report := getattr(event, "report", None)) is not None:
            told = {name: value for name, value in vars(event).items() if name not in _NOT_TOLD}
            self._told_at[_fingerprint(type(event), told)] = report.at
        self.gift.note(event)


_NOT_TOLD = frozenset(("originator_id", "originator_version", "timestamp", "actor", "ticket_id", "donation_id"))


def _fingerprint(fact: type[DonationEvent], told: Mapping[str, Any]) -> tuple[Any, ...]:
    """What a fact says, whoever reported it and when; a capture told first and told again are the same fact."""
    kind = PaymentReceived if fact is PaymentConfirmed else fact
    defaults = {name: getattr(kind, name) for name in ("session_id", "charge_id", "donor") if hasattr(kind, name)}
    said = defaults | {name: value for name, value in told.items() if name != "report"}
    return (kind.TOPIC, *sorted(said.items(), key=lambda item: item[0]))
