"""The ledger for accounting: a line a donation as CSV or JSON, or every movement as a plain-text journal."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from typing import Any
from uuid import UUID

import msgspec

from domain.values import Role, decimals
from entrypoints.http.handlers import donations
from entrypoints.http.handlers.tickets import views_for
from entrypoints.http.operations import Answer, Call, Stream
from entrypoints.http.problems import invalid
from entrypoints.presentation import views
from projections import fee_ledger
from projections.fee_ledger import CLEARING
from projections.model import Row

COLUMNS = (
    "donationId",
    "ticketId",
    "status",
    "currency",
    "gross",
    "refund",
    "dispute",
    "net",
    "fee",
    "settled",
    "settlementCurrency",
    "donor",
    "country",
    "createdAt",
    "paidAt",
    "recordedAt",
    "refundedAt",
    "sessionId",
    "paymentIntentId",
    "chargeId",
    "balanceTransactionIds",
)

# A spreadsheet may part cells at more than our commas.
_FORMULA_WITHIN = re.compile(r"([;|\t\r\n]\s*)(?=[=+\-@＝＋－＠])")

# Where each kind of movement in the donors' ledger is booked, against what is clearing at Stripe.
_BOOKED = {
    "paid": "income:donations",
    "refunded": "income:donations:refunded",
    "disputed": "income:donations:disputed",
}


def export(call: Call) -> Answer:
    format = call.query.get("format", "csv")
    if format not in ("csv", "json"):
        raise invalid("/format", "must be csv or json")
    ticket = _uuid(call, "ticket")
    since, until = _day(call, "from", timedelta(0)), _day(call, "to", timedelta(days=1))
    workspace = call.principal.workspace if call.principal.role is Role.CLIENT else None
    rows = call.service.exported(ticket, workspace, since, until, call.reads)
    view = views_for(call)
    lines = (line(view, row, settled) for row, settled in rows)
    name = f"donations.{format}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    if format == "csv":
        return Answer(Stream(as_csv(lines)), 200, headers, "text/csv; charset=utf-8")
    return Answer(Stream(as_json(lines)), 200, headers)


def line(view: views.Views, row: Row, settled: list[Row]) -> dict[str, Any]:
    """One donation; fee and settled amount are in our account's currency, which need not be the gift's."""
    currency = row["currency"]
    return {
        "donationId": str(row["donation_id"]),
        "ticketId": str(row["ticket_id"]),
        "status": row["status"],
        "currency": currency,
        "gross": views.amount(row["paid"], currency),
        "refund": views.amount(row["refunded"], currency),
        "dispute": views.amount(row["disputed"], currency),
        "net": views.amount(row["paid"] - row["refunded"] - row["disputed"], currency),
        **_settled(settled),
        "donor": view.donor(row),
        "country": row["country"],
        "createdAt": views.time(row["created_at"]),
        "paidAt": views.time(row["paid_at"]),
        "recordedAt": views.time(row["recorded_at"]),
        "refundedAt": views.time(row["refunded_at"]),
        "sessionId": row["session_id"],
        "paymentIntentId": row["payment_intent_id"],
        "chargeId": row["charge_id"],
        "balanceTransactionIds": " ".join(one["balance_transaction_id"] for one in settled) or None,
        # Every amount in the minor unit besides: for programs, which read JSON.
        "grossMinor": row["paid"],
        "refundMinor": row["refunded"],
        "disputeMinor": row["disputed"],
        "netMinor": row["paid"] - row["refunded"] - row["disputed"],
        **_settled_minor(settled),
    }


def _settled(settled: list[Row]) -> dict[str, Any]:
    """What the balance transactions sum to; nothing where they are in several currencies, which have no sum."""
    currencies = {one["currency"] for one in settled}
    if len(currencies) != 1:
        return {"fee": None, "settled": None, "settlementCurrency": " ".join(sorted(currencies)) or None}
    [currency] = currencies
    return {
        "fee": views.amount(sum(one["fee"] for one in settled), currency),
        "settled": views.amount(sum(one["net"] for one in settled), currency),
        "settlementCurrency": currency,
    }


def _settled_minor(settled: list[Row]) -> dict[str, Any]:
    if len({one["currency"] for one in settled}) != 1:
        return {"feeMinor": None, "settledMinor": None}
    return {"feeMinor": sum(one["fee"] for one in settled), "settledMinor": sum(one["net"] for one in settled)}


def as_csv(lines: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    """RFC 4180; whatever a spreadsheet would take for a formula gets an apostrophe before it."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for one in lines:
        writer.writerow([_cell(one[name]) for name in COLUMNS])
        if buffer.tell() > 64 * 1024:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()


