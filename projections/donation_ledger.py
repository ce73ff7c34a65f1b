"""Donation ledger: one row a donation, the entries that money made, and the totals they add up to.

The three are folded together, so that entries, ledger and totals cannot disagree. All amounts are in the minor unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime
from functools import lru_cache
from operator import attrgetter
from types import GenericAlias
from typing import Any, get_type_hints
from uuid import UUID

import msgspec

from domain.events import CheckoutRequested, DonationEvent
from domain.gift import MOVES_MONEY, Gift
from domain.values import DonationStatus
from projections.model import Cursor, Recorded, Row, Rows, Table, topics

NAME = "donation_ledger"
VERSION = 4
TOPICS = topics(DonationEvent)

DONATIONS = Table(
    "donation_ledger",
    {
        "donation": "uuid",
        "ticket": "uuid",
        "currency": "text",
        "amount": "bigint",
        "status": "text",
        "pending": "boolean",
        "donor": "text",
        "country": "text",
        "email_hash": "text",
        "paid": "bigint",
        "refunded": "bigint",
        "disputed": "bigint",
        "dispute_status": "text",
        "created_at": "timestamptz",
        "paid_at": "timestamptz",
        "refunded_at": "timestamptz",
        "session_id": "text",
        "payment_intent_id": "text",
        "charge_id": "text",
        "recorded_at": "timestamptz",
        "awaits_since": "timestamptz",
        "gift": "bytea",
        "position": "bigint",
    },
    key=("donation",),
    indexes=(
        "(ticket, (coalesce(paid_at, '-infinity')) DESC, created_at DESC, donation DESC)",
        "(awaits_since) WHERE awaits_since IS NOT NULL",
        "(session_id) WHERE status = 'CREATED'",
    ),
)
ENTRIES = Table(
    "ledger_entries",
    {
        "position": "bigint",
        "kind": "text",
        "ticket": "uuid",
        "donation": "uuid",
        "currency": "text",
        "amount": "bigint",
        "at": "timestamptz",
        "recorded_at": "timestamptz",
    },
    key=("position", "kind"),
    indexes=("(ticket, position)",),
)
COUNTED = {status.value: f"{status.lower()}_count" for status in DonationStatus}
TOTALS = Table(
    "donation_totals",
    {
        "ticket": "uuid",
        "currency": "text",
        "paid": "bigint",
        "refunded": "bigint",
        "disputed": "bigint",
        **dict.fromkeys(COUNTED.values(), "bigint"),
        "first_paid_at": "timestamptz",
        "position": "bigint",
    },
    key=("ticket", "currency"),
)
TABLES = (DONATIONS, ENTRIES, TOTALS)

MOVED = ("paid", "refunded", "disputed")
NEVER = datetime.max.replace(tzinfo=UTC)


# A gift as its row keeps it, for the facts of a later page: the values of its fields as a JSON array that nobody
# queries. Another field in it is another VERSION here.
_values_of = attrgetter(*(field.name for field in fields(Gift)))
_HINTS = get_type_hints(Gift)
_VALUES: Any = GenericAlias(tuple, tuple(_HINTS[field.name] for field in fields(Gift)))
_read_values = msgspec.json.Decoder(_VALUES).decode
_write = msgspec.json.Encoder().encode


def _read_gift(kept: bytes) -> Gift:
    return Gift(*_read_values(kept))


def fold(page: Sequence[Recorded], rows: Rows) -> None:
    # By the number that an id is: ids compare and hash in Python.
    facts: dict[int, list[Recorded]] = {}
    for entry in page:
        if isinstance(entry.event, DonationEvent):
            facts.setdefault(entry.event.donation_id.int, []).append(entry)
    firsts: list[Any] = [noted[0].event for noted in facts.values()]
    rows.load(DONATIONS, [(first.donation_id,) for first in firsts if not isinstance(first, CheckoutRequested)])
    moved = []
    for first, noted in zip(firsts, facts.values(), strict=True):
        before = rows.get(DONATIONS, (first.donation_id,))
        row, gift = (before.copy(), _read_gift(before["gift"])) if before else (None, Gift())
        for entry in noted:
            if row is not None:
                _note(entry, row, gift, rows)
            elif isinstance(entry.event, CheckoutRequested):
                row = _opened(entry.event, entry)
        if row is not None:
            _tell(gift, row)
            row["position"] = noted[-1].position
            rows.put(DONATIONS, row)
            moved.append((before, row))
    _total(moved, rows)


def _opened(event: CheckoutRequested, entry: Recorded) -> Row:
    return {
        "donation": event.donation_id,
        "ticket": event.ticket_id,
        "currency": event.amount.currency,
        "amount": event.amount.minor,
        "paid": 0,
        "refunded": 0,
        "disputed": 0,
        "created_at": entry.recorded_at,
        "recorded_at": None,
        "awaits_since": entry.recorded_at,
    }


def _note(entry: Recorded, row: Row, gift: Gift, rows: Rows) -> None:
    """Fold one fact into its donation, and post an entry for each sum that it moved."""
    event: Any = entry.event
    gift.note(event)
    if isinstance(event, MOVES_MONEY):
        _post(entry, event.report.at, row, gift, rows)
        if row["recorded_at"] is None and gift.captured:
            row["recorded_at"] = entry.recorded_at
    row["awaits_since"] = (row["awaits_since"] or entry.recorded_at) if gift.awaits_answer else None


def _post(entry: Recorded, at: int, row: Row, gift: Gift, rows: Rows) -> None:
    paid, refunded, disputed = gift.paid, gift.refunded, gift.disputed
    if (paid, refunded, disputed) == (row["paid"], row["refunded"], row["disputed"]):
        return
    for kind, now in (("paid", paid), ("refunded", refunded), ("disputed", disputed)):
        if moved := now - row[kind]:
            rows.put(
                ENTRIES,
                {
                    "position": entry.position,
                    "kind": kind,
                    "ticket": row["ticket"],
                    "donation": row["donation"],
                    "currency": row["currency"],
                    "amount": moved,
                    "at": _time(at),
                    "recorded_at": entry.recorded_at,
                },
            )
            row[kind] = now


def _tell(gift: Gift, row: Row) -> None:
    """What follows from the gift alone, whichever events made it: needed once a page, not once an event."""
    donor = gift.donor
    row["status"] = gift.status.value
    row["pending"] = gift.pending
    row["donor"] = donor.last_name
    row["country"] = donor.country
    row["email_hash"] = donor.email_hash
    row["dispute_status"] = gift.dispute_status
    row["paid_at"] = _time(gift.paid_at)
    row["refunded_at"] = _time(gift.refunded_at)
    row["session_id"] = gift.session_id
    row["payment_intent_id"] = max(gift.captured, default=None)
    row["charge_id"] = gift.charge_id
    row["gift"] = _write(_values_of(gift))


def _total(moved: Sequence[tuple[Row | None, Row]], rows: Rows) -> None:
    """Move the totals by what each donation is now less what it was before this page."""
    concerned: dict[tuple[UUID, str], list[tuple[Row | None, Row]]] = {}
    for was, row in moved:
        concerned.setdefault((row["ticket"], row["currency"]), []).append((was, row))
    rows.load(TOTALS, concerned)
    for (ticket, currency), donations in concerned.items():
        total = rows.get(TOTALS, (ticket, currency)) or {
            "ticket": ticket,
            "currency": currency,
            **dict.fromkeys((*MOVED, *COUNTED.values()), 0),
            "first_paid_at": None,
            "position": 0,
        }
        for was, row in donations:
            total["paid"] += row["paid"]
            total["refunded"] += row["refunded"]
            total["disputed"] += row["disputed"]
            total[COUNTED[row["status"]]] += 1
            if was:
                for kind in MOVED:
                    total[kind] -= was[kind]
                total[COUNTED[was["status"]]] -= 1
            if row["paid_at"] is not None:
                total["first_paid_at"] = min(row["paid_at"], total["first_paid_at"] or row["paid_at"])
            total["position"] = max(total["position"], row["position"])
        rows.put(TOTALS, total)


@lru_cache(maxsize=1024)
def _time(at: int | None) -> datetime | None:
    return None if at is None else datetime.fromtimestamp(at, UTC)


# Queries.

_NAMES = tuple(name for name in DONATIONS.columns if name != "gift")
_SELECT = f"SELECT {', '.join(_NAMES)} FROM read.donation_ledger "  # noqa: S608

# Where a page of donations ended: when it was paid (None: unpaid), when it was created, which it was.
Ended = tuple[datetime | None, datetime, UUID]


def _row(values: Sequence[Any]) -> Row:
    return dict(zip(_NAMES, values, strict=True))


def donations(cursor: Cursor, ticket: UUID, limit: int | None = None, after: Ended | None = None) -> list[Row]:
    """A ticket's donations, newest payment first and unpaid ones last; all of them without a limit."""
    cursor.execute(
        _SELECT
        + """
        WHERE ticket = %(ticket)s
          AND (%(created_at)s::timestamptz IS NULL
               OR (coalesce(paid_at, '-infinity'), created_at, donation)
                  < (coalesce(%(paid_at)s::timestamptz, '-infinity'), %(created_at)s, %(donation)s::uuid))
        ORDER BY coalesce(paid_at, '-infinity') DESC, created_at DESC, donation DESC LIMIT %(limit)s
        """,
        {
            "ticket": ticket,
            "limit": limit,
            "paid_at": after[0] if after else None,
            "created_at": after[1] if after else None,
            "donation": after[2] if after else None,
        },
    )
    return [_row(values) for values in cursor.fetchall()]


