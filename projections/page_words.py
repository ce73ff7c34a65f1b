"""Words on the campaign page: one row for each page with its updates, and one for each gift with a donor's words."""

from collections.abc import Sequence
from uuid import UUID

from domain.events import (
    CheckoutRequested,
    DonorForgetRequested,
    DonorForgotten,
    DonorWordsHidden,
    DonorWordsShown,
    Erased,
    UpdatePosted,
    UpdateRemoved,
)
from domain.values import GiftWords
from projections.model import Cursor, RecordedEvent, Row, Rows, Table, fetched_rows, topics

NAME = "page_words"
VERSION = 3
TOPICS = topics(
    CheckoutRequested,
    DonorForgetRequested,
    DonorForgotten,
    DonorWordsHidden,
    DonorWordsShown,
    Erased,
    UpdatePosted,
    UpdateRemoved,
)
_LATER_EVENTS = (DonorForgetRequested, DonorForgotten, DonorWordsHidden, DonorWordsShown)

# `updates` has the id, the sealed text and the time of each update, the oldest first.
UPDATES = Table("page_updates", {"ticket_id": "uuid", "updates": "jsonb", "position": "bigint"}, key=("ticket_id",))
# The donor's words are sealed with the keys of the ticket and of the donation: they go with the person of the story or
# with the donor. `shown` is what the donor agreed to, and `hidden` what the person of the story decided.
GIFT_WORDS = Table(
    "gift_words",
    {
        "donation_id": "uuid",
        "ticket_id": "uuid",
        "name": "text",
        "message": "text",
        "shown": "boolean",
        "hidden": "boolean",
        "position": "bigint",
    },
    key=("donation_id",),
    indexes=("(ticket_id)",),
)
TABLES = (UPDATES, GIFT_WORDS)


def fold(batch: Sequence[RecordedEvent], rows: Rows) -> None:
    of_pages = [recorded for recorded in batch if isinstance(recorded.event, UpdatePosted | UpdateRemoved | Erased)]
    rows.load(UPDATES, {(recorded.event.ticket,) for recorded in of_pages})
    for recorded in of_pages:
        _fold_update(recorded, rows)
    later_events = [recorded.event for recorded in batch if isinstance(recorded.event, _LATER_EVENTS)]
    rows.load(GIFT_WORDS, {(event.donation_id,) for event in later_events})
    for recorded in batch:
        _fold_words(recorded, rows)


def _fold_words(recorded: RecordedEvent, rows: Rows) -> None:
    match recorded.event:
        case CheckoutRequested(words=words) as event if words != GiftWords():
            row: Row = {"donation_id": event.donation_id, "ticket_id": event.ticket_id, "position": recorded.position}
            row |= {"name": words.name, "message": words.message, "shown": words.shown, "hidden": False}
            rows.put(GIFT_WORDS, row)
        case DonorWordsHidden() | DonorWordsShown() as event:
            if present := rows.get(GIFT_WORDS, (event.donation_id,)):
                hidden = isinstance(event, DonorWordsHidden)
                rows.put(GIFT_WORDS, present | {"hidden": hidden, "position": recorded.position})
        case DonorForgetRequested() | DonorForgotten() as event:
            if present := rows.get(GIFT_WORDS, (event.donation_id,)):
                rows.put(GIFT_WORDS, present | {"name": None, "message": None, "position": recorded.position})
        case _:
            pass


def _fold_update(recorded: RecordedEvent, rows: Rows) -> None:
    ticket_id, event = recorded.event.ticket, recorded.event
    row = rows.get(UPDATES, (ticket_id,))
    updates = row["updates"] if row else []
    match event:
        case UpdatePosted(update_id=update_id, text=text):
            posted = {"id": str(update_id), "text": text, "created_at": recorded.recorded_at.isoformat()}
            updates = [*updates, posted]
        case UpdateRemoved(update_id=update_id):
            updates = [update for update in updates if update["id"] != str(update_id)]
        case _:
            updates = []
    if row or updates:
        rows.put(UPDATES, {"ticket_id": ticket_id, "updates": updates, "position": recorded.position})


def updates(cursor: Cursor, ticket_id: UUID) -> list[Row]:
    """Return the updates of a ticket's page with `id`, sealed `text` and `created_at`, the newest first."""
    cursor.execute("SELECT updates FROM read.page_updates WHERE ticket_id = %(ticket_id)s", {"ticket_id": ticket_id})
    row = cursor.fetchone()
    return list(reversed(row[0])) if row else []


_COLUMNS = ("amount", "currency", "paid_at", "name", "message", "shown")


def recent_gifts(cursor: Cursor, ticket_id: UUID, limit: int) -> list[Row]:
    """Return up to `limit` gifts whose money is there, the newest first, with the donor's sealed words if there are."""
    cursor.execute(
        """
        SELECT d.paid, d.currency, d.paid_at, w.name, w.message, coalesce(w.shown AND NOT w.hidden, false)
          FROM read.donation_ledger d LEFT JOIN read.gift_words w USING (donation_id)
         WHERE d.ticket_id = %(ticket_id)s AND d.status = 'PAID'
         ORDER BY coalesce(d.paid_at, '-infinity') DESC, d.created_at DESC, d.donation_id DESC LIMIT %(limit)s
        """,
        {"ticket_id": ticket_id, "limit": limit},
    )
    return fetched_rows(cursor, _COLUMNS)


def words_of(cursor: Cursor, donation_ids: Sequence[UUID]) -> dict[UUID, Row]:
    """Return the rows of those donations whose donors left words, by their ids."""
    columns = tuple(GIFT_WORDS.columns)
    cursor.execute(
        f"SELECT {', '.join(columns)} FROM read.gift_words WHERE donation_id = ANY(%(ids)s)",  # noqa: S608
        {"ids": list(donation_ids)},
    )
    return {row["donation_id"]: row for row in fetched_rows(cursor, columns)}
