"""Gifts: checkouts, the ledger, its totals, and both as they stood at another time."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from math import inf
from typing import Any
from uuid import UUID

import msgspec

from adapters.read_models.memory import MemoryRows, folded
from domain.errors import AmountError
from domain.values import Money, Role
from entrypoints.http import paging, views
from entrypoints.http.operations import Answer, Call
from entrypoints.http.problems import invalid
from entrypoints.http.tickets import qr_data, row_of, views_for
from projections import donation_ledger
from projections.model import Recorded, Row

EXPORT_COLUMNS = (
    "donationId",
    "ticketId",
    "status",
    "currency",
    "gross",
    "refunded",
    "disputed",
    "net",
    "donor",
    "country",
    "createdAt",
    "paidAt",
    "refundedAt",
    "sessionId",
    "paymentIntentId",
    "chargeId",
)


def create_payment(call: Call) -> Answer:
    order, service = call.body, call.service
    row = row_of(call)
    url = service.page_url(row["slug"])
    checkout = service.commands.open_checkout(
        call.principal.actor,
        call.ticket_id,
        call.seed.id("donation"),
        money(order.amount, order.currency),
        order.description,
        return_url=url,
    )
    return Answer(
        {
            "checkoutSessionId": checkout.session_id,
            "checkoutUrl": checkout.url,
            "qrCodeData": qr_data(call, url),
            "targetUrl": url,
            "donationId": str(checkout.donation_id),
            "expiresAt": views.time(checkout.expires_at),
        },
        201,
    )


def money(amount: Any, currency: str) -> Money:
    try:
        return Money.of(amount, currency)
    except AmountError as fault:
        raise invalid("/amount", str(fault)) from None


def list_donations(call: Call) -> Answer:
    page = paging.asked(call)
    as_of, known_at = _moments(call)
    if as_of is None and known_at is None:
        with call.service.database.transaction() as cursor:
            rows = donation_ledger.donations(cursor, call.ticket_id, page.limit + 1, page.after_payment())
            count = sum(
                total[name]
                for total in donation_ledger.totals(cursor, call.ticket_id)
                for name in donation_ledger.COUNTED.values()
            )
    else:
        everything = ordered(_ledger_then(call, as_of, known_at).all(donation_ledger.DONATIONS))
        count, after = len(everything), page.after_payment()
        rows = [row for row in everything if after is None or _order(row) < _order_of(*after)][: page.limit + 1]
    if len(rows) > page.limit:
        last = rows[page.limit - 1]
        paid_at = last["paid_at"] and last["paid_at"].isoformat()
        page.more_after(paid_at, last["created_at"].isoformat(), str(last["donation"]))
    view = views_for(call)
    return page.answer(
        {
            "success": True,
            "ticketId": str(call.ticket_id),
            "count": count,
            "donations": [view.donation(row) for row in rows[: page.limit]],
        }
    )


def totals(call: Call) -> Answer:
    as_of, known_at = _moments(call)
    explain = _flag(call, "explain")
    assert call.ticket is not None
    view = views_for(call)
    if as_of is None and known_at is None:
        with call.service.database.transaction() as cursor:
            sums = donation_ledger.totals(cursor, call.ticket_id)
            last = donation_ledger.last_paid(cursor, call.ticket_id)
            entries = donation_ledger.entries(cursor, call.ticket_id) if explain else None
        return Answer(view.totals(call.ticket, sums, last, entries))
    rows = _ledger_then(call, as_of, known_at)
    return Answer(totals_in(view, call.ticket, rows, explain=explain))


def totals_in(view: views.Views, ticket: Row, rows: MemoryRows, *, explain: bool) -> dict[str, Any]:
    """The totals of a ledger that was folded for another time than now."""
    sums = sorted(
        rows.all(donation_ledger.TOTALS),
        key=lambda t: (t["first_paid_at"].timestamp() if t["first_paid_at"] else inf, t["currency"]),
    )
    paid = [row for row in ordered(rows.all(donation_ledger.DONATIONS)) if row["paid_at"]]
    entries = sorted(rows.all(donation_ledger.ENTRIES), key=lambda e: (e["position"], e["kind"])) if explain else None
    return view.totals(ticket, sums, paid[0] if paid else None, entries)


def _order(row: Row) -> tuple[bool, float, datetime, UUID]:
    return _order_of(row["paid_at"], row["created_at"], row["donation"])


def _order_of(paid_at: datetime | None, created_at: datetime, donation: UUID) -> tuple[bool, float, datetime, UUID]:
    return paid_at is not None, paid_at.timestamp() if paid_at else 0.0, created_at, donation


def ordered(rows: list[Row]) -> list[Row]:
    """Newest payment first, unpaid ones last: the order of the ledger."""
    return sorted(rows, key=_order, reverse=True)


def _ledger_then(call: Call, as_of: datetime | None, known_at: datetime | None) -> MemoryRows:
    """The ledger from those facts alone that had happened at `as_of` and were recorded at `known_at`."""
    return folded(donation_ledger, (r for r in call.service.recorded(call.ticket_id) if _was(r, as_of, known_at)))


def _was(recorded: Recorded, as_of: datetime | None, known_at: datetime | None) -> bool:
    report = getattr(recorded.event, "report", None)
    happened = report.at if report is not None else recorded.recorded_at.timestamp()
    return (known_at is None or recorded.recorded_at <= known_at) and (as_of is None or happened <= as_of.timestamp())


def _moments(call: Call) -> tuple[datetime | None, datetime | None]:
    return moment(call, "as_of"), moment(call, "known_at")


def moment(call: Call, name: str) -> datetime | None:
    """A time in the query, RFC 3339; Problem 422 for what is none."""
    text = call.query.get(name)
    if text is None:
        return None
    try:
        # A plus sign that was not escaped arrives as a space.
        found = datetime.fromisoformat(text.replace(" ", "+"))
        if found.tzinfo is None or not 1970 <= found.year < 9999:
            raise ValueError
        return found
    except ValueError:
        raise invalid(f"/{name}", "must be a time like 2026-05-01T12:00:00Z") from None


def _flag(call: Call, name: str) -> bool:
    match call.query.get(name, "false"):
        case "true" | "1":
            return True
        case "false" | "0":
            return False
        case _:
            raise invalid(f"/{name}", "must be true or false")


# For accounting.


def export(call: Call) -> Answer:
    format = call.query.get("format", "csv")
    if format not in ("csv", "json"):
        raise invalid("/format", "must be csv or json")
    ticket = _uuid(call, "ticket")
    since, until = _day(call, "from", timedelta(0)), _day(call, "to", timedelta(days=1))
    workspace = call.principal.workspace if call.principal.role is Role.CLIENT else None
    rows = call.service.exported(ticket, workspace, since, until)
    view = views_for(call)
    lines = (export_line(view, row) for row in rows)
    name = f"donations.{format}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    if format == "csv":
        return Answer(as_csv(lines), 200, headers, "text/csv; charset=utf-8")
    return Answer(as_json(lines), 200, headers)


def export_line(view: views.Views, row: Row) -> dict[str, Any]:
    currency = row["currency"]
    net = row["paid"] - row["refunded"] - row["disputed"]
    return {
        "donationId": str(row["donation"]),
        "ticketId": str(row["ticket"]),
        "status": row["status"],
        "currency": currency,
        "gross": views.amount(row["paid"], currency),
        "refunded": views.amount(row["refunded"], currency),
        "disputed": views.amount(row["disputed"], currency),
        "net": views.amount(net, currency),
        "donor": view.donor(row),
        "country": row["country"],
        "createdAt": views.time(row["created_at"]),
        "paidAt": views.time(row["paid_at"]),
        "refundedAt": views.time(row["refunded_at"]),
        "sessionId": row["session_id"],
        "paymentIntentId": row["payment_intent_id"],
        "chargeId": row["charge_id"],
    }


def as_csv(lines: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    """RFC 4180; a text that a spreadsheet would take for a formula gets an apostrophe before it."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(EXPORT_COLUMNS)
    for line in lines:
        writer.writerow([_cell(line[name]) for name in EXPORT_COLUMNS])
        if buffer.tell() > 64 * 1024:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    return "" if value is None else value


def as_json(lines: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    """One JSON array, a line a donation."""
    encode = msgspec.json.Encoder(decimal_format="number").encode
    yield b"["
    separator = b"\n"
    for line in lines:
        yield separator + encode(line)
        separator = b",\n"
    yield b"\n]\n"


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
        return moment(call, name)