def donation(cursor: Cursor, donation_id: UUID) -> Row | None:
    cursor.execute(_SELECT + "WHERE donation = %(donation)s", {"donation": donation_id})
    found = cursor.fetchone()
    return _row(found) if found else None


def awaiting(cursor: Cursor, before: datetime, limit: int) -> list[Row]:
    """Donations that have waited since then for Stripe's answer to something we asked, the longest first."""
    cursor.execute(
        _SELECT + "WHERE awaits_since <= %(before)s ORDER BY awaits_since LIMIT %(limit)s",
        {"before": before, "limit": limit},
    )
    return [_row(values) for values in cursor.fetchall()]


def totals(cursor: Cursor, ticket: UUID) -> list[Row]:
    """One row a currency, the one captured earliest first and those never captured last."""
    cursor.execute(
        f"""
        SELECT {", ".join(TOTALS.columns)} FROM read.donation_totals WHERE ticket = %(ticket)s
         ORDER BY first_paid_at NULLS LAST, currency
        """,  # noqa: S608
        {"ticket": ticket},
    )
    found = [dict(zip(TOTALS.columns, values, strict=True)) for values in cursor.fetchall()]
    return _untied(cursor, ticket, found)


def _untied(cursor: Cursor, ticket: UUID, totals: list[Row]) -> list[Row]:
    """Stripe tells whole seconds: of currencies captured in the same one, that of the gift opened first goes first."""
    at = totals[0]["first_paid_at"] if totals else None
    tied = [total for total in totals if total["first_paid_at"] == at]
    if at is None or len(tied) < 2:
        return totals
    cursor.execute(
        "SELECT currency, min(created_at) FROM read.donation_ledger"
        " WHERE ticket = %(ticket)s AND coalesce(paid_at, '-infinity') = %(at)s GROUP BY currency",
        {"ticket": ticket, "at": at},
    )
    opened = dict(cursor.fetchall())
    return sorted(tied, key=lambda total: opened.get(total["currency"], NEVER)) + totals[len(tied) :]


