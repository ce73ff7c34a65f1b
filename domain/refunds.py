"""Giving money back from our side: the intention is on record first, then Stripe is asked, then its answer is noted."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from domain.donations import Donation
from domain.errors import InvalidError, RefusedError, UnavailableError
from domain.events import Refunded, RefundFailed
from domain.gift import LIVE_REFUND
from domain.ports import RefundOrder, Refunds, RefundTold
from domain.values import SYSTEM, Actor, Money, Role, StripeReport

if TYPE_CHECKING:
    from domain.commands import Commands
    from domain.stores import Donations

# Stripe keeps idempotency keys for a day: for so long the same question surely has the same effect.
KEYS_LIVE = timedelta(hours=23)

STRIPE = Actor(Role.STRIPE)


@dataclass(frozen=True)
class Refunding:
    """Asks for refunds, and finishes what a crash or an outage left open."""

    donations: Donations
    refunds: Refunds

    def refund(
        self,
        actor: Actor,
        ticket_id: UUID,
        donation_id: UUID,
        request_id: UUID,
        amount: Money | None,
        reason: str | None,
    ) -> None:
        """Give back `amount`, all that is left if None; RefusedError if it cannot be, now or at Stripe.

        While Stripe is away the request stays open, and is finished once it is back.
        """
        if amount is not None and amount.minor <= 0:
            raise InvalidError("must be more than nothing", "/amount")
        self.donations.change(
            ticket_id, donation_id, lambda donation: donation.request_refund(actor, request_id, amount, reason)
        )
        with suppress(UnavailableError):
            self.finish(ticket_id, donation_id, request_id)

    def finish(self, ticket_id: UUID, donation_id: UUID, request_id: UUID, asked_at: datetime | None = None) -> None:
        """Get Stripe's answer to an open request and note it; the same refund however often it is asked.

        Of a request that was asked before, `asked_at` says when: Stripe may have it although we never heard.
        """
        donation = self.donations.get(ticket_id, donation_id)
        if request_id not in donation.gift.open_requests:
            return
        request = donation.gift.requests[request_id]
        money = Money(request.amount, donation.amount.currency)
        order = RefundOrder(request_id, ticket_id, donation_id, request.payment_intent_id, money)
        try:
            told = self._answer(order, asked_at)
        except (RefusedError, InvalidError) as refusal:
            reason = str(refusal)
            self.donations.change(ticket_id, donation_id, lambda d: d.refuse_refund(SYSTEM, request_id, reason))
            raise
        self.donations.change(ticket_id, donation_id, lambda d: _note(d, request_id, told))

    def _answer(self, order: RefundOrder, asked_at: datetime | None) -> RefundTold:
        if asked_at is not None:
            if (found := self.refunds.find(order, asked_at)) is not None:
                return found
            if datetime.now(asked_at.tzinfo) - asked_at > KEYS_LIVE:
                raise RefusedError("Stripe never took this request, and it is too old to be made again.")
        return self.refunds.give_back(order)


def _note(donation: Donation, request_id: UUID, told: RefundTold) -> None:
    donation.accept_refund(SYSTEM, request_id, told.refund_id)
    donation.take(
        STRIPE,
        Refunded if told.state in LIVE_REFUND else RefundFailed,
        refund_id=told.refund_id,
        amount=told.amount,
        state=told.state,
        refunded_at=told.refunded_at,
        charge_id=told.charge_id,
        report=StripeReport(told.refund_id, told.refunded_at),
    )


@dataclass(frozen=True)
class PendingCalls:
    """Finishes what was asked of Stripe and never answered, as far as anybody knows here."""

    commands: Commands
    refunding: Refunding

    def repair(self, ticket_id: UUID, donation_id: UUID, asked_at: datetime) -> None:
        """Finish the open intentions of one donation; UnavailableError while Stripe is away."""
        donation = self.commands.donations.get(ticket_id, donation_id)
        with suppress(RefusedError, InvalidError):
            if donation.awaits_checkout:
                self._open_checkout(donation, asked_at)
            for request_id in donation.gift.open_requests:
                self.refunding.finish(ticket_id, donation_id, request_id, asked_at)

    def _open_checkout(self, donation: Donation, asked_at: datetime) -> None:
        commands, ticket = self.commands, self.commands.tickets.get(donation.ticket_id)
        names = donation.ticket_id, donation.donation_id
        if ticket.erased or commands.now() - asked_at > KEYS_LIVE:
            commands.donations.change(*names, lambda d: d.refuse_checkout(SYSTEM, "never opened"))
        else:
            commands.complete_checkout(*names, return_url=commands.page_url(ticket.slug), actor=SYSTEM)
