"""The Donation: decides about checkouts and refunds, and records a fact once, however often Stripe reports it.

The rules for the money are in `domain.gift`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self
from uuid import UUID, uuid5

from msgspec import structs

from domain import events
from domain.aggregate import Aggregate
from domain.errors import NotFoundError, RefusedError
from domain.gift import Gift
from domain.movements import UNANSWERED_DISPUTE_STATES
from domain.organisations import ReceiptNumber
from domain.refund_proposals import MOST_PROPOSALS, Proposals, ProposalState, RefundProposal, proposals_after
from domain.values import Actor, Donor, GiftWords, Money


def donation_stream(ticket_id: UUID, donation_id: UUID) -> UUID:
    return uuid5(ticket_id, donation_id.hex)


class Donation(Aggregate):
    """One donation to a ticket, from the requested checkout on."""

    TOPIC = "donation"

    def __init__(self, ticket_id: UUID, donation_id: UUID, amount: Money) -> None:
        self.ticket_id = ticket_id
        self.donation_id = donation_id
        self.amount = amount
        self.description: str | None = None
        self.ticket_version = 0
        self.words = GiftWords()
        self.words_hidden = False
        # When the name of a donor who asked to be forgotten goes, in Unix seconds, and whether it is gone.
        self.forget_at: int | None = None
        self.forgotten = False
        self.gift = Gift()
        self.proposals: Proposals = {}
        self.receipt_number: ReceiptNumber | None = None
        self.reminded_disputes: set[str] = set()
        # The earliest time that Stripe reported for each fact, in Unix seconds.
        self._reported_at: dict[tuple[Any, ...], int] = {}

    # Deciding: the checkout.

    @classmethod
    def request_checkout(
        cls,
        actor: Actor,
        ticket_id: UUID,
        donation_id: UUID,
        amount: Money,
        description: str | None,
        ticket_version: int | None = None,
        words: GiftWords = GiftWords(),  # noqa: B008
    ) -> Self:
        return cls._begin(
            events.CheckoutRequested,
            donation_stream(ticket_id, donation_id),
            actor,
            ticket_id=ticket_id,
            donation_id=donation_id,
            amount=amount,
            description=description,
            ticket_version=ticket_version,
            words=words,
        )

    def open_checkout(self, actor: Actor, session_id: str, expires_at: int, livemode: bool) -> None:
        if self.gift.opened_session != session_id:
            self._trigger(events.CheckoutOpened, actor, session_id=session_id, expires_at=expires_at, livemode=livemode)

    def refuse_checkout(self, actor: Actor, reason: str) -> None:
        if self.gift.awaits_checkout:
            self._trigger(events.CheckoutRefused, actor, reason=reason)

    @property
    def is_payable(self) -> bool:
        """Whether neither a payment nor the end of the checkout is recorded; a failed attempt may be repeated."""
        return not self.gift.captured and not self.gift.expired

    # Deciding: the donor's words.

    def hide_words(self, actor: Actor, *, hidden: bool) -> None:
        """Keep the donor's words off the page, or show them again; NotFoundError if the donor left none."""
        if self.words == GiftWords():
            raise NotFoundError("This gift has no words.")
        if hidden != self.words_hidden:
            self._trigger(events.DonorWordsHidden if hidden else events.DonorWordsShown, actor)

    # Deciding: the donor is forgotten.

    def forget_donor(self, actor: Actor, kept_until: datetime | None, now: datetime) -> None:
        """Forget the donor, except for the name if it must be kept; a repeated request changes nothing."""
        name = self.gift.donor.last_name
        if self.forgotten:
            return
        if name is None or kept_until is None or kept_until <= now:
            self._trigger(events.DonorForgotten, actor)
        elif self.forget_at is None:
            forget_at = int(kept_until.timestamp())
            self._trigger(events.DonorForgetRequested, actor, forget_at=forget_at, last_name=name)

    @property
    def forget_requested(self) -> bool:
        return self.forgotten or self.forget_at is not None

    # Deciding: the receipt.

    def require_paid(self) -> None:
        """RefusedError if the donation was not paid."""
        if self.gift.paid_at is None:
            raise RefusedError("This donation was not paid, so there is no receipt for it.")

    def number_receipt(self, actor: Actor, workspace: str, number: ReceiptNumber) -> None:
        """Give the receipt its number, which it keeps; RefusedError for a donation that was not paid."""
        self.require_paid()
        if self.receipt_number is None:
            self._trigger(events.ReceiptNumbered, actor, workspace=workspace, year=number.year, number=number.number)

    # Deciding: refunds.

    def request_refund(self, actor: Actor, request_id: UUID, amount: Money | None, reason: str | None) -> list[UUID]:
        """Record a refund request for `amount`, or for all that is left without one; a repeated id changes nothing.

        Stripe refunds one payment at a time, so a donation that was paid twice may need a request for each payment.
        Return the ids of the requests; the first is `request_id`.
        """
        if request_id in self.gift.requests:
            part_ids = (uuid5(request_id, intent) for intent in sorted(self.gift.captured))
            return [request_id, *(id for id in part_ids if id in self.gift.requests)]
        refund_minor = self.refund_sum(amount)
        ids: list[UUID] = []
        for intent, part_minor in self.gift.refund_parts(refund_minor):
            ids.append(uuid5(request_id, intent) if ids else request_id)
            self._trigger(
                events.RefundRequested,
                actor,
                request_id=ids[-1],
                payment_intent_id=intent,
                amount=Money(part_minor, self.amount.currency),
                reason=None if self.forget_requested else reason,
            )
        return ids

    def refund_sum(self, amount: Money | None) -> int:
        """Return what a refund of `amount`, or of all that is left, would pay back; RefusedError if it may not."""
        if not self.gift.captured:
            raise RefusedError("This donation was not paid, so there is nothing to refund.")
        if self.gift.dispute_open:
            raise RefusedError("A dispute about this donation is open: the bank decides who gets the money.")
        refundable = self.gift.refundable
        refund_minor = refundable if amount is None else amount.minor
        if not 0 < refund_minor <= refundable:
            raise RefusedError("No more can be refunded than is left of the donation.")
        return refund_minor

    def propose_refund(self, actor: Actor, proposal_id: UUID, amount: Money | None, reason: str | None) -> None:
        """Ask for a refund, which another person approves; a repeated id changes nothing."""
        if proposal_id in self.proposals:
            return
        refundable = self.gift.refundable if self.gift.captured else 0
        if not 0 < (refundable if amount is None else amount.minor) <= refundable:
            raise RefusedError("No more can be refunded than is left of the donation.")
        if len(self.proposals) >= MOST_PROPOSALS:
            raise RefusedError(f"At most {MOST_PROPOSALS} refunds of a donation can be asked for.")
        self._trigger(events.RefundProposed, actor, proposal_id=proposal_id, amount=amount, reason=reason)

    def approve_proposal(self, actor: Actor, proposal_id: UUID) -> list[UUID]:
        """Request the refund that another person asked for, and return the ids of the requests as `request_refund`."""
        proposal = self._proposal(proposal_id)
        if proposal.state is ProposalState.DECLINED:
            raise RefusedError("This refund was declined.")
        if proposal.state is ProposalState.OPEN:
            if proposal.asked_by == actor:
                raise RefusedError("Another person has to approve the refund that you asked for.")
            self._trigger(events.RefundProposalApproved, actor, proposal_id=proposal_id)
        return self.request_refund(actor, proposal_id, proposal.amount, None)

    def decline_proposal(self, actor: Actor, proposal_id: UUID) -> None:
        proposal = self._proposal(proposal_id)
        if proposal.state is ProposalState.APPROVED:
            raise RefusedError("This refund was approved already.")
        if proposal.state is ProposalState.OPEN:
            self._trigger(events.RefundProposalDeclined, actor, proposal_id=proposal_id)

    def _proposal(self, proposal_id: UUID) -> RefundProposal:
        if proposal_id not in self.proposals:
            raise NotFoundError("Nobody asked for this refund.")
        return self.proposals[proposal_id]

    def accept_refund(self, actor: Actor, request_id: UUID, refund_id: str) -> None:
        if self._awaits_refund(request_id):
            self._trigger(events.RefundAccepted, actor, request_id=request_id, refund_id=refund_id)

    def refuse_refund(self, actor: Actor, request_id: UUID, reason: str) -> None:
        if self._awaits_refund(request_id):
            self._trigger(events.RefundRefused, actor, request_id=request_id, reason=reason)

    def _awaits_refund(self, request_id: UUID) -> bool:
        return request_id in self.gift.open_requests

    # Deciding: disputes.

    def remind_of_dispute(self, actor: Actor, dispute_id: str, due_by: int) -> None:
        """Record that the staff are reminded of the dispute, once, and only while it has to be answered."""
        awaits_answer = self.gift.dispute_state(dispute_id) in UNANSWERED_DISPUTE_STATES
        if awaits_answer and dispute_id not in self.reminded_disputes:
            self._trigger(events.DisputeReminderSent, actor, dispute_id=dispute_id, evidence_due_by=due_by)

    # Recording the facts that Stripe reports.

    def record(self, actor: Actor, event_type: type[events.DonationEvent], **fields: Any) -> None:
        """Record a fact from Stripe; a fact that is recorded already is recorded again only with an earlier time."""
        if self.forget_requested and "donor" in fields:
            fields["donor"] = structs.replace(fields["donor"], last_name=None, email_hash=None)
        if event_type is events.PaymentReceived and fields["payment_intent_id"] in self.gift.captured:
            event_type = events.PaymentConfirmed
        reported_at = self._reported_at.get(_identity(event_type, fields))
        if reported_at is None or fields["report"].at < reported_at:
            self._trigger(event_type, actor, **fields)

    def _trigger(self, event_type: type[events.DonationEvent], actor: Actor, **fields: Any) -> None:
        self._record(event_type, actor, ticket_id=self.ticket_id, donation_id=self.donation_id, **fields)

    # Evolving.

    def evolve(self, event: events.DonationEvent) -> None:
        if type(event) in IDENTIFYING_FIELDS:
            fields = structs.asdict(event)
            self._reported_at[_identity(type(event), fields)] = fields["report"].at
        elif isinstance(event, events.CheckoutRequested):
            self.description = event.description
            self.ticket_version = event.ticket_version or 0
            self.words = event.words
        elif isinstance(event, events.DonorWordsHidden | events.DonorWordsShown):
            self.words_hidden = isinstance(event, events.DonorWordsHidden)
        elif isinstance(event, events.DonorForgetRequested):
            self.forget_at, self.words = event.forget_at, GiftWords()
        elif isinstance(event, events.DonorForgotten):
            self.forgotten, self.words = True, GiftWords()
        elif isinstance(event, events.ReceiptNumbered):
            self.receipt_number = ReceiptNumber(event.year, event.number)
        elif isinstance(event, events.DisputeReminderSent):
            self.reminded_disputes.add(event.dispute_id)
        self.proposals = proposals_after(self.proposals, event)
        self.gift.apply(event)


