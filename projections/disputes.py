"""Disputes over all donations: one row for each, with what Stripe says of it and until when evidence is due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.events import (
    DisputeClosed,
    DisputeFundsReinstated,
    DisputeFundsWithdrawn,
    DisputeOpened,
    DisputeReminderSent,
)
from domain.movements import CLOSED_DISPUTE_STATES, DISPUTE_RANK, UNANSWERED_DISPUTE_STATES
from projections.donation_ledger.donation_table import utc_time
from projections.exports import CAMPAIGN
from projections.model import Cursor, RecordedEvent, Row, Rows, Table, fetched_rows, topics

NAME = "disputes"
VERSION = 1
TOPICS = topics(DisputeOpened, DisputeClosed, DisputeFundsWithdrawn, DisputeFundsReinstated, DisputeReminderSent)

# Places in the list: unanswered disputes by their deadline, then other open ones, then closed ones, the newest first.
_PLACE_OF_OPEN, _PLACE_OF_CLOSED, _NO_DEADLINE = 10**12, 2 * 10**12, 10**12 - 1

# `due_state` is the state with which the deadline was reported; of several deadlines that of the most advanced state
# counts. `due_seconds` is Stripe's value, which is 0 if the bank takes no evidence; `due_by` is null then, and as long
# as no deadline is known. `opened_dated` says whether Stripe dated the dispute itself, and not only a report of it.
DISPUTES = Table(
    "disputes",
    {
        "donation_id": "uuid",
        "dispute_id": "text",
        "ticket_id": "uuid",
        "currency": "text",
        "amount": "bigint",
        "state": "text",
        "reason": "text",
        "opened_at": "timestamptz",
        "opened_dated": "boolean",
        "due_seconds": "bigint",
        "due_state": "text",
        "due_by": "timestamptz",
        "reminded": "boolean",
        "place": "bigint",
        "position": "bigint",
    },
    key=("donation_id", "dispute_id"),
    indexes=("(place, dispute_id)", "(ticket_id)", "(due_by) WHERE NOT reminded"),
)
TABLES = (DISPUTES,)

_Reported = DisputeOpened | DisputeClosed
_Moved = DisputeFundsWithdrawn | DisputeFundsReinstated
_REPORTED, _MOVED = (DisputeOpened, DisputeClosed), (DisputeFundsWithdrawn, DisputeFundsReinstated)


def fold(batch: Sequence[RecordedEvent], rows: Rows) -> None:
    kinds = (*_REPORTED, *_MOVED, DisputeReminderSent)
    relevant = [(recorded, recorded.event) for recorded in batch if isinstance(recorded.event, kinds)]
    rows.load(DISPUTES, {(event.donation_id, event.dispute_id) for _, event in relevant})
    for recorded, event in relevant:
        row = rows.get(DISPUTES, (event.donation_id, event.dispute_id))
        match event:
            case DisputeReminderSent():
                after = row and row | {"reminded": True}
            case DisputeOpened() | DisputeClosed():
                after = _reported(row or _unknown(event), event)
            case _:
                # Only a movement was reported of a dispute whose state is not known yet.
                after = _moved(row or _unknown(event), event)
        if after:
            after["place"] = _place(after)
            rows.put(DISPUTES, after | {"position": recorded.position})


def _unknown(event: _Reported | _Moved) -> Row:
    return {
        "donation_id": event.donation_id,
        "dispute_id": event.dispute_id,
        "ticket_id": event.ticket_id,
        "currency": event.amount.currency,
        "amount": 0,
        "state": "",
        "reason": None,
        "opened_at": None,
        "opened_dated": False,
        "due_seconds": None,
        "due_state": "",
        "due_by": None,
        "reminded": False,
    }


def _reported(row: Row, event: _Reported) -> Row:
    """Return the row with what a report adds, in whatever order reports come."""
    rank = DISPUTE_RANK[event.state]
    state, amount = max((row["state"], row["amount"]), (event.state, event.amount.minor), key=_advance)
    row |= {"state": state, "amount": amount, "reason": max(filter(None, (row["reason"], event.reason)), default=None)}
    if event.evidence_due_by is not None:
        present = (DISPUTE_RANK[row["due_state"]], row["due_seconds"] or 0)
        if row["due_seconds"] is None or present < (rank, event.evidence_due_by):
            row |= {"due_state": event.state, "due_seconds": event.evidence_due_by}
            row["due_by"] = utc_time(event.evidence_due_by or None)
    at = event.report.at if event.disputed_at is None else event.disputed_at
    return _dated(row, at, is_dispute_date=event.disputed_at is not None)


def _moved(row: Row, event: _Moved) -> Row:
    """Return the row with what a movement says of a dispute of which nothing else was reported."""
    if not row["state"]:
        row["amount"] = max(row["amount"], event.amount.minor)
    at = event.report.at if event.moved_at is None else event.moved_at
    return _dated(row, at, is_dispute_date=False)


def _dated(row: Row, at: int, *, is_dispute_date: bool) -> Row:
    """Return the row with the earliest time; the dispute's own one comes before those of reports."""
    present = row["opened_at"]
    earlier = present is None or (not is_dispute_date, at) < (not row["opened_dated"], present.timestamp())
    return row | {"opened_at": utc_time(at), "opened_dated": is_dispute_date} if earlier else row


