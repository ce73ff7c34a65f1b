"""Fee ledger: one row for each balance transaction of our account at Stripe; donors never see it.

Each row is three postings in one currency: `net` to the balance, `fee` to the costs, and `gross` out of clearing. The
database itself refuses a row whose postings do not sum to zero. Where Stripe exchanged the money, clearing is in the
donation's currency and conversion lies between the two.

An exchange entry is a row of its own for each movement of a dispute that changes what the exchange rates gained, or
lost if `exchange` is negative: for the campaign, the money that came back is what had left. The entry has the date of
the movement, so that a movement of a later month leaves it as it is.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from domain.events import FeeCharged
from domain.values import Money
from projections.model import Cursor, RecordedEvent, Row, Rows, Table, selected, topics

NAME = "fee_ledger"
VERSION = 6
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
        "exchange_rate": "text",
        "fee_details": "jsonb",
        "exchange": "bigint",
        "disputed": "jsonb",
        "occurred_at": "timestamptz",
        "recorded_at": "timestamptz",
        "position": "bigint",
    },
    key=("balance_transaction_id",),
    indexes=("(donation_id)", "(ticket_id, position)", "(occurred_at, position)"),
    checks=("net + fee - gross = 0",),
)
TABLES = (FEES,)

# The category of the exchange entries, and of an empty row for each dispute. The column `disputed` of that row has the
# gross amount, the amount in the donation's currency and the time of each balance transaction behind the entries.
EXCHANGE = "exchange"

# The categories of fees that Stripe books by themselves, as gross amounts.
STANDALONE_FEES = frozenset({"fee", "network_cost", "tax"})

# The accounts that a row is posted to.
BALANCE, COSTS, CLEARING = "assets:stripe:balance", "expenses:stripe:fees", "assets:stripe:clearing"
CONVERSION, EXCHANGE_LOSS = "equity:conversion", "expenses:stripe:exchange"
ACCOUNTS = (BALANCE, COSTS, CLEARING, CONVERSION, EXCHANGE_LOSS)


def fold(batch: Sequence[RecordedEvent], rows: Rows) -> None:
    relevant = [(recorded, recorded.event) for recorded in batch if isinstance(recorded.event, FeeCharged)]
    ids = {event.balance_transaction_id for _, event in relevant}
    dispute_ids = {_exchange_id(event) for _, event in relevant if event.converted}
    rows.load(FEES, {(id,) for id in ids | dispute_ids})
    disputes = (row["disputed"] for id in dispute_ids if (row := rows.get(FEES, (id,))))
    rows.load(FEES, {(_entry_id(id),) for disputed in disputes for id in disputed})
    for recorded, event in relevant:
        at = event.report.at if event.created_at is None else event.created_at
        row = rows.get(FEES, (event.balance_transaction_id,))
        changed = _row(event, recorded, at) if row is None else _merged(row, event, recorded, at)
        if changed != row:
            rows.put(FEES, changed)
        if event.converted is not None:
            _fold_exchange(event, event.converted.minor, recorded, at, rows)


def _row(event: FeeCharged, recorded: RecordedEvent, at: int) -> Row:
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
        "exchange_rate": event.exchange_rate,
        "fee_details": _fee_details(event),
        "exchange": 0,
        "disputed": None,
        "occurred_at": _utc(at),
        "recorded_at": recorded.recorded_at,
        "position": recorded.position,
    }


def _merged(row: Row, event: FeeCharged, recorded: RecordedEvent, at: int) -> Row:
    """Return what two reports of a balance transaction say together: the earliest time counts."""
    merged = row | {
        "exchange_rate": row["exchange_rate"] or event.exchange_rate,
        "fee_details": row["fee_details"] or _fee_details(event),
        "occurred_at": min(row["occurred_at"], _utc(at)),
    }
    return merged if merged == row else merged | {"recorded_at": recorded.recorded_at, "position": recorded.position}


def _fee_details(event: FeeCharged) -> list[dict[str, Any]]:
    return [{"type": part.type, "minor": part.amount.minor} for part in event.fee_details]


def _utc(at: int) -> datetime:
    return datetime.fromtimestamp(at, UTC)


# Exchange entries.


def _exchange_id(event: FeeCharged) -> str:
    """Return the id of the row for the dispute that moved the money."""
    return f"{EXCHANGE}:{event.source_id}:{event.gross.currency}"


def _entry_id(balance_transaction_id: str) -> str:
    """Return the id of the exchange entry of the movement."""
    return f"{EXCHANGE}:{balance_transaction_id}"


def _fold_exchange(event: FeeCharged, converted: int, recorded: RecordedEvent, at: int, rows: Rows) -> None:
    id = _exchange_id(event)
    row = rows.get(FEES, (id,))
    before: dict[str, list[int]] = row["disputed"] if row else {}
    _, _, known_at = before.get(event.balance_transaction_id, (0, 0, at))
    after = before | {event.balance_transaction_id: [event.gross.minor, converted, min(at, known_at)]}
    if after == before:
        return
    empty = _row(event, recorded, at) | {
        "category": EXCHANGE,
        "gross": 0,
        "fee": 0,
        "net": 0,
        "exchange_rate": None,
        "fee_details": [],
    }
    last_at = max(moved_at for _, _, moved_at in after.values())
    rows.put(FEES, empty | {"balance_transaction_id": id, "disputed": after, "occurred_at": _utc(last_at)})
    entries_before, entries_after = _exchange_entries(before), _exchange_entries(after)
    for moved_id, (exchange, moved_at) in entries_after.items():
        if entries_before.get(moved_id) != (exchange, moved_at):
            entry = {"balance_transaction_id": _entry_id(moved_id), "exchange": exchange, "occurred_at": _utc(moved_at)}
            rows.put(FEES, empty | entry)
    for moved_id in entries_before.keys() - entries_after.keys():
        rows.delete(FEES, (_entry_id(moved_id),))


def _exchange_entries(disputed: Mapping[str, Sequence[int]]) -> dict[str, tuple[int, int]]:
    """Return what each movement changed of the exchange until then, unless it is nothing, and the movement's time."""
    entries = {}
    until_then: dict[str, Sequence[int]] = {}
    exchange = 0
    for id in sorted(disputed, key=lambda id: (disputed[id][2], id)):
        until_then[id] = disputed[id]
        if changed := _exchange(until_then) - exchange:
            entries[id] = changed, disputed[id][2]
            exchange += changed
    return entries