_PAYMENT = ("payment_intent_id", "amount", "session_id", "charge_id", "donor", "captured_at")
_REFUND = ("refund_id", "amount", "state", "refunded_at", "charge_id", "payment_intent_id")
_DISPUTE = ("dispute_id", "amount", "state", "reason", "evidence_due_by", "disputed_at")
_DISPUTE_FUNDS = ("dispute_id", "balance_transaction_id", "amount", "moved_at", "payment_intent_id", "exchange_rate")
_FEE = ("balance_transaction_id", "source_id", "category", "gross", "fee", "created_at")
_EXCHANGE = ("exchange_rate", "fee_details", "converted")

# Two reports from Stripe are the same fact if they have the same type and equal values in these fields.
IDENTIFYING_FIELDS: Mapping[type[events.DonationEvent], tuple[str, ...]] = {
    events.CheckoutExpired: ("session_id",),
    events.PaymentDelayed: ("object_id",),
    events.PaymentReceived: _PAYMENT,
    events.PaymentConfirmed: _PAYMENT,
    events.PaymentFailed: ("object_id", "reason"),
    events.Refunded: _REFUND,
    events.RefundFailed: _REFUND,
    events.RefundTotalReported: ("charge_id", "amount"),
    events.DisputeOpened: _DISPUTE,
    events.DisputeClosed: _DISPUTE,
    events.DisputeFundsWithdrawn: _DISPUTE_FUNDS,
    events.DisputeFundsReinstated: _DISPUTE_FUNDS,
    events.FeeCharged: (*_FEE, *_EXCHANGE),
}
_DEFAULTS: Mapping[str, Any] = {"session_id": None, "charge_id": None, "donor": Donor(), "fee_details": ()}


def _identity(event_type: type[events.DonationEvent], fields: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the values that identify a fact; a payment received and then confirmed with equal values is one fact."""
    topic = events.PaymentReceived.TOPIC if event_type is events.PaymentConfirmed else event_type.TOPIC
    return topic, *[fields.get(name, _DEFAULTS.get(name)) for name in IDENTIFYING_FIELDS[event_type]]
