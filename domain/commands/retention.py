"""The retention policy: an inactive ticket's erasure is announced, and later the ticket is erased."""

from collections.abc import Mapping
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
NOTICE_PERIOD = timedelta(days=14)
# No erasure is announced before a ticket was inactive for this long, even if its workspace keeps tickets only briefly.
SHORTEST_INACTIVITY = timedelta(days=1)


class Verdict(Enum):
    KEEP = "keep"
    ANNOUNCE = "announce"
    WAIT = "wait"
    ERASE = "erase"


def inactivity_before_notice(days: int) -> timedelta:
    """Return the inactivity after which the erasure of a ticket that is kept for `days` days is announced."""
    return max(timedelta(days=days) - NOTICE_PERIOD, SHORTEST_INACTIVITY)


def verdict(ticket: RecordingTicket, inactive_since: datetime, days: int, now: datetime) -> Verdict:
    """Return what is due for a ticket that is kept for `days` days and has been inactive since `inactive_since`."""
    if ticket.erased or now < inactive_since + inactivity_before_notice(days):
        return Verdict.KEEP
    erase_after = ticket.announced_erasure_time(inactive_since)
    if erase_after is None:
        return Verdict.ANNOUNCE
    # The workspace may have lengthened the period since the announcement.
    return Verdict.ERASE if now >= max(erase_after, inactive_since + timedelta(days=days)) else Verdict.WAIT


@dataclass(frozen=True)
class RetentionCommands:
    tickets: TicketCommands

    def review(self, ticket_id: UUID, days: int, last_act: datetime, now: datetime) -> Verdict:
        """Announce or carry out the erasure of a ticket that is kept for `days` days, if that is due.

        `last_act` is when a person last used the ticket or donated to it; later acts in the ticket's history count.
        """
        store = self.tickets.store
        ticket = store.get(ticket_id)
        inactive_since = max(last_act, ticket.last_act or last_act)
        due = verdict(ticket, inactive_since, days, now)
        try:
            if due is Verdict.ANNOUNCE:
                erase_after = max(inactive_since + timedelta(days=days), now + NOTICE_PERIOD)
                store.change(
                    ticket_id,
                    lambda ticket: ticket.announce_erasure(SYSTEM, erase_after, inactive_since),
                    ticket.version,
                )
            elif due is Verdict.ERASE:
                self.tickets.erase(SYSTEM, ticket_id, ticket.version)
        except (StaleVersionError, NotFoundError):
            return Verdict.KEEP  # a person used or erased the ticket at the same moment
        return due


def erasure_notice(ticket: RecordingTicket, event: ErasureAnnounced, values: Mapping[str, str]) -> Mail:
    """Return the mail that announces the erasure; its key allows one mail for each period of inactivity.

    `values` is what every mail to the holder says, and the `page` on which the story is kept.
    """
    day = datetime.fromtimestamp(event.erase_after, UTC).date().isoformat()
    return Mail(
        "retention_notice",
        ticket.contact.value,
        {**values, "day": day, "title": (ticket.draft.title or "")[:200]},
        f"retention:{ticket.id}:{event.inactive_since}",
        ticket.id,
    )
