"""Forgetting a donor: the key of the donation is destroyed with the event, and everything else right after it.

What only the law asks for, the name of the one who gave, is sealed anew with a second key. A chore of the worker
destroys that one when the time is over for which the workspace keeps it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from uuid import UUID

import structlog
from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.clock import utc_now
from adapters.encryption.ticket_keys import TicketKeys, books_of
from adapters.event_store.history import EventEffects
from adapters.event_store.log import EventLog
from adapters.mail.outbox import Outbox
from adapters.payments import donor_emails, donor_names
from adapters.payments.inbox import Inbox
from adapters.postgres.database import Database
from domain.commands.donors import DonorCommands
from domain.donations import Donation
from domain.errors import DomainError, UnavailableError
from domain.events import DocumentGenerated, DonorForgetRequested, DonorForgotten, TicketEvent
from domain.ports import Clock, Contents

BATCH = 200

_WORKSPACE_DAYS = """
SELECT days FROM events JOIN donor_retention ON workspace = convert_from(state, 'UTF8')::json ->> 'workspace'
 WHERE stream = %s AND version = 1
"""

logger = structlog.get_logger()


def _keep_name(cursor: Cursor[TupleRow], donation: Donation, event: TicketEvent) -> None:
    """Destroy the donation's key, and note when the kept name is to be forgotten."""
    assert isinstance(event, DonorForgetRequested)
    _forget_all_but_name(cursor, donation)
    cursor.execute(
        "INSERT INTO donors_to_forget (donation_id, ticket_id, forget_at) VALUES (%s, %s, to_timestamp(%s))",
        (event.donation_id, event.ticket_id, event.forget_at),
    )


def _forget(cursor: Cursor[TupleRow], donation: Donation, event: TicketEvent) -> None:
    """Destroy both keys of the donation."""
    assert isinstance(event, DonorForgotten)
    _forget_all_but_name(cursor, donation)
    TicketKeys.destroy_in(cursor, books_of(donation.id))
    cursor.execute("DELETE FROM donors_to_forget WHERE donation_id = %s", (event.donation_id,))


def _forget_all_but_name(cursor: Cursor[TupleRow], donation: Donation) -> None:
    TicketKeys.destroy_in(cursor, donation.id)
    donor_emails.drop(cursor, donation)
    donor_names.delete(cursor, donation.donation_id)


EFFECTS: EventEffects = {DonorForgetRequested: [_keep_name], DonorForgotten: [_forget]}


@dataclass(frozen=True)
class DonorErasure:
    """The port `DonorErasure`; `erase_elsewhere` removes the donor from the sandbox, where there is one."""

    database: Database
    inbox: Inbox
    keys: TicketKeys
    log: EventLog
    contents: Contents
    outbox: Outbox
    erase_elsewhere: Callable[[UUID, UUID], None] = lambda *_: None

    def days_kept(self, ticket_id: UUID) -> int | None:
        row = self.database.row(_WORKSPACE_DAYS, (ticket_id,))
        return row[0] if row else None

    def prepare(self, ticket_id: UUID, donation_id: UUID) -> None:
        self.inbox.redact_unapplied_of_donor(ticket_id, donation_id)

    def complete(self, donation: Donation) -> None:
        # This process may still cache the keys.
        self.keys.destroy(donation.id)
        with self.database.connection() as connection:
            self.outbox.erase_mails(connection, donor_emails.mail_keys(donation))
        self.erase_elsewhere(donation.ticket_id, donation.donation_id)
        if donation.forgotten:
            self.keys.destroy(books_of(donation.id))
            self._shred_receipts(donation)

    def _shred_receipts(self, donation: Donation) -> None:
        for entry in self.log.stream(donation.ticket_id):
            if entry.topic == DocumentGenerated.TOPIC:
                event = entry.event()
                assert isinstance(event, DocumentGenerated)
                if event.donation_id == donation.donation_id:
                    self.contents.shred(donation.ticket_id, event.content)


def forget_due_donors(database: Database, commands: DonorCommands, now: Clock = utc_now) -> None:
    """Forget the donors whose names were kept long enough; called by a chore of the worker."""
    moment = now()
    due = database.rows(
        "SELECT ticket_id, donation_id FROM donors_to_forget WHERE forget_at <= %s ORDER BY forget_at LIMIT %s",
        (moment.astimezone(UTC), BATCH),
    )
    for ticket_id, donation_id in due:
        try:
            commands.finish(ticket_id, donation_id, moment)
        except UnavailableError:
            raise
        except DomainError as error:
            logger.error("donor could not be forgotten", donation=str(donation_id), error=type(error).__name__)
    if due:
        logger.info("donors forgotten", number=len(due))
