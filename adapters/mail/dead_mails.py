"""Dead mails: mails and text messages that could not be sent, for a person to look at and to retry.

A dead mail stays sealed in the outbox as long as it may be retried, and is deleted when its ticket is erased. It
belongs to the workspace of its ticket, or to that of the member whom it invites, lets in or reminds; an answer to a
request for help belongs to the workspace that answers it.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from adapters.mail.outbox import Outbox, QueuedMessage
from adapters.postgres.database import Database
from domain.errors import NotFoundError, RefusedError
from projections.support import BUILT_IN_WORKSPACE

KEPT_DAYS = 30
# Mails whose content is valid for minutes only; they cannot be retried.
PERISHABLE = ("access_code", "contact_code", "member_code")

# The keys of invitations and of reminders of disputes end with the id of the member, those of members' codes with the
# id of the request for the code. An answer to somebody without a ticket has the id of the request for help as
# `ticket_id`; as in the list of these requests, one that is about no known ticket belongs to the built-in workspace.
_OF_WORKSPACE = """
(%(workspace)s::text IS NULL OR CASE kind
    WHEN 'invitation' THEN EXISTS (
        SELECT FROM members m
         WHERE m.member_id = substring(outbox.key FROM ':(.*)')::uuid AND m.workspace = %(workspace)s)
    WHEN 'member_code' THEN EXISTS (
        SELECT FROM access_requests r
          JOIN contact_hashes h ON h.hash = ANY(r.contact_indexes) AND h.is_current
          JOIN members m ON m.member_id = h.owner_id
         WHERE r.id = substring(outbox.key FROM ':(.*)')::uuid AND m.workspace = %(workspace)s)
    WHEN 'dispute_due' THEN EXISTS (
        SELECT FROM members m WHERE m.member_id::text = right(outbox.key, 36) AND m.workspace = %(workspace)s)
    WHEN 'support_reply' THEN EXISTS (
        SELECT FROM read.support_tickets s LEFT JOIN read.ticket_status t ON t.ticket_id = s.about
         WHERE s.support_id = outbox.ticket_id AND coalesce(t.workspace, %(built_in)s) = %(workspace)s
        UNION ALL
        SELECT FROM read.ticket_status t WHERE t.ticket_id = outbox.ticket_id AND t.workspace = %(workspace)s)
    ELSE EXISTS (
        SELECT FROM read.ticket_status t WHERE t.ticket_id = outbox.ticket_id AND t.workspace = %(workspace)s)
    END)
"""
_LIST = f"""
SELECT id, key, kind, ticket_id, sealed, created_at, channel, attempts, error,
       EXISTS (SELECT FROM read.support_tickets s WHERE s.support_id = outbox.ticket_id) FROM outbox
 WHERE state = 'dead' AND (%(at)s::timestamptz IS NULL OR (created_at, id) > (%(at)s, %(id)s::uuid)) AND {_OF_WORKSPACE}
 ORDER BY created_at, id LIMIT %(limit)s
"""  # noqa: S608 (constants)
_RETRY = f"""
UPDATE outbox SET state = 'waiting', attempts = 0, error = NULL, next_attempt_at = now()
 WHERE id = %(id)s AND state = 'dead' AND sealed <> '' AND {_OF_WORKSPACE}
RETURNING ticket_id
"""  # noqa: S608 (constants)
_IS_DEAD = f"SELECT FROM outbox WHERE id = %(id)s AND state = 'dead' AND {_OF_WORKSPACE}"
# The `next_attempt_at` of a dead mail is the time when it died.
_PURGE = "DELETE FROM outbox WHERE state = 'dead' AND next_attempt_at < now() - make_interval(days => %s)"


@dataclass(frozen=True)
class DeadMail:
    """A message that could not be sent; `retryable` says whether it may be sent again.

    The recipient is None if the content was valid for minutes only, and is gone. An answer to somebody without a ticket
    has no `ticket_id`.
    """

    id: UUID
    kind: str
    channel: str
    ticket_id: UUID | None
    attempts: int
    error: str | None
    created_at: datetime
    retryable: bool
    recipient: str | None = field(repr=False)


class DeadMails:
    """Lists, retries and deletes the dead mails of the outbox: those of one workspace, or all of them."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database = database
        self._outbox = outbox

    def list(
        self, limit: int, after: tuple[datetime, UUID] | None = None, workspace: str | None = None
    ) -> list[DeadMail]:
        """Return at most `limit` dead mails, oldest first, that come after this time and id."""
        at, id = after or (None, None)
        rows = self._database.rows(_LIST, {"at": at, "id": id, "limit": limit, **_in_workspace(workspace)})
        return [
            self._dead_mail(QueuedMessage(*queued), error, has_ticket=not of_support)
            for *queued, error, of_support in rows
        ]

    def _dead_mail(self, queued: QueuedMessage, error: str | None, *, has_ticket: bool) -> DeadMail:
        retryable, recipient = bool(queued.sealed), None
        if retryable:
            # The ticket may have been erased after its row was read.
            with suppress(NotFoundError):
                recipient = self._outbox.open(queued).to
        return DeadMail(
            queued.id,
            queued.kind,
            queued.channel,
            queued.ticket_id if has_ticket else None,
            queued.attempts,
            error,
            queued.created_at,
            retryable,
            recipient,
        )

    def retry(self, id: UUID, workspace: str | None = None) -> UUID | None:
        """Have the mail sent again, and return the id of its ticket, or None if it belongs to none.

        NotFoundError if no such mail is dead, RefusedError if its content has expired.
        """
        values = {"id": id, **_in_workspace(workspace)}
        with self._database.connection() as connection:
            if (retried := connection.execute(_RETRY.encode(), values).fetchone()) is not None:
                ticket_id: UUID | None = retried[0]
                return ticket_id
            dead = connection.execute(_IS_DEAD.encode(), values).fetchone()
        if dead is None:
            raise NotFoundError("There is no such dead mail.")
        raise RefusedError("The content of this mail is no longer valid, so it is not sent again.")

    def purge(self) -> None:
        """Delete the mails that died more than KEPT_DAYS ago."""
        self._database.execute(_PURGE, (KEPT_DAYS,))


def _in_workspace(workspace: str | None) -> dict[str, str | None]:
    return {"workspace": workspace, "built_in": BUILT_IN_WORKSPACE}
