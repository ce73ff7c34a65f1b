"""Queries of the exports for accounting, over donation ledger, fee ledger and tickets, a page at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeVar
from uuid import UUID

from projections import donation_ledger, fee_ledger
from projections.donation_ledger import DONATIONS, ENTRIES, SUM_COLUMNS
from projections.fee_ledger import FEES
from projections.model import Cursor, Row, Table, fetched_rows

PAGE_ROWS = 1_000

By = Literal["moved", "recorded", "paid", "created"]
# The column that tells whether a row is in the period.
_TIMES: dict[By, str] = {"moved": "occurred_at", "recorded": "recorded_at", "paid": "paid_at", "created": "created_at"}


@dataclass(frozen=True)
class Selection:
    """The selection of an export: of one ticket or workspace, from the moment `since` on and before `until`.

    By `moved` and `recorded` each movement is in the period in which it happened or was recorded. By `paid` and
    `created` each donation is, with everything that became of it.
    """

    by: By = "moved"
    ticket_id: UUID | None = None
    workspace: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def selects_movements(self) -> bool:
        return self.by in ("moved", "recorded")

    def includes(self, movement: Row) -> bool:
        """Return True if the entry or settlement is in the period."""
        at: datetime = movement[_TIMES[self.by]]
        return (self.since is None or self.since <= at) and (self.until is None or at < self.until)

    def conditions(self, by: By | None = None) -> list[str]:
        """Return the conditions of a query in which `m` has the times and `t` is the table of tickets."""
        time = _TIMES[by or self.by]
        values = {
            "m.ticket_id = %(ticket_id)s": self.ticket_id,
            "t.workspace = %(workspace)s": self.workspace,
            f"m.{time} >= %(since)s": self.since,
            f"m.{time} < %(until)s": self.until,
        }
        return [condition for condition, value in values.items() if value is not None]


# Time and position of the last movement of a page, which is in the order of both. All entries of an event are of one
# donation.
Place = tuple[datetime, int]
Item = TypeVar("Item")
End = TypeVar("End")
# The items of a page, and its end unless it is the last one.
Page = tuple[list[Item], End | None]

# Joins the ticket of each row of a table `m`.
TICKET = "LEFT JOIN read.ticket_status t ON t.ticket_id = m.ticket_id"
_HAS_ENTRIES = "EXISTS (SELECT FROM read.ledger_entries e WHERE e.donation_id = m.donation_id)"
# What says which parts of the title may be shown, where the person took something back or limited it in time.
_HIDING = """CASE WHEN t.consents @> '[{"withdrawn": []}]' OR t.consents @? '$[*] ? (@.valid_until != null)'
 THEN jsonb_build_object('consents', t.consents, 'display_name', t.display_name, 'draft', t.draft) END"""
CAMPAIGN = {"workspace": "t.workspace", "campaign": "t.draft->>'title'", "hiding": _HIDING}
_ORGANISATION = {"organisation": "w.organisation->>'legal_name'"}
_WORKSPACE = "LEFT JOIN read.workspaces w ON w.workspace = t.workspace"
_ENTRY = {name: f"m.{name}" for name in ENTRIES.columns} | {"donor_last_name": "d.donor_last_name"} | CAMPAIGN
_SETTLEMENT = {name: f"m.{name}" for name in FEES.columns}
_RECEIPT = {"receipt_year": "r.year", "receipt_number": "r.number", "receipt_issued_at": "r.issued_at"}
_DONATION = {name: f"m.{name}" for name in DONATIONS.columns} | CAMPAIGN | _RECEIPT | _ORGANISATION
_RECEIPTS = "LEFT JOIN receipt_numbers r ON (r.ticket_id, r.donation_id) = (m.ticket_id, m.donation_id)"


def _where(conditions: Iterable[str]) -> str:
    return f"WHERE {' AND '.join(conditions)}" if conditions else ""


def movements(cursor: Cursor, selection: Selection, after: Place | None) -> Page[Row, Place]:
    """Return entries of the donation ledger with their campaign, in the order of their time."""
    donation = "LEFT JOIN read.donation_ledger d ON d.donation_id = m.donation_id"
    return _movement_page(cursor, f"read.ledger_entries m {donation}", _ENTRY, selection, after)


def settlements(cursor: Cursor, selection: Selection, after: Place | None) -> Page[Row, Place]:
    """Return rows of the fee ledger in the order of their time, with the amounts in the donations' currencies."""
    rows, end = _movement_page(cursor, "read.fee_ledger m", _SETTLEMENT, selection, after)
    return donation_ledger.with_converted(cursor, rows), end


def _movement_page(
    cursor: Cursor, source: str, columns: dict[str, str], selection: Selection, after: Place | None
) -> Page[Row, Place]:
    columns = columns | _ORGANISATION
    # The entries of one event stay together, so there may be more than PAGE_ROWS.
    cursor.execute(
        f"""
        SELECT {", ".join(columns.values())} FROM {source} {TICKET} {_WORKSPACE} {_after(selection, after)}
         ORDER BY m.occurred_at, m.position FETCH FIRST {PAGE_ROWS} ROWS WITH TIES
        """,  # noqa: S608
        _parameters(selection, after),
    )
    rows = fetched_rows(cursor, columns)
    return rows, _place(rows[-1]) if len(rows) >= PAGE_ROWS else None


