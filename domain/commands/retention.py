"""The retention policy: an inactive ticket's erasure is announced, and later the ticket is erased."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from uuid import UUID

from domain.commands.tickets import TicketCommands
from domain.errors import NotFoundError, StaleVersionError
from domain.events import ErasureAnnounced
from domain.ports import Mail
from domain.tickets import RecordingTicket
from domain.values import SYSTEM

# The erasure is announced at least this long before it happens.
NOTICE = timedelta(days=14)
# No erasure is announced before a ticket was inactive for this long, however short its workspace keeps tickets.
SHORTEST_SILENCE = timedelta(days=1)


class Verdict(Enum):
    KEEP = "keep"
    ANNOUNCE = "announce"
    WAIT = "wait"
    ERASE = "erase"


def silence(days: int) -> timedelta:
    """Return how long a ticket that is kept for so many days is inactive before its erasure is announced."""
    return max(timedelta(days=days) - NOTICE, SHORTEST_SILENCE)


def verdict(ticket: RecordingTicket, silent_since: datetime, days: int, now: datetime) -> Verdict:
    """Return what is due for a ticket that is kept for so many days and has been inactive since `silent_since`."""
    if ticket.erased or now < silent_since + silence(days):
        return Verdict.KEEP
    announced = ticket.announced_since(silent_since)
    if announced is None:
        return Verdict.ANNOUNCE
    # The workspace may have lengthened the period since the announcement.
    return Verdict.ERASE if now >= max(announced, silent_since + timedelta(days=days)) else Verdict.WAIT


@dataclass(frozen=True)
class RetentionCommands:
    tickets: TicketCommands

    def review(self, ticket_id: UUID, days: int, last_act: datetime, now: datetime) -> Verdict:
        """Announce or carry out the erasure of a ticket that is kept for so many days, if that is due.

        `last_act` is the time of the last act of a person, donations included; later events of the ticket count too.
        """
        store = self.tickets.store
        ticket = store.get(ticket_id)
        silent_since = max(last_act, ticket.last_act or last_act)
        due = verdict(ticket, silent_since, days, now)
        try:
            if due is Verdict.ANNOUNCE:
                erase_after = max(silent_since + timedelta(days=days), now + NOTICE)
                store.change(
                    ticket_id,
                    lambda ticket: ticket.announce_erasure(SYSTEM, erase_after, silent_since),
                    ticket.version,
                )
            elif due is Verdict.ERASE:
                self.tickets.erase(SYSTEM, ticket_id, ticket.version)
        except (StaleVersionError, NotFoundError):
            return Verdict.KEEP  # a person used or erased the ticket at the same moment
        return due


def erasure_notice(ticket: RecordingTicket, event: ErasureAnnounced) -> Mail:
    """Return the mail that announces the erasure; its key allows one mail for each period of inactivity."""
    day = datetime.fromtimestamp(event.erase_after, UTC).date().isoformat()
    return Mail(
        "retention_notice",
        ticket.contact.value,
        {"day": day, "title": (ticket.draft.title or "")[:200]},
        f"retention:{ticket.id}:{event.inactive_since}",
        ticket.id,
    )