def _cell(value: Any) -> Any:
    if not isinstance(value, str):
        return "" if value is None else value
    value = _FORMULA_WITHIN.sub(r"\1'", value)
    if (value[:1] in "\t\r\n" or value.lstrip()[:1] in "=+-@＝＋－＠") and value.strip():
        return "'" + value
    return value


def as_json(lines: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    """One JSON array, a line a donation."""
    encode = msgspec.json.Encoder(decimal_format="number").encode
    yield b"["
    separator = b"\n"
    for one in lines:
        yield separator + encode(one)
        separator = b",\n"
    yield b"\n]\n"


def as_journal(entries: Iterable[Row], settlements: Iterable[Row]) -> Iterator[bytes]:
    """A journal that hledger checks strictly: gifts as donors see them, then what Stripe settled of them."""
    used: set[str] = set()
    yield b"; Dates are Stripe's; `recorded` is when we knew. Amounts are exact.\ndecimal-mark .\n\n"
    for entry in entries:
        used.add(entry["currency"])
        sign = 1 if entry["kind"] == "paid" else -1
        amount = sign * entry["amount"]
        yield _transaction(entry, entry["kind"], [(CLEARING, amount), (_BOOKED[entry["kind"]], -amount)])
    for entry in settlements:
        used.add(entry["currency"])
        yield _transaction(entry, f"settled {entry['category']}", fee_ledger.postings(entry))
    for account in sorted({CLEARING, fee_ledger.BALANCE, fee_ledger.COSTS, *_BOOKED.values()}):
        yield f"account {account}\n".encode()
    for currency in sorted(used):
        digits = decimals(currency)
        yield f"commodity 1000.{'0' * digits} {currency}\n".encode()


def _transaction(entry: Row, what: str, postings: Iterable[tuple[str, int]]) -> bytes:
    day = entry["occurred_at"].astimezone(UTC).date().isoformat()
    recorded = entry["recorded_at"].astimezone(UTC).date().isoformat()
    tags = f"donation:{entry['donation_id']}, ticket:{entry['ticket_id']}, recorded:{recorded}"
    if "balance_transaction_id" in entry:
        tags += f", balance:{_word(entry['balance_transaction_id'])}"
    lines = [f"{day} ({entry['position']}) {_word(what)}  ; {tags}"]
    currency = entry["currency"]
    lines += [f"    {account:<28}  {views.amount(minor, currency)} {currency}" for account, minor in postings]
    return ("\n".join(lines) + "\n\n").encode()


def _word(text: str) -> str:
    """Stripe's words without what means something in a journal."""
    return "".join(c if c.isalnum() or c in " _-" else "_" for c in text)


def _uuid(call: Call, name: str) -> UUID | None:
    text = call.query.get(name)
    try:
        return UUID(text) if text else None
    except ValueError:
        raise invalid(f"/{name}", "must be an id") from None


def _day(call: Call, name: str, plus: timedelta) -> datetime | None:
    """A day or a time in the query; a day stands for its beginning, or its end in `to`."""
    text = call.query.get(name)
    if text is None:
        return None
    try:
        return datetime.combine(date.fromisoformat(text), clock(tzinfo=UTC)) + plus
    except (ValueError, OverflowError):
        return donations.moment(call, name)
