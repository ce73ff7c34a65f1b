"""The day's list: a narrow row for each ticket that is not erased, and how many tickets have each status.

It is folded with ticket status, from the same events, because a ticket's status follows from its draft. Labels are
sealed; those who look for one find it by its keyed hash in `ticket_search`, which changes with the events themselves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from domain import events
from domain.values import ContentStatus, Kind
from projections.approvals import REQUESTED
from projections.desk_search import MOST_LOOKED_UP, PROMISING, WALKED_FIRST, Choices, Texts
from projections.model import Cursor, RecordedEvent, Row, Rows, Table, fetched_rows, topics

# The status of a ticket from its first payment on.
PAYMENT_RECEIVED = "PAYMENT_RECEIVED"
STATUSES = (*(status.value for status in ContentStatus if status is not ContentStatus.ERASED), PAYMENT_RECEIVED)
# A count is kept in so many rows, by the last byte of the tickets' ids. A partition of a rebuild takes whole shards, so
# that no two partitions share a row.
SHARDS = 12

TOPICS = topics(
    events.LabelsChanged,
    events.TicketAssigned,
    events.TicketUnassigned,
    events.DueDateSet,
    events.DueDateCleared,
    events.DueReminderSent,
)

_DUE = "(coalesce(due_at, 'infinity'::timestamptz))"
LISTED = Table(
    "desk_tickets",
    {
        "ticket_id": "uuid",
        "workspace": "text",
        "kind": "text",
        "status": "text",
        "content_status": "text",
        "approval": "text",
        "labels": "jsonb",
        "assignee": "uuid",
        "due_at": "timestamptz",
        "reminded": "boolean",
        "created_at": "timestamptz",
        "updated_at": "timestamptz",
        "position": "bigint",
    },
    key=("ticket_id",),
    indexes=(
        # The columns after the id are compared in the index, without reading the rows that the filters leave out.
        "(workspace, created_at, ticket_id, assignee, approval)",
        "(workspace, updated_at, ticket_id, created_at, status, assignee, approval)",
        f"(workspace, {_DUE}, ticket_id, created_at, status, assignee, approval)",
        "(workspace, status, created_at, ticket_id)",
        "(workspace, assignee, created_at, ticket_id) WHERE assignee IS NOT NULL",
        "(workspace, approval, created_at, ticket_id) WHERE approval IS NOT NULL",
        "(due_at) WHERE assignee IS NOT NULL AND NOT reminded",
    ),
)
COUNTS = Table(
    "desk_counts",
    {"workspace": "text", "status": "text", "shard": "integer", "tickets": "bigint", "position": "bigint"},
    key=("workspace", "status", "shard"),
)
TABLES = (LISTED, COUNTS)


def load(batch: Sequence[RecordedEvent], rows: Rows) -> None:
    """Load the rows that the batch may change."""
    opened = {
        recorded.event.ticket: recorded.event.workspace
        for recorded in batch
        if isinstance(recorded.event, events.TicketOpened)
    }
    ids = {recorded.event.ticket for recorded in batch}
    rows.load(LISTED, {(ticket_id,) for ticket_id in ids - opened.keys()})
    stored = {ticket_id: row["workspace"] for ticket_id in ids if (row := rows.get(LISTED, (ticket_id,)))}
    shards = {(workspace, _shard(ticket_id)) for ticket_id, workspace in (stored | opened).items()}
    rows.load(COUNTS, {(workspace, status, shard) for workspace, shard in shards for status in STATUSES})


def fold_ticket(recorded: RecordedEvent, ticket: Row, status: ContentStatus, rows: Rows) -> None:
    """Fold an event of a ticket whose row of ticket status, which has this status, is `ticket` after it."""
    ticket_id = recorded.event.ticket
    row = rows.get(LISTED, (ticket_id,))
    before = row["status"] if row else None
    if ticket["erased"]:
        rows.delete(LISTED, (ticket_id,))
        _count(recorded, ticket, before, None, rows)
        return
    if row is None:
        row = {name: ticket[name] for name in ("ticket_id", "workspace", "kind", "created_at")}
        row |= {"labels": [], "assignee": None, "due_at": None, "reminded": False}
    row |= {"content_status": status.value, "approval": ticket["approval"] and ticket["approval"]["state"]}
    row["status"] = PAYMENT_RECEIVED if before == PAYMENT_RECEIVED else status.value
    row |= {"updated_at": recorded.recorded_at, "position": recorded.position}
    rows.put(LISTED, row)
    _count(recorded, row, before, row["status"], rows)


def fold_payment(recorded: RecordedEvent, rows: Rows) -> None:
    row = rows.get(LISTED, (recorded.event.ticket,))
    if row is not None and row["status"] != PAYMENT_RECEIVED:
        before = row["status"]
        rows.put(LISTED, row | {"status": PAYMENT_RECEIVED, "position": recorded.position})
        _count(recorded, row, before, PAYMENT_RECEIVED, rows)


def fold_desk_event(recorded: RecordedEvent, rows: Rows) -> None:
    """Fold an event of the desk; it leaves the time of the last update as it is, which is that of the ticket."""
    row = rows.get(LISTED, (recorded.event.ticket,))
    if row is None or recorded.event.TOPIC not in TOPICS:
        return
    match recorded.event:
        case events.LabelsChanged(labels=labels):
            row["labels"] = list(labels)
        case events.TicketAssigned(assignee=assignee):
            row["assignee"] = assignee
        case events.TicketUnassigned():
            row["assignee"] = None
        case events.DueDateSet(due_at=due_at):
            row |= {"due_at": datetime.fromtimestamp(due_at, UTC), "reminded": False}
        case events.DueDateCleared():
            row |= {"due_at": None, "reminded": False}
        case events.DueReminderSent():
            row["reminded"] = True
        case _:
            pass
    rows.put(LISTED, row | {"position": recorded.position})


def _shard(ticket_id: UUID) -> int:
    return ticket_id.bytes[-1] % SHARDS


def _count(recorded: RecordedEvent, ticket: Row, before: str | None, after: str | None, rows: Rows) -> None:
    if before == after:
        return
    for status, change in ((before, -1), (after, 1)):
        if status is not None:
            key = {"workspace": ticket["workspace"], "status": status, "shard": _shard(ticket["ticket_id"])}
            row = rows.get(COUNTS, COUNTS.key_of(key)) or key | {"tickets": 0}
            rows.put(COUNTS, row | {"tickets": row["tickets"] + change, "position": recorded.position})


# Queries.


class Sort(StrEnum):
    """The orders of the list; a minus sign means the newest first. Tickets without a due date come after the others."""

    NEWEST = "-createdAt"
    OLDEST = "createdAt"
    LAST_CHANGED = "-updatedAt"
    FIRST_CHANGED = "updatedAt"
    DUE = "dueAt"

    @property
    def column(self) -> str:
        return {"createdAt": "created_at", "updatedAt": "updated_at", "dueAt": "due_at"}[self.removeprefix("-")]


@dataclass(frozen=True)
class Filters:
    """The filter of a list of tickets; None and empty lists limit nothing.

    `unassigned` limits to tickets without an assignee. `until` is exclusive. `labels` has, for each label that a ticket
    must have, the arrays of hashes of which it must have one, and `words` for the searched words; a ticket with one of
    the `contacts` needs none of the words.
    """

    status: str | None = None
    kind: Kind | None = None
    approval: str | None = None
    assignee: UUID | None = None
    unassigned: bool = False
    since: datetime | None = None
    until: datetime | None = None
    labels: Sequence[Choices] = ()
    words: Choices | None = None
    contacts: Sequence[str] = field(default=(), repr=False)


# The value by which a list is ordered, and the id, of the last ticket of a page; a due date may be missing.
Key = tuple[datetime | None, UUID]

COLUMNS = (
    "ticket_id",
    "workspace",
    "kind",
    "status",
    "content_status",
    "approval",
    "labels",
    "assignee",
    "due_at",
    "created_at",
    "updated_at",
)
_COLUMNS = ", ".join(COLUMNS)
_DETAILS = {
    "display_name": "t.display_name",
    "title": "t.draft ->> 'title'",
    "goal": "t.draft -> 'goal'",
    "currency": "t.draft ->> 'currency'",
    "suspended": "t.suspended",
    "paid": "p.paid",
    "paid_currency": "p.currency",
}
_SHOWN = (*COLUMNS, *_DETAILS)
_SIZED = ("size", *_SHOWN)
# Tickets of a CTE, and those that a lookup found, each by its id, whatever else might lead to it.
_CHOSEN = "chosen AS desk_tickets"
_LOOKED_UP = f"""
    (SELECT DISTINCT ticket_id AS id FROM chosen WHERE (SELECT count(*) FROM chosen) <= {MOST_LOOKED_UP}) AS sought
    CROSS JOIN LATERAL (SELECT * FROM read.desk_tickets d WHERE d.ticket_id = sought.id OFFSET 0) AS desk_tickets
