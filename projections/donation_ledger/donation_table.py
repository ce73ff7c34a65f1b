"""The ledger's table of donations: one row for each donation, folded with the domain's `Gift`."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from uuid import UUID

import msgspec

from domain.events import CheckoutRequested
from domain.gift import Gift
from projections.model import Cursor, RecordedEvent, Row, Table, selected, selected_row

# The date of a donation among those of all tickets: when it was paid, or else when it was asked for.
DATED_AT = "coalesce(paid_at, created_at)"

# `recorded_at` is when the first payment was recorded. `call_pending_since` is the start of the present period in which
# calls to Stripe are pending, or None.
DONATIONS = Table(
    "donation_ledger",
    {
        "donation_id": "uuid",
        "ticket_id": "uuid",
        "workspace": "text",
        "currency": "text",
        "amount": "bigint",
        "status": "text",
        "pending": "boolean",
        "donor_last_name": "text",
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
        "call_pending_since": "timestamptz",
        "gift": "bytea",
        "position": "bigint",
    },
    key=("donation_id",),
    indexes=(
        "(ticket_id, (coalesce(paid_at, '-infinity')) DESC, created_at DESC, donation_id DESC)",
        "(call_pending_since) WHERE call_pending_since IS NOT NULL",
        "(session_id) WHERE status = 'CREATED'",
        f"(workspace, ({DATED_AT}) DESC, donation_id DESC)",
        f"(workspace, status, ({DATED_AT}) DESC, donation_id DESC)",
        f"(workspace, amount, ({DATED_AT}) DESC, donation_id DESC)",
    ),
)

# The workspace of each ticket, which events of donations do not name.
WORKSPACES = Table(
    "donation_workspaces", {"ticket_id": "uuid", "workspace": "text", "position": "bigint"}, key=("ticket_id",)
)

# The column `gift` holds the gift as a JSON array; only the fold of a later batch reads it. A new field of Gift needs a
# new VERSION of this projection.
_decode_gift = msgspec.json.Decoder(Gift).decode
_encode_gift = msgspec.json.Encoder().encode


def stored_gift(row: Row) -> Gift:
    return _decode_gift(row["gift"])


def requested_row(event: CheckoutRequested, recorded: RecordedEvent, workspace: str | None) -> Row:
    """Return the row of a donation whose checkout was just requested; `set_gift_columns` adds the other columns."""
    return {
        "donation_id": event.donation_id,
        "ticket_id": event.ticket_id,
        "workspace": workspace,
        "currency": event.amount.currency,
        "amount": event.amount.minor,
        "created_at": recorded.recorded_at,
        "recorded_at": None,
        "call_pending_since": recorded.recorded_at,
    }


def set_gift_columns(gift: Gift, row: Row) -> None:
    """Set the columns that follow from the gift alone. One call per batch is enough."""
    donor = gift.donor
    row |= {
        "status": gift.status.value,
        "pending": gift.pending,
        "donor_last_name": donor.last_name,
        "country": donor.country,
        "email_hash": donor.email_hash,
        "paid": gift.paid,
        "refunded": gift.refunded,
        "disputed": gift.disputed,
        "dispute_status": gift.dispute_status,
        "paid_at": utc_time(gift.paid_at),
        "refunded_at": utc_time(gift.refunded_at),
        "session_id": gift.session_id,
        # With several payments the choice must not depend on the order of the facts.
        "payment_intent_id": max(gift.captured, default=None),
        "charge_id": gift.charge_id,
        "gift": _encode_gift(gift),
    }


def donation_as_of(row: Row, at: datetime) -> Row:
    """Return the donation's row as it was at a time of Stripe."""
    gift = stored_gift(row).as_of(at.timestamp())
    past = row | ({} if gift.captured else {"recorded_at": None})
    set_gift_columns(gift, past)
    return past