# What `summary` gives, for a statement in which `asked` names the ticket.
SUMMARY = f"{', '.join('t.' + name for name in TOTALS.columns)}, {', '.join('d.' + name for name in _NAMES)}"
SUMMARY_FROM = """
          LEFT JOIN read.donation_totals t ON t.ticket = asked.ticket
          LEFT JOIN LATERAL (
               SELECT * FROM read.donation_ledger l WHERE l.ticket = asked.ticket
                ORDER BY coalesce(l.paid_at, '-infinity') DESC, l.created_at DESC, l.donation DESC LIMIT 1
               ) d ON true
"""
SUMMARY_ORDER = " ORDER BY t.first_paid_at NULLS LAST, t.currency"
Summary = tuple[list[Row], Row | None]


def summary(cursor: Cursor, ticket: UUID) -> Summary:
    """The totals, and the donation paid last whatever became of it since, in one round trip."""
    cursor.execute(
        f"SELECT {SUMMARY} FROM (VALUES (%(ticket)s::uuid)) AS asked (ticket) {SUMMARY_FROM} {SUMMARY_ORDER}",  # noqa: S608
        {"ticket": ticket},
    )
    return summary_of(cursor, ticket, cursor.fetchall())


def summary_of(cursor: Cursor, ticket: UUID, found: Sequence[Sequence[Any]]) -> Summary:
    """The summary from what a statement found of `SUMMARY`; the cursor is asked again only where captures tie."""
    width = len(TOTALS.columns)
    totals = [dict(zip(TOTALS.columns, row[:width], strict=True)) for row in found if row[0] is not None]
    last = _row(found[0][width:])
    return _untied(cursor, ticket, totals), last if last["paid_at"] else None