"""  # noqa: S608


def page(
    cursor: Cursor, workspace: str, filters: Filters, sort: Sort, limit: int, after: Key | None = None
) -> list[Row]:
    """Return up to `limit` tickets of a workspace after the one with the key `after`."""
    order = _DUE if sort is Sort.DUE else sort.column
    direction, comparison = ("DESC", "<") if sort.startswith("-") else ("ASC", ">")
    texts = Texts(filters.labels, filters.words, filters.contacts)
    conditions, params = _conditions(filters)
    params |= texts.parameters() | {"workspace": workspace, "limit": limit}
    if after is not None:
        conditions.append(f"({order}, ticket_id) {comparison} (%(after)s::timestamptz, %(after_id)s::uuid)")
        params |= {"after": after[0] or "infinity", "after_id": after[1]}
    where = " AND ".join(["workspace = %(workspace)s", *conditions])
    by = f"ORDER BY workspace {direction}, {order} {direction}, ticket_id {direction}"

    def fetched(query: str, columns: Sequence[str]) -> list[Row]:
        # Planned for these values each time: with others, another index is better.
        cursor.execute(f"{query} ORDER BY {order} {direction}, ticket_id {direction}", params, prepare=False)
        return fetched_rows(cursor, columns)

    def first(source: str, condition: str = "true") -> str:
        return _with_details(
            f"SELECT {_COLUMNS} FROM {source} WHERE {where} AND {condition} {by} LIMIT %(limit)s"  # noqa: S608
        )

    if not texts:
        return fetched(first("read.desk_tickets"), _SHOWN)
    walked = f"SELECT * FROM read.desk_tickets WHERE {where} {by}"  # noqa: S608
    size, rows = _sized(
        fetched(_with_size(f"{walked} LIMIT {WALKED_FIRST}", first(_CHOSEN, texts.condition())), _SIZED)
    )
    if len(rows) == limit or size < WALKED_FIRST:
        return rows
    if len(rows) >= PROMISING:
        twice_the_expected = 2 * limit * WALKED_FIRST // len(rows)
        rows = fetched(first(f"({walked} LIMIT {twice_the_expected}) AS desk_tickets", texts.condition()), _SHOWN)
        if len(rows) == limit:
            return rows
    for lookup in texts.lookups():
        size, rows = _sized(fetched(_with_size(lookup.query, first(_LOOKED_UP, lookup.condition)), _SIZED))
        if size <= MOST_LOOKED_UP:
            return rows
    return fetched(first("read.desk_tickets", texts.condition()), _SHOWN)


def _sized(rows: list[Row]) -> tuple[int, list[Row]]:
    """Return the size and the tickets of rows of which each has the size, and one may have no ticket."""
    return rows[0]["size"], [row for row in rows if row["ticket_id"] is not None]


def listed(cursor: Cursor, ticket_id: UUID) -> Row | None:
    """Return the ticket as `page` does, or None if it is not listed."""
    chosen = f"SELECT {', '.join(COLUMNS)} FROM read.desk_tickets WHERE ticket_id = %(ticket_id)s"  # noqa: S608
    cursor.execute(_with_details(chosen), {"ticket_id": ticket_id})
    return next(iter(fetched_rows(cursor, _SHOWN)), None)


def _with_details(chosen: str) -> str:
    """Return the query that adds to the chosen rows what is shown of the ticket and its donations."""
    details = [*(f"listed.{name}" for name in COLUMNS), *(f"{value} AS {name}" for name, value in _DETAILS.items())]
    return f"""
        WITH listed AS MATERIALIZED ({chosen})
        SELECT {", ".join(details)}
          FROM listed
          JOIN (SELECT ticket_id, display_name, draft, suspended FROM read.ticket_status) t USING (ticket_id)
          LEFT JOIN LATERAL (
               SELECT paid, currency FROM read.donation_totals d WHERE d.ticket_id = listed.ticket_id
                ORDER BY d.currency = coalesce(t.draft -> 'goal' ->> 'currency', d.currency) DESC, d.paid DESC LIMIT 1
               ) p ON true
    """  # noqa: S608 (constants)


def _with_size(source: str, details: str) -> str:
    """Return the query of the details of some of the tickets `chosen` by the source, and their number in each row."""
    # The source is planned as if all its rows were wanted, so that a lookup uses the index of the hashes.
    return f"""
        WITH every AS MATERIALIZED ({source}), chosen AS MATERIALIZED (SELECT * FROM every LIMIT {MOST_LOOKED_UP + 1})
        SELECT * FROM (SELECT count(*) FROM chosen) AS number (size) LEFT JOIN ({details}) AS shown ON true
    """  # noqa: S608 (constants)


def _conditions(filters: Filters) -> tuple[list[str], dict[str, Any]]:
    """Return the conditions of all filters but the texts."""
    conditions: list[str] = []
    params: dict[str, Any] = {}
    compared: Mapping[str, tuple[str, object]] = {
        "status": ("status = %(status)s", filters.status),
        "kind": ("kind = %(kind)s", filters.kind),
        "approval": ("approval = %(approval)s", filters.approval),
        "assignee": ("assignee = %(assignee)s", filters.assignee),
        "since": ("created_at >= %(since)s", filters.since),
        "until": ("created_at < %(until)s", filters.until),
    }
    for name, (condition, value) in compared.items():
        if value is not None:
            conditions.append(condition)
            params[name] = value
    if filters.unassigned:
        conditions.append("assignee IS NULL")
    return conditions, params


def counts(cursor: Cursor, workspace: str | None) -> dict[str, int]:
    """Return the number of tickets of each status, in one workspace or in all."""
    cursor.execute(
        "SELECT status, sum(tickets)::bigint FROM read.desk_counts"
        " WHERE %(workspace)s::text IS NULL OR workspace = %(workspace)s GROUP BY status",
        {"workspace": workspace},
    )
    return dict.fromkeys(STATUSES, 0) | dict(cursor.fetchall())


def approvals_requested(cursor: Cursor, workspace: str | None) -> int:
    """Return the number of tickets that wait for an approval, in one workspace or in all."""
    cursor.execute(
        "SELECT count(*) FROM read.desk_tickets WHERE approval = %(requested)s"
        " AND (%(workspace)s::text IS NULL OR workspace = %(workspace)s)",
        {"requested": REQUESTED, "workspace": workspace},
    )
    [(count,)] = cursor.fetchall()
    return int(count)


def workspaces(cursor: Cursor) -> list[str]:
    """Return the workspaces that have tickets, in alphabetical order."""
    cursor.execute("SELECT workspace FROM read.desk_counts GROUP BY workspace HAVING sum(tickets) > 0 ORDER BY 1")
    return [workspace for (workspace,) in cursor.fetchall()]


def due(cursor: Cursor, now: datetime, limit: int) -> list[UUID]:
    """Return tickets that are due and whose assignee was not reminded, those that are due for longest first."""
    cursor.execute(
        "SELECT ticket_id FROM read.desk_tickets"
        " WHERE assignee IS NOT NULL AND NOT reminded AND due_at <= %(now)s ORDER BY due_at LIMIT %(limit)s",
        {"now": now, "limit": limit},
    )
    return [ticket_id for (ticket_id,) in cursor.fetchall()]
