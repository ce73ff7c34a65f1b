"""Checkouts, donations and their totals as responses."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Literal, Self
from uuid import UUID

from msgspec import UNSET, UnsetType

from domain.values import DonationStatus
from entrypoints.presentation.personal_data import PersonalData
from entrypoints.presentation.responses import ResponseBody, Time, Url, major, utc, utc_or_none
from projections.donation_ledger import COUNT_COLUMNS
from projections.model import Row
from projections.ticket_status import draft_of


class OpenedCheckout(ResponseBody):
    """A checkout for one donation; the QR code leads to the campaign page."""

    checkout_session_id: str
    checkout_url: Url
    qr_code_data: str
    target_url: Url
    donation_id: UUID
    expires_at: Time


class Donation(ResponseBody):
    """One line of the ledger. Each amount is given in the currency's major unit, in its minor unit, or in both."""

    id: UUID
    amount: Decimal
    amount_minor: int
    currency: str
    status: DonationStatus
    donor: str
    country: str | None
    created_at: Time
    paid_at: Time | None
    refunded_at: Time | None
    amount_refunded: Decimal
    amount_refunded_minor: int
    amount_disputed_minor: int
    net_minor: int
    dispute_status: str | None
    pending: bool
    session_id: str | None
    paid_in_part: bool  # less was captured than was asked for

    @classmethod
    def from_row(cls, row: Row, personal: PersonalData, **subclass_fields: Any) -> Self:
        currency = row["currency"]
        return cls(
            row["donation_id"],
            major(row["amount"], currency),
            row["amount"],
            currency,
            row["status"],
            personal.donor(row),
            row["country"],
            utc(row["created_at"]),
            utc_or_none(row["paid_at"]),
            utc_or_none(row["refunded_at"]),
            major(row["refunded"], currency),
            row["refunded"],
            row["disputed"],
            net_minor(row),
            row["dispute_status"],
            row["pending"],
            row["session_id"],
            0 < row["paid"] < row["amount"],
            **subclass_fields,
        )


class Attribution(Donation):
    """A donation with Stripe's ids and the keyed hash of the donor's e-mail address."""

    payment_intent_id: str | None
    charge_id: str | None
    donor_email_hash: str | None

    @classmethod
    def from_row(cls, row: Row, personal: PersonalData, **subclass_fields: Any) -> Self:
        return super().from_row(
            row,
            personal,
            payment_intent_id=row["payment_intent_id"],
            charge_id=row["charge_id"],
            donor_email_hash=row["email_hash"] and personal.email_hash(row["ticket_id"], row["email_hash"]),
            **subclass_fields,
        )


class DonationPage(ResponseBody):
    """A result page of donations; `count` counts all donations of the ticket."""

    success: bool
    ticket_id: UUID
    count: int
    donations: list[Donation]
    next_cursor: str | None


class Breakdown(ResponseBody):
    """The sums of one currency, in its major unit and in its minor unit."""

    paid: Decimal
    refunded: Decimal
    disputed: Decimal
    net: Decimal
    paid_minor: int
    refunded_minor: int
    disputed_minor: int
    net_minor: int

    @classmethod
    def of(cls, paid: int, refunded: int, disputed: int, currency: str) -> Breakdown:
        net = paid - refunded - disputed
        return cls(
            major(paid, currency),
            major(refunded, currency),
            major(disputed, currency),
            major(net, currency),
            paid,
            refunded,
            disputed,
            net,
        )


class DonationCounts(ResponseBody):
    """The number of donations in each status, over all currencies."""

    created: int
    paid: int
    failed: int
    refunded: int
    disputed: int
    expired: int
    total: int


class LastDonation(ResponseBody):
    """The donation that was paid last."""

    paid_at: Time
    amount: Decimal
    amount_minor: int
    currency: str
    donor: str

    @classmethod
    def from_row(cls, row: Row, personal: PersonalData) -> LastDonation:
        minor, currency = row["amount"], row["currency"]
        return cls(utc(row["paid_at"]), major(minor, currency), minor, currency, personal.donor(row))


class CurrencySums(ResponseBody):
    """The sums of one currency in its minor unit."""

    currency: str
    paid_minor: int
    refunded_minor: int
    disputed_minor: int
    net_minor: int

    @classmethod
    def from_row(cls, row: Row) -> CurrencySums:
        return cls(row["currency"], row["paid"], row["refunded"], row["disputed"], net_minor(row))


class LedgerEntry(ResponseBody):
    """One movement of money. The amount is negative if the money was refunded or disputed."""

    position: int
    kind: Literal["paid", "refunded", "disputed"]
    donation_id: UUID
    amount: Decimal
    amount_minor: int
    currency: str
    at: Time
    recorded_at: Time

    @classmethod
    def from_row(cls, row: Row) -> LedgerEntry:
        signed = row["amount"] if row["kind"] == "paid" else -row["amount"]
        return cls(
            position=row["position"],
            kind=row["kind"],
            donation_id=row["donation_id"],
            amount=major(signed, row["currency"]),
            amount_minor=signed,
            currency=row["currency"],
            at=utc(row["occurred_at"]),
            recorded_at=utc(row["recorded_at"]),
        )


class DonationTotals(ResponseBody):
    """The totals of a ticket's donations in `currency`; `counts` and `byCurrency` cover all currencies."""

    success: bool
    total: Decimal
    total_minor: int
    currency: str
    breakdown: Breakdown
    counts: DonationCounts
    last_donation: LastDonation | None
    by_currency: list[CurrencySums]
    entries: list[LedgerEntry] | UnsetType = UNSET

    @classmethod
    def from_rows(
        cls, ticket: Row, totals: Sequence[Row], last: Row | None, entries: Sequence[Row] | None, personal: PersonalData
    ) -> DonationTotals:
        """Make the response from the ticket's row, a total for each currency, the last paid donation and the entries.

        If `entries` is None, the response has no field `entries`.
        """
        currency = main_currency(ticket, totals)
        main = next((total for total in totals if total["currency"] == currency), None)
        paid, refunded, disputed = (main["paid"], main["refunded"], main["disputed"]) if main else (0, 0, 0)
        breakdown = Breakdown.of(paid, refunded, disputed, currency)
        counts = {status.lower(): sum(total[column] for total in totals) for status, column in COUNT_COLUMNS.items()}
        return cls(
            success=True,
            total=breakdown.net,
            total_minor=breakdown.net_minor,
            currency=currency,
            breakdown=breakdown,
            counts=DonationCounts(**counts, total=sum(counts.values())),
            last_donation=LastDonation.from_row(last, personal) if last else None,
            by_currency=[
                CurrencySums.from_row(total)
                for total in totals
                if total["first_paid_at"] is not None or total["refunded"] or total["disputed"]
            ],
            entries=UNSET
            if entries is None
            else [LedgerEntry.from_row(entry) for entry in entries if entry["currency"] == currency],
        )


def net_minor(row: Row) -> int:
    """Return what remains of the paid amount of a donation or a total after refunds and disputes."""
    return int(row["paid"] - row["refunded"] - row["disputed"])


def main_currency(ticket: Row, totals: Sequence[Row]) -> str:
    """Return the draft's currency if money was captured in it, else the currency of the earliest capture.

    If nothing was captured, return the draft's currency, or USD if the draft has none.
    """
    draft = draft_of(ticket)
    currency = draft.goal.currency if draft.goal else draft.currency
    captured = [total["currency"] for total in totals if total["first_paid_at"] is not None]
    if captured and currency not in captured:
        return str(captured[0])
    return currency or "USD"