def entries(cursor: Cursor, ticket: UUID, as_of: datetime | None = None, known_at: datetime | None = None) -> list[Row]:
    """What moved money, oldest first: as Stripe had it at `as_of`, as we knew it at `known_at`."""
    cursor.execute(
        f"""
        SELECT {", ".join(ENTRIES.columns)} FROM read.ledger_entries
         WHERE ticket = %(ticket)s
           AND (%(as_of)s::timestamptz IS NULL OR at <= %(as_of)s)
           AND (%(known_at)s::timestamptz IS NULL OR recorded_at <= %(known_at)s)
         ORDER BY position, kind
        """,  # noqa: S608
        {"ticket": ticket, "as_of": as_of, "known_at": known_at},
    )
    return [dict(zip(ENTRIES.columns, values, strict=True)) for values in cursor.fetchall()]


def exported(
    cursor: Cursor,
    after: UUID | None,
    limit: int,
    ticket: UUID | None = None,
    workspace: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Row]:
    """Donations in the order of their ids, which is that of their creation; `after` is where the last page ended."""
    cursor.execute(
        f"""
        SELECT {", ".join("d." + name for name in _NAMES)}
          FROM read.donation_ledger d JOIN read.ticket_status t USING (ticket)
         WHERE (%(after)s::uuid IS NULL OR d.donation > %(after)s)
           AND (%(ticket)s::uuid IS NULL OR d.ticket = %(ticket)s)
           AND (%(workspace)s::text IS NULL OR t.workspace = %(workspace)s)
           AND (%(since)s::timestamptz IS NULL OR d.created_at >= %(since)s)
           AND (%(until)s::timestamptz IS NULL OR d.created_at < %(until)s)
         ORDER BY d.donation LIMIT %(limit)s
        """,  # noqa: S608
        {
            "after": after,
            "limit": limit,
            "ticket": ticket,
            "workspace": workspace,
            "since": since,
            "until": until,
        },
    )
    return [_row(values) for values in cursor.fetchall()]


def journal(
    cursor: Cursor,
    after: int,
    limit: int,
    ticket: UUID | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Row]:
    """What moved money, of the donations that `exported` gives; whole events, at least `limit` entries if there are."""
    cursor.execute(
        f"""
        SELECT {", ".join("e." + name for name in ENTRIES.columns)}
          FROM read.ledger_entries e JOIN read.donation_ledger d USING (donation)
         WHERE e.position > %(after)s
           AND (%(ticket)s::uuid IS NULL OR d.ticket = %(ticket)s)
           AND (%(since)s::timestamptz IS NULL OR d.created_at >= %(since)s)
           AND (%(until)s::timestamptz IS NULL OR d.created_at < %(until)s)
         ORDER BY e.position FETCH FIRST %(limit)s ROWS WITH TIES
        """,  # noqa: S608
        {"after": after, "limit": limit, "ticket": ticket, "since": since, "until": until},
    )
    return [dict(zip(ENTRIES.columns, values, strict=True)) for values in cursor.fetchall()]


def unpaid_session(cursor: Cursor, ticket: UUID, session_id: str) -> UUID | None:
    """The ticket's donation that this checkout is for, while nobody knows that it was paid."""
    cursor.execute(
        "SELECT donation FROM read.donation_ledger"
        " WHERE session_id = %(session)s AND ticket = %(ticket)s AND status = 'CREATED'",
        {"session": session_id, "ticket": ticket},
    )
    found = cursor.fetchone()
    return found[0] if found else None
