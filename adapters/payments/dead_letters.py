"""Dead letters: webhook events that could not be applied, for a person to look at and to retry."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from adapters.payments.inbox import DISMISSED, IS_DEAD_LETTER, NO_CHECKOUT, Inbox
from adapters.payments.parsed_events import object_id_of
from adapters.payments.stripe_objects import MalformedObject
from adapters.postgres.database import Database
from domain.errors import NotFoundError

_LIST = f"""
SELECT event_id, type, attempts, CASE WHEN state = 'dead' OR error = '{NO_CHECKOUT}' THEN error ELSE 'unmatched' END,
       received_at
  FROM stripe_inbox
 WHERE {IS_DEAD_LETTER} AND (%(at)s::timestamptz IS NULL OR (received_at, event_id) > (%(at)s, %(id)s::text))
 ORDER BY received_at, event_id LIMIT %(limit)s
"""  # noqa: S608
_RETRY = f"""
UPDATE stripe_inbox
   SET state = 'received', attempts = 0, error = NULL, accepted_by = %(accepted_by)s, pending_object_id = NULL,
       waits_for = '{{}}', next_attempt_at = now()
 WHERE {IS_DEAD_LETTER} AND (%(ids)s::text[] IS NULL OR event_id = ANY(%(ids)s))
"""  # noqa: S608
_LOCK = f"""
SELECT event_id, body, ticket_id FROM stripe_inbox WHERE {IS_DEAD_LETTER} AND event_id = ANY(%s) FOR UPDATE
"""  # noqa: S608
_DISMISS = f"""
UPDATE stripe_inbox AS i
   SET state = 'ignored', error = '{DISMISSED}', pending_object_id = NULL, waits_for = '{{}}', ask_about = NULL,
       ticket_id = NULL, body = '', dismissed_object_id = d.object_id
  FROM unnest(%s::text[], %s::text[]) AS d (event_id, object_id)
 WHERE i.event_id = d.event_id
"""  # noqa: S608


@dataclass(frozen=True)
class DeadLetter:
    """A webhook event that could not be applied."""

    id: str
    type: str
    attempts: int
    error: str | None
    received_at: datetime


class DeadLetters:
    """Events that failed, and events that have been held too long (see `UNMATCHED_HOURS`)."""

    def __init__(self, database: Database, inbox: Inbox) -> None:
        self._database = database
        self._inbox = inbox

    def list(self, limit: int | None = None, after: tuple[datetime, str] | None = None) -> list[DeadLetter]:
        """Return at most `limit` dead letters, oldest first, that come after this time and id."""
        at, id = after or (None, None)
        rows = self._database.rows(_LIST, {"at": at, "id": id, "limit": limit})
        return [DeadLetter(*row) for row in rows]

    def retry(self, ids: Sequence[str] | None = None) -> int:
        """Let these dead letters, or all of them, be applied again; return their number."""
        return self._update(_RETRY, ids)

    def accept(self, ids: Sequence[str] | None, accepted_by: str) -> int:
        """Do the same as `retry`, and let them count although a person had to decide about it.

        Their metadata is then believed without a checkout of ours, and more may be captured than was asked for.
        `accepted_by` is the actor of what they record.
        """
        return self._update(_RETRY, ids, accepted_by)

    def dismiss(self, ids: Sequence[str]) -> int:
        """Ignore these dead letters for good and drop their bodies; return their number.

        Reconciliation leaves their objects out from then on.
        """
        with self._database.transaction() as cursor:
            rows = cursor.execute(_LOCK.encode(), (list(ids),)).fetchall()
            object_ids = [self._object_id(id, bytes(body), ticket_id) for id, body, ticket_id in rows]
            cursor.execute(_DISMISS.encode(), ([id for id, *_ in rows], object_ids))
        return len(rows)

    def _object_id(self, id: str, sealed_body: bytes, ticket_id: UUID | None) -> str | None:
        """Return the id of the object that the event is about, or None if its body is unreadable."""
        try:
            return object_id_of(json.loads(self._inbox.open_body(id, sealed_body, ticket_id)))
        except (NotFoundError, MalformedObject):
            return None

    def _update(self, statement: str, ids: Sequence[str] | None, accepted_by: str | None = None) -> int:
        values = {"ids": None if ids is None else list(ids), "accepted_by": accepted_by}
        return self._database.execute(statement.encode(), values)
