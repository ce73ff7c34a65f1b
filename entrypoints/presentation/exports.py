"""Donations and movements for accounting, one line each, as CSV or JSON."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from msgspec.structs import fields

from domain.consent import shown_draft
from domain.organisations import ReceiptNumber
from domain.values import DonationStatus
from entrypoints.presentation.donations import net_minor
from entrypoints.presentation.personal_data import PersonalData
from entrypoints.presentation.responses import ResponseBody, Time, encode, major, rfc3339, utc, utc_or_none
from projections.consent_records import consents_of
from projections.fee_ledger import EXCHANGE
from projections.model import Row
from projections.ticket_status import draft_of

CSV_CHUNK_CHARACTERS = 64 * 1024

# A spreadsheet may also split a cell at these characters, so that a formula could begin behind one of them.
_FORMULA_WITHIN = re.compile(r"([;|\t\r\n]\s*)(?=[=+\-@＝＋－＠])")


class ExportedDonation(ResponseBody):
    """One donation; the fee and the settled amount are in the currency of our Stripe account.

    `organisation` is the present name of who runs the workspace.
    """

    donation_id: UUID
    ticket_id: UUID
    status: DonationStatus
    currency: str
    gross: Decimal
    refund: Decimal
    dispute: Decimal
    net: Decimal
    fee: Decimal | None
    settled: Decimal | None
    settlement_currency: str | None
    donor: str
    country: str | None
    created_at: Time
    paid_at: Time | None
    recorded_at: Time | None
    refunded_at: Time | None
    session_id: str | None
    payment_intent_id: str | None
    charge_id: str | None
    balance_transaction_ids: str | None
    receipt_number: str | None
    organisation: str | None
    gross_minor: int
    refund_minor: int
    dispute_minor: int
    net_minor: int
    fee_minor: int | None
    settled_minor: int | None

    @classmethod
    def from_rows(cls, row: Row, settlements: Sequence[Row], personal: PersonalData) -> ExportedDonation:
        """Make the line from the donation's row and the balance transactions that settled it.

        Fee and settled amount are null if there are no balance transactions, or if they have several currencies.
        """
        currency = row["currency"]
        net = net_minor(row)
        settled_currencies = sorted({entry["currency"] for entry in settlements})
        fee = settled = fee_minor = settled_minor = None
        if len(settled_currencies) == 1:
            fee_minor = sum(entry["fee"] for entry in settlements)
            settled_minor = sum(entry["net"] for entry in settlements)
            fee, settled = major(fee_minor, settled_currencies[0]), major(settled_minor, settled_currencies[0])
        return cls(
            donation_id=row["donation_id"],
            ticket_id=row["ticket_id"],
            status=row["status"],
            currency=currency,
            gross=major(row["paid"], currency),
            refund=major(row["refunded"], currency),
            dispute=major(row["disputed"], currency),
            net=major(net, currency),
            fee=fee,
            settled=settled,
            settlement_currency=" ".join(settled_currencies) or None,
            donor=personal.donor(row),
            country=row["country"],
            created_at=utc(row["created_at"]),
            paid_at=utc_or_none(row["paid_at"]),
            recorded_at=utc_or_none(row["recorded_at"]),
            refunded_at=utc_or_none(row["refunded_at"]),
            session_id=row["session_id"],
            payment_intent_id=row["payment_intent_id"],
            charge_id=row["charge_id"],
            balance_transaction_ids=" ".join(
                entry["balance_transaction_id"] for entry in settlements if entry["category"] != EXCHANGE
            )
            or None,
            receipt_number=_receipt_number(row),
            organisation=row["organisation"],
            gross_minor=row["paid"],
            refund_minor=row["refunded"],
            dispute_minor=row["disputed"],
            net_minor=net,
            fee_minor=fee_minor,
            settled_minor=settled_minor,
        )


def _receipt_number(row: Row) -> str | None:
    year, number = row["receipt_year"], row["receipt_number"]
    return None if number is None else str(ReceiptNumber(year, number))


class MovementLine(ResponseBody):
    """One movement of the donors' money. The amount is negative if money went back, so the lines add up to the net.

    `organisation` is the present name of who runs the workspace.
    """

    date: date
    movement: Literal["paid", "refunded", "disputed", "unpaid"]
    amount: Decimal
    currency: str
    campaign: str | None
    donor: str
    donation_id: UUID
    ticket_id: UUID
    workspace: str | None
    source_id: str | None
    moved_at: Time | None
    recorded_at: Time
    organisation: str | None

    @classmethod
    def from_row(cls, row: Row, personal: PersonalData) -> MovementLine:
        amount = row["amount"] if row["kind"] == "paid" else -row["amount"]
        moved_at = utc(row["occurred_at"])
        return cls._of(
            row, personal, moved_at, row["kind"], amount, row["source_id"], moved_at, utc(row["recorded_at"])
        )

    @classmethod
    def of_unpaid(cls, row: Row, personal: PersonalData) -> MovementLine:
        """Return the line of a donation without any movement, on the day of its creation."""
        created_at = utc(row["created_at"])
        return cls._of(row, personal, created_at, "unpaid", 0, row["session_id"], None, created_at)

    @classmethod
    def _of(
        cls,
        row: Row,
        personal: PersonalData,
        at: datetime,
        movement: Literal["paid", "refunded", "disputed", "unpaid"],
        minor: int,
        source_id: str | None,
        moved_at: datetime | None,
        recorded_at: datetime,
    ) -> MovementLine:
        ticket_id = row["ticket_id"]
        return cls(
            date=at.date(),
            movement=movement,
            amount=major(minor, row["currency"]),
            currency=row["currency"],
            campaign=campaign_title(row, personal),
            donor=personal.donor(row),
            donation_id=row["donation_id"],
            ticket_id=ticket_id,
            workspace=row["workspace"],
            source_id=source_id,
            moved_at=moved_at,
            recorded_at=recorded_at,
            organisation=row["organisation"],
        )


def campaign_title(row: Row, personal: PersonalData) -> str | None:
    """Return the title of the row's campaign without what its person took back; `projections.exports` names columns."""
    hiding, ticket_id = row["hiding"], row["ticket_id"]
    if not hiding or personal.masked:
        return personal.text_or_none(ticket_id, row["campaign"])
    shown = consents_of(hiding).not_withdrawn(datetime.now(UTC))
    draft = personal.opened_draft(ticket_id, draft_of(hiding))
    return shown_draft(draft, personal.text_or_none(ticket_id, hiding["display_name"]), shown).title


