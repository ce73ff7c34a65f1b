"""Sums of the ledgers for figures: of consecutive periods, or of campaigns, each currency by itself.

A movement belongs to the period in which its own time is, as in the exports. So the sums of consecutive periods add up
to those of all of them together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from projections.exports import CAMPAIGN
from projections.fee_ledger import STANDALONE_FEES
from projections.model import Cursor, Row, fetched_rows

Step = Literal["day", "week", "month", "quarter"]
_MONTHS = {"month": 1, "quarter": 3}

# The number of payments, their sum, what went back of them, and what Stripe kept.
SUMS = ("gifts", "paid", "refunded", "disputed", "fees")


@dataclass(frozen=True)
class Period:
    """Some days, of which `last` is the last one."""

    first: date
    last: date


@dataclass(frozen=True)
class Sums:
    """The money that moved in one currency, in its minor unit. The fees are those that were paid in this currency."""

    currency: str
    gifts: int = 0
    paid: int = 0
    refunded: int = 0
    disputed: int = 0
    fees: int = 0

    @property
    def net(self) -> int:
        """The rest of the payments after refunds and disputes."""
        return self.paid - self.refunded - self.disputed

    @property
    def average(self) -> int | None:
        """The average payment, rounded half up, or None without any."""
        return (2 * self.paid + self.gifts) // (2 * self.gifts) if self.gifts else None


def total(parts: Iterable[Sums], currency: str) -> Sums:
    """Return the sum of those parts that are in the currency."""
    own = [part for part in parts if part.currency == currency]
    return Sums(currency, *(sum(getattr(part, name) for part in own) for name in SUMS))


def periods(step: Step, whole: Period) -> list[Period]:
    """Return the days, weeks, months or quarters of a period; the first and the last one may be cut off."""
    divided, first = [], whole.first
    while first <= whole.last:
        last = min(_next(step, first) - timedelta(days=1), whole.last)
        divided.append(Period(first, last))
        first = last + timedelta(days=1)
    return divided


def is_whole(step: Step, period: Period) -> bool:
    """Return True if the period is a day, week, month or quarter that is not cut off."""
    begin, end = period.first, period.last + timedelta(days=1)
    return _next(step, begin - timedelta(days=1)) == begin and _next(step, begin) == end


def _next(step: Step, day: date) -> date:
    """Return the first day of the period after that of a day. Weeks begin on Monday (ISO 8601)."""
    if step == "day":
        return day + timedelta(days=1)
    if step == "week":
        return day + timedelta(days=7 - day.weekday())
    months = _MONTHS[step]
    month = day.year * 12 + (day.month - 1) // months * months + months
    return date(month // 12, month % 12 + 1, 1)


def borders(periods: Sequence[Period], zone: ZoneInfo) -> list[datetime]:
    """Return the first moment of each period in the time zone, and the first one after the last period."""
    days = [*(period.first for period in periods), periods[-1].last + timedelta(days=1)]
    return [datetime.combine(day, time(), zone) for day in days]


# The number of the period that a movement `m` is in, from 1.
_PERIOD = "width_bucket(m.occurred_at, %(borders)s::timestamptz[])"
_ENTRY_SUMS = """
count(*) FILTER (WHERE m.kind = 'paid'),
coalesce(sum(m.amount) FILTER (WHERE m.kind = 'paid'), 0)::bigint,
coalesce(sum(m.amount) FILTER (WHERE m.kind = 'refunded'), 0)::bigint,
coalesce(sum(m.amount) FILTER (WHERE m.kind = 'disputed'), 0)::bigint, 0::bigint
"""
_FEE_CATEGORIES = ", ".join(f"'{name}'" for name in sorted(STANDALONE_FEES))
_FEE_SUMS = f"""
0::bigint, 0::bigint, 0::bigint, 0::bigint,
sum(m.fee - CASE WHEN m.category IN ({_FEE_CATEGORIES}) THEN m.gross ELSE 0 END)::bigint
"""


def period_sums(cursor: Cursor, borders: Sequence[datetime], workspace: str | None = None) -> list[list[Sums]]:
    """Return the sums between each two borders, of one workspace or of all.

    Each list has one item for each currency that moved between any borders.
    """
    sums = {(row["part"], row["currency"]): _sums_of(row) for row in _sums(cursor, _PERIOD, borders, workspace)}
    currencies = sorted({currency for _, currency in sums})
    return [
        [sums.get((number, currency), Sums(currency)) for currency in currencies] for number in range(1, len(borders))
    ]


# A ticket and its sums in one currency.
CampaignSums = tuple[UUID, Sums]


def campaign_sums(cursor: Cursor, borders: Sequence[datetime], workspace: str | None = None) -> list[CampaignSums]:
    """Return the sums of each ticket in each currency that moved, by currency, the highest payments first."""
    sums = [(row["part"], _sums_of(row)) for row in _sums(cursor, "m.ticket_id", borders, workspace)]
    return sorted(sums, key=lambda each: (each[1].currency, -each[1].paid, each[0]))


def campaigns(cursor: Cursor, ticket_ids: Sequence[UUID]) -> dict[UUID, Row]:
    """Return, for each of these tickets, the columns that `exports` adds about the campaign."""
    columns = {"ticket_id": "t.ticket_id"} | CAMPAIGN
    cursor.execute(
        f"SELECT {', '.join(columns.values())} FROM read.ticket_status t WHERE t.ticket_id = ANY(%(ids)s)",  # noqa: S608
        {"ids": list(ticket_ids)},
    )
    return {row["ticket_id"]: row for row in fetched_rows(cursor, columns)}


def _sums(cursor: Cursor, part: str, borders: Sequence[datetime], workspace: str | None) -> list[Row]:
    """Return the sums of both ledgers, grouped by currency and by the SQL expression `part` of a movement."""

    def query(table: str, sums: str) -> str:
        return f"""
            SELECT {part} AS part, m.currency, {sums} FROM read.{table} m
              JOIN read.donation_workspaces w ON w.ticket_id = m.ticket_id
             WHERE m.occurred_at >= %(first)s AND m.occurred_at < %(end)s
               AND (%(workspace)s::text IS NULL OR w.workspace = %(workspace)s)
             GROUP BY 1, 2
            """  # noqa: S608

    columns = ("part", "currency", *SUMS)
    cursor.execute(
        f"""
        SELECT part, currency, {", ".join(f"sum({name})::bigint" for name in SUMS)}
          FROM ({query("ledger_entries", _ENTRY_SUMS)} UNION ALL {query("fee_ledger", _FEE_SUMS)})
               AS sums ({", ".join(columns)})
         GROUP BY 1, 2
        """,  # noqa: S608
        {"borders": list(borders), "first": borders[0], "end": borders[-1], "workspace": workspace},
    )
    return fetched_rows(cursor, columns)


def _sums_of(row: Row) -> Sums:
    return Sums(row["currency"], *(row[name] for name in SUMS))
