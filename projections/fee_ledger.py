"""Fee ledger: one row for each balance transaction of our account at Stripe; donors never see it.

Each row is three postings in one currency: `net` to the balance, `fee` to the costs, and `gross` out of clearing. The
database itself refuses a row whose postings do not sum to zero.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from uuid import UUID

from domain.events import FeeCharged
from projections.model import Cursor, RecordedEvent, Row, Rows, Table, fetched_rows, topics

NAME = "fee_ledger"
VERSION = 3
TOPICS = topics(FeeCharged)

FEES = Table(
    "fee_ledger",
    {
        "balance_transaction_id": "text",
        "ticket_id": "uuid",
        "donation_id": "uuid",
        "source_id": "text",
        "category": "text",
        "currency": "text",
        "gross": "bigint",
        "fee": "bigint",
        "net": "bigint",
        "occurred_at": "timestamptz",
        "recorded_at": "timestamptz",
        "position": "bigint",
    },
    key=("balance_transaction_id",),
    indexes=("(donation_id)", "(ticket_id, position)"),
    checks=("net + fee - gross = 0",),
)
TABLES = (FEES,)

# The accounts that a row is posted to.
BALANCE, COSTS, CLEARING = "assets:stripe:balance", "expenses:stripe:fees", "assets:stripe:clearing"


def fold(batch: Sequence[RecordedEvent], rows: Rows) -> None:
    relevant = [(recorded, recorded.event) for recorded in batch if isinstance(recorded.event, FeeCharged)]
    rows.load(FEES, {(event.balance_transaction_id,) for _, event in relevant})
    for recorded, event in relevant:
        occurred_at = datetime.fromtimestamp(event.report.at if event.created_at is None else event.created_at, UTC)
        row = rows.get(FEES, (event.balance_transaction_id,))
        if row is None:
            rows.put(FEES, _row(event, recorded, occurred_at))
        # Stripe may report a balance transaction several times; the earliest time counts.
        elif occurred_at < row["occurred_at"]:
            rows.put(FEES, row | {"occurred_at": occurred_at, "position": recorded.position})


def _row(event: FeeCharged, recorded: RecordedEvent, occurred_at: datetime) -> Row:
    return {
        "balance_transaction_id": event.balance_transaction_id,
        "ticket_id": event.ticket,
        "donation_id": event.donation_id,
        "source_id": event.source_id,
        "category": event.category,
        "currency": event.gross.currency,
        "gross": event.gross.minor,
        "fee": event.fee.minor,
        "net": event.gross.minor - event.fee.minor,
        "occurred_at": occurred_at,
        "recorded_at": recorded.recorded_at,
        "position": recorded.position,
    }


def postings(row: Row) -> Iterator[tuple[str, int]]:
    """Yield each account that the row changes and the amount of the change; the amounts sum to zero."""
    for account, amount in ((BALANCE, row["net"]), (COSTS, row["fee"]), (CLEARING, -row["gross"])):
        if amount:
            yield account, amount


# Queries.

_SELECT = f"SELECT {', '.join(FEES.columns)} FROM read.fee_ledger "  # noqa: S608


def entries(cursor: Cursor, donation_ids: Sequence[UUID]) -> list[Row]:
    """Return the fee rows of these donations in the order in which they were recorded."""
    cursor.execute(
        _SELECT + "WHERE donation_id = ANY(%(donation_ids)s) ORDER BY position", {"donation_ids": list(donation_ids)}
    )
    return fetched_rows(cursor, FEES.columns)
