"""Gifts: checkouts, the ledger, its totals, and both as they stood at another time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from math import inf
from typing import Any
from uuid import UUID

from adapters.read_models.in_memory import MemoryRows, folded
from domain.errors import AmountError
from domain.events import CheckoutOpened, CheckoutRequested, DonationEvent
from domain.values import Money
from entrypoints.http import paging
from entrypoints.http.handlers.tickets import if_match, qr_data, row_of, views_for
from entrypoints.http.operations import Answer, Call
from entrypoints.http.problems import invalid
from entrypoints.presentation import views
from projections import donation_ledger, ticket_totals
from projections.model import Recorded, Row


def create_payment(call: Call) -> Answer:
    order, service = call.body, call.service
    if_match(call)
    row = row_of(call)
    url = service.page_url(row["slug"])
    checkout = service.commands.checkouts.open(
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
        after = page.after_payment()
        rows, sums = call.reads.ask(
            lambda cursor: (
                donation_ledger.donations(cursor, call.ticket_id, page.limit + 1, after),
                donation_ledger.totals(cursor, call.ticket_id),
            )
        )
        count = sum(total[name] for total in sums for name in donation_ledger.COUNTED.values())
    else:
        everything = ordered(_ledger_then(call, as_of, known_at).all(donation_ledger.DONATIONS))
        count, after = len(everything), page.after_payment()
        rows = [row for row in everything if after is None or _order(row) < _order_of(*after)][: page.limit + 1]
    if len(rows) > page.limit:
        last = rows[page.limit - 1]
        paid_at = last["paid_at"] and last["paid_at"].isoformat()
        page.more_after(paid_at, last["created_at"].isoformat(), str(last["donation_id"]))
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
        if ticket_totals.SUMMARY in call.ticket and not explain:
            sums, last = call.ticket[ticket_totals.SUMMARY]
            return Answer(view.totals(call.ticket, sums, last, None))
        (sums, last), entries = call.reads.ask(
            lambda cursor: (
                donation_ledger.summary(cursor, call.ticket_id),
                donation_ledger.entries(cursor, call.ticket_id) if explain else None,
            )
        )
        return Answer(view.totals(call.ticket, sums, last, entries))
    rows = _ledger_then(call, as_of, known_at)
    return Answer(totals_in(view, call.ticket, rows, explain=explain))


def totals_in(view: views.Views, ticket: Row, rows: MemoryRows, *, explain: bool) -> dict[str, Any]:
    """The totals of a ledger that was folded for another time than now."""
    paid = [row for row in ordered(rows.all(donation_ledger.DONATIONS)) if row["paid_at"]]
    opened = {(row["currency"], row["paid_at"]): row["created_at"] for row in paid}
    sums = sorted(rows.all(donation_ledger.TOTALS), key=lambda total: _first_captured(total, opened))
    entries = sorted(rows.all(donation_ledger.ENTRIES), key=lambda e: (e["position"], e["kind"])) if explain else None
    return view.totals(ticket, sums, paid[0] if paid else None, entries)


def _first_captured(total: Row, opened: Mapping[tuple[str, datetime], datetime]) -> tuple[float, datetime, str]:
    """When something was captured in the currency first, and when that gift was opened: Stripe tells whole seconds."""
    at = total["first_paid_at"]
    if at is None:
        return inf, donation_ledger.NEVER, total["currency"]
    return at.timestamp(), opened.get((total["currency"], at), donation_ledger.NEVER), total["currency"]


def _order(row: Row) -> tuple[bool, float, datetime, UUID]:
    return _order_of(row["paid_at"], row["created_at"], row["donation_id"])


def _order_of(paid_at: datetime | None, created_at: datetime, donation: UUID) -> tuple[bool, float, datetime, UUID]:
    return paid_at is not None, paid_at.timestamp() if paid_at else 0.0, created_at, donation


def ordered(rows: list[Row]) -> list[Row]:
    """Newest payment first, unpaid ones last: the order of the ledger."""
    return sorted(rows, key=_order, reverse=True)


def _ledger_then(call: Call, as_of: datetime | None, known_at: datetime | None) -> MemoryRows:
    """The ledger from those facts alone that had happened at `as_of` and were recorded at `known_at`."""
    known = [r for r in call.reads.recorded(call.ticket_id) if known_at is None or r.recorded_at <= known_at]
    return folded(donation_ledger, known if as_of is None else _happened(known, as_of))


def _happened(known: list[Recorded], as_of: datetime) -> Iterator[Recorded]:
    """What had happened by Stripe's clock; what is told of a checkout by then means that it was there, by ours too."""
    reports = [getattr(recorded.event, "report", None) for recorded in known]
    told = {
        recorded.event.donation_id
        for recorded, report in zip(known, reports, strict=True)
        if report is not None and report.at <= as_of.timestamp() and isinstance(recorded.event, DonationEvent)
    }
    for recorded, report in zip(known, reports, strict=True):
        event = recorded.event
        if report is not None:
            happened = report.at <= as_of.timestamp()
        else:
            opened = isinstance(event, CheckoutRequested | CheckoutOpened) and event.donation_id in told
            happened = opened or recorded.recorded_at <= as_of
        if happened:
            yield recorded


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