def columns(kind: type[ResponseBody]) -> dict[str, str]:
    """Return the columns of the CSV with the names of their fields.

    The JSON repeats every amount in the minor unit, for programs; the CSV does not.
    """
    return {field.encode_name: field.name for field in fields(kind) if not field.name.endswith("_minor")}


def as_csv(lines: Iterable[ResponseBody], kind: type[ResponseBody] = ExportedDonation) -> Iterator[bytes]:
    """Yield the CSV (RFC 4180) of lines of one kind.

    A cell that a spreadsheet could take for a formula begins with an apostrophe.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    names = columns(kind)
    writer.writerow(names)
    for line in lines:
        writer.writerow([_cell(getattr(line, name)) for name in names.values()])
        if buffer.tell() > CSV_CHUNK_CHARACTERS:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()


def _cell(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return rfc3339(value)
    if not isinstance(value, str):
        return value
    text = _FORMULA_WITHIN.sub(r"\1'", value)
    if (text[:1] in "\t\r\n" or text.lstrip()[:1] in "=+-@＝＋－＠") and text.strip():
        return "'" + text
    return text


def as_json(lines: Iterable[ExportedDonation]) -> Iterator[bytes]:
    """Yield one JSON array with a donation on each line."""
    yield b"["
    separator = b"\n"
    for line in lines:
        yield separator + encode(line)
        separator = b",\n"
    yield b"\n]\n"