def _after(selection: Selection, after: Place | None) -> str:
    following = ["(m.occurred_at, m.position) > (%(at)s, %(position)s)"] if after else []
    return _where([*selection.conditions(), *following])


def _parameters(selection: Selection, after: Place | None) -> dict[str, object]:
    return vars(selection) | (dict(zip(("at", "position"), after, strict=True)) if after else {})


def _place(movement: Row) -> Place:
    return movement["occurred_at"], movement["position"]


# A donation with what was settled of it.
Line = tuple[Row, list[Row]]


def moved_donations(cursor: Cursor, selection: Selection, after: Place | None) -> Page[Line, Place]:
    """Return the donations with entries or settlements in the period, in the order of the first of these."""

    def first_rows(table: Table) -> str:
        return (
            f"(SELECT m.occurred_at, m.position, m.donation_id FROM read.{table.name} m {TICKET}"  # noqa: S608
            f" {_after(selection, after)} ORDER BY m.occurred_at, m.position LIMIT {PAGE_ROWS})"
        )

    cursor.execute(
        f"{first_rows(ENTRIES)} UNION ALL {first_rows(FEES)} ORDER BY occurred_at, position LIMIT {PAGE_ROWS}",
        _parameters(selection, after),
    )
    places = cursor.fetchall()
    ids = list({donation_id: None for _, _, donation_id in places})
    entries = _by_donation(ids, donation_ledger.entries_of(cursor, ids))
    fees = _by_donation(ids, fee_ledger.entries(cursor, ids))
    rows = {row["donation_id"]: row for row in _donations(cursor, "WHERE m.donation_id = ANY(%(ids)s)", {"ids": ids})}
    lines = []
    for id in ids:
        first = min((_place(m) for m in (*entries[id], *fees[id]) if selection.includes(m)), default=None)
        # A donation whose first movement is on an earlier page was returned with that page.
        if id in rows and first is not None and (after is None or first > after):
            lines.append(in_period(rows[id], entries[id], fees[id], selection))
    return lines, places[-1][:2] if len(places) >= PAGE_ROWS else None


def in_period(donation: Row, entries: Sequence[Row], settlements: Sequence[Row], selection: Selection) -> Line:
    """Return a donation with the sums of its movements in the period, and what was settled in the period.

    By `moved` everything else is as it was at the end of the period, so that nothing that happens later changes it.
    """
    if selection.by == "moved" and selection.until is not None:
        donation = donation_ledger.donation_as_of(donation, selection.until - timedelta(microseconds=1))
        issued_at = donation.get("receipt_issued_at")
        if issued_at is not None and issued_at >= selection.until:
            donation = donation | dict.fromkeys(_RECEIPT)
    sums = dict.fromkeys(SUM_COLUMNS, 0)
    for entry in filter(selection.includes, entries):
        sums[entry["kind"]] += entry["amount"]
    return donation | sums, list(filter(selection.includes, settlements))


def dated_donations(cursor: Cursor, selection: Selection, after: UUID | None) -> Page[Line, UUID]:
    """Return the donations with any entry that were paid or created in the period, in the order of their ids.

    Ids are given in the order of creation.
    """
    page, end = _dated_page(cursor, [*selection.conditions(), _HAS_ENTRIES], selection, after)
    ids = [row["donation_id"] for row in page]
    fees = _by_donation(ids, fee_ledger.entries(cursor, ids))
    return [(row, fees[row["donation_id"]]) for row in page], end


def unpaid_donations(cursor: Cursor, selection: Selection, after: UUID | None) -> Page[Row, UUID]:
    """Return the donations without any entry that were created in the period, in the order of their ids."""
    return _dated_page(cursor, [*selection.conditions("created"), f"NOT {_HAS_ENTRIES}"], selection, after)


def _dated_page(cursor: Cursor, conditions: Sequence[str], selection: Selection, after: UUID | None) -> Page[Row, UUID]:
    following = ["m.donation_id > %(after)s"] if after else []
    query = f"{_where([*conditions, *following])} ORDER BY m.donation_id LIMIT {PAGE_ROWS}"
    page = _donations(cursor, query, vars(selection) | {"after": after})
    return page, page[-1]["donation_id"] if len(page) == PAGE_ROWS else None


def _donations(cursor: Cursor, where: str, parameters: dict[str, object]) -> list[Row]:
    cursor.execute(
        f"SELECT {', '.join(_DONATION.values())} FROM read.donation_ledger m {TICKET} {_WORKSPACE} {_RECEIPTS}"  # noqa: S608
        f" {where}",
        parameters,
    )
    return fetched_rows(cursor, _DONATION)


def _by_donation(ids: Iterable[UUID], rows: Iterable[Row]) -> dict[UUID, list[Row]]:
    by_donation: dict[UUID, list[Row]] = {id: [] for id in ids}
    for row in rows:
        by_donation[row["donation_id"]].append(row)
    return by_donation