def _exchange(disputed: Mapping[str, Sequence[int]]) -> int:
    """Return what came back, minus what it would have been at the rate at which the money had left."""
    withdrawn = [(-gross, -converted) for gross, converted, _ in disputed.values() if gross < 0]
    reinstated = [(gross, converted) for gross, converted, _ in disputed.values() if gross > 0]
    out, converted_out = (sum(amounts) for amounts in zip(*withdrawn, strict=True)) if withdrawn else (0, 0)
    back, converted_back = (sum(amounts) for amounts in zip(*reinstated, strict=True)) if reinstated else (0, 0)
    if not converted_out or not converted_back:
        return 0
    return back - (2 * converted_back * out + converted_out) // (2 * converted_out)


def postings(row: Row, converted: Money | None = None) -> Iterator[tuple[str, Money]]:
    """Yield each account that the row changes and the change; the amounts of each currency sum to zero.

    `converted` is the gross amount in the donation's currency, if Stripe exchanged it.
    """
    currency = row["currency"]
    changes = [(BALANCE, Money(row["net"], currency)), (COSTS, Money(row["fee"], currency))]
    if converted is None:
        changes += [(COSTS if row["category"] in STANDALONE_FEES else CLEARING, Money(-row["gross"], currency))]
    else:
        changes += [
            (CONVERSION, Money(-row["gross"], currency)),
            (CONVERSION, converted),
            (CLEARING, Money(-converted.minor, converted.currency)),
        ]
    changes += [(EXCHANGE_LOSS, Money(-row["exchange"], currency)), (CONVERSION, Money(row["exchange"], currency))]
    yield from ((account, change) for account, change in changes if change.minor)


# Queries.


def entries(cursor: Cursor, donation_ids: Sequence[UUID]) -> list[Row]:
    """Return the fee rows of these donations in the order in which they were recorded."""
    return selected(cursor, FEES, "WHERE donation_id = ANY(%(ids)s) ORDER BY position", ids=list(donation_ids))


def charged_since(cursor: Cursor, since: datetime, after: UUID | None, limit: int) -> list[tuple[UUID, UUID]]:
    """Return up to `limit` donations after the id `after` with a row since then: the ids of ticket and donation."""
    cursor.execute(
        "SELECT DISTINCT ON (donation_id) ticket_id, donation_id FROM read.fee_ledger"
        " WHERE occurred_at >= %(since)s AND (%(after)s::uuid IS NULL OR donation_id > %(after)s)"
        " ORDER BY donation_id LIMIT %(limit)s",
        {"since": since, "after": after, "limit": limit},
    )
    return [(ticket_id, donation_id) for ticket_id, donation_id in cursor.fetchall()]