@lru_cache(maxsize=1024)
def utc_time(seconds: int | None) -> datetime | None:
    """Return Unix seconds as a time in UTC, or None for None."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


# Queries. A row has every column except `gift`.

_WITHOUT_GIFT = replace(DONATIONS, columns={name: kind for name, kind in DONATIONS.columns.items() if name != "gift"})
COLUMNS = tuple(_WITHOUT_GIFT.columns)

# The last donation of a result page: when it was paid (None if it was not), when it was created, and its id.
PageEnd = tuple[datetime | None, datetime, UUID]


def donations(cursor: Cursor, ticket_id: UUID, limit: int | None = None, after: PageEnd | None = None) -> list[Row]:
    """Return a ticket's donations, the newest payment first and unpaid ones last; `after` is the end of a page."""
    return selected(
        cursor,
        _WITHOUT_GIFT,
        """
        WHERE ticket_id = %(ticket_id)s
          AND (%(created_at)s::timestamptz IS NULL
               OR (coalesce(paid_at, '-infinity'), created_at, donation_id)
                  < (coalesce(%(paid_at)s::timestamptz, '-infinity'), %(created_at)s, %(donation_id)s::uuid))
        ORDER BY coalesce(paid_at, '-infinity') DESC, created_at DESC, donation_id DESC LIMIT %(limit)s
        """,
        ticket_id=ticket_id,
        limit=limit,
        paid_at=after[0] if after else None,
        created_at=after[1] if after else None,
        donation_id=after[2] if after else None,
    )


def donation(cursor: Cursor, donation_id: UUID) -> Row | None:
    return selected_row(cursor, _WITHOUT_GIFT, "WHERE donation_id = %(donation_id)s", donation_id=donation_id)


def donation_of_session(cursor: Cursor, ticket_id: UUID, session_id: str) -> Row | None:
    """Return the ticket's donation that was paid, or can be paid, in this checkout session."""
    where = "WHERE ticket_id = %(ticket_id)s AND session_id = %(session_id)s"
    return selected_row(cursor, _WITHOUT_GIFT, where, ticket_id=ticket_id, session_id=session_id)


def with_pending_calls(cursor: Cursor, before: datetime, limit: int) -> list[Row]:
    """Return up to `limit` donations whose `call_pending_since` is at or before `before`, the oldest first."""
    where = "WHERE call_pending_since <= %(before)s ORDER BY call_pending_since LIMIT %(limit)s"
    return selected(cursor, _WITHOUT_GIFT, where, before=before, limit=limit)


def pending_calls(cursor: Cursor) -> tuple[int, float]:
    """Return the number of donations with a pending call, and for how many seconds the oldest has been pending."""
    cursor.execute(
        "SELECT count(*), greatest(0, coalesce(extract(epoch FROM now() - min(call_pending_since)), 0))::float"
        " FROM read.donation_ledger WHERE call_pending_since IS NOT NULL"
    )
    [(count, seconds)] = cursor.fetchall()
    return count, seconds


# The ids of a ticket and of a donation under it, and the donation's gift.
KeyedGift = tuple[UUID, UUID, Gift]


def with_refunds_or_disputes(cursor: Cursor, after: UUID | None, limit: int) -> list[KeyedGift]:
    """Return up to `limit` donations after the id `after` that have a refund or a dispute: ticket, id and gift."""
    cursor.execute(
        "SELECT ticket_id, donation_id, gift FROM read.donation_ledger"
        " WHERE (refunded > 0 OR dispute_status IS NOT NULL) AND (%(after)s::uuid IS NULL OR donation_id > %(after)s)"
        " ORDER BY donation_id LIMIT %(limit)s",
        {"after": after, "limit": limit},
    )
    return [(ticket_id, donation_id, stored_gift({"gift": gift})) for ticket_id, donation_id, gift in cursor.fetchall()]


def unpaid_donation(cursor: Cursor, ticket_id: UUID, session_id: str) -> UUID | None:
    """Return the id of the ticket's donation with this checkout session unless it is paid, failed or expired."""
    cursor.execute(
        "SELECT donation_id FROM read.donation_ledger"
        " WHERE session_id = %(session_id)s AND ticket_id = %(ticket_id)s AND status = 'CREATED'",
        {"session_id": session_id, "ticket_id": ticket_id},
    )
    values = cursor.fetchone()
    return values[0] if values else None