def _advance(reported: tuple[str, int]) -> tuple[int, int]:
    state, amount = reported
    return DISPUTE_RANK[state], amount


def _place(row: Row) -> int:
    if row["state"] in CLOSED_DISPUTE_STATES:
        return _PLACE_OF_CLOSED - int(row["opened_at"].timestamp())
    deadline = row["due_seconds"] or _NO_DEADLINE
    return deadline if row["state"] in ("", *UNANSWERED_DISPUTE_STATES) else _PLACE_OF_OPEN + deadline


# Queries.


@dataclass(frozen=True)
class DisputeFilter:
    """The filters of the list of disputes; None limits nothing. `until` is exclusive."""

    workspace: str | None = None
    states: Sequence[str] | None = None
    since: datetime | None = None
    until: datetime | None = None


# The place in the list and the id of the last dispute of a result page.
PageEnd = tuple[int, str]

_DISPUTE = {name: f"m.{name}" for name in DISPUTES.columns} | {"donor_last_name": "g.donor_last_name"} | CAMPAIGN


def disputes(cursor: Cursor, chosen: DisputeFilter, limit: int, after: PageEnd | None = None) -> list[Row]:
    """Return up to `limit` disputes with their donors and campaigns; `after` is the end of a page.

    Those that have to be answered come first, by their deadline, then the other open ones, and closed ones last.
    """
    cursor.execute(
        f"""
        SELECT {", ".join(_DISPUTE.values())} FROM read.disputes m
          JOIN read.donation_ledger g ON g.donation_id = m.donation_id
          LEFT JOIN read.ticket_status t ON t.ticket_id = m.ticket_id
         WHERE (%(workspace)s::text IS NULL OR g.workspace = %(workspace)s)
           AND (%(states)s::text[] IS NULL OR m.state = ANY(%(states)s))
           AND (%(since)s::timestamptz IS NULL OR m.opened_at >= %(since)s)
           AND (%(until)s::timestamptz IS NULL OR m.opened_at < %(until)s)
           AND (%(place)s::bigint IS NULL OR (m.place, m.dispute_id) > (%(place)s, %(dispute_id)s))
         ORDER BY m.place, m.dispute_id LIMIT %(limit)s
        """,  # noqa: S608 (constants)
        vars(chosen) | {"limit": limit, "place": after and after[0], "dispute_id": after and after[1]},
    )
    return fetched_rows(cursor, _DISPUTE)


_DUE = ("ticket_id", "donation_id", "dispute_id", "amount", "currency", "due_by")


def due(cursor: Cursor, now: datetime, until: datetime, limit: int) -> list[Row]:
    """Return disputes that have to be answered between `now` and `until`, and of which nobody was reminded."""
    cursor.execute(
        f"SELECT {', '.join(_DUE)} FROM read.disputes WHERE NOT reminded"  # noqa: S608 (constants)
        " AND due_by > %(now)s AND due_by <= %(until)s AND state = ANY(%(states)s) ORDER BY due_by LIMIT %(limit)s",
        {"now": now, "until": until, "limit": limit, "states": list(UNANSWERED_DISPUTE_STATES)},
    )
    return fetched_rows(cursor, _DUE)
