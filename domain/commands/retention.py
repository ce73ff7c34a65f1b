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


@dataclass(frozen=True)
class DueErasure:
    """A ticket that is erased after `erased_after` if no person uses it before, and whether its holder was told."""

    ticket_id: UUID
    title: str | None
    last_used_at: datetime
    is_announced: bool
    erased_after: datetime


def erasure_time(ticket: RecordingTicket, inactive_since: datetime, days: int, now: datetime) -> datetime:
    """Return when a ticket that is kept for `days` days may be erased; without an announcement, if it is made now."""
    # The workspace may have lengthened the period since the announcement.
    announced = ticket.announced_erasure_time(inactive_since)
    return max(announced or now + NOTICE_PERIOD, inactive_since + timedelta(days=days))


def verdict(ticket: RecordingTicket, inactive_since: datetime, days: int, now: datetime) -> Verdict:
    """Return what is due for a ticket that is kept for `days` days and has been inactive since `inactive_since`."""
    if ticket.erased or now < inactive_since + inactivity_before_notice(days):
        return Verdict.KEEP
    if ticket.announced_erasure_time(inactive_since) is None:
        return Verdict.ANNOUNCE
    return Verdict.ERASE if now >= erasure_time(ticket, inactive_since, days, now) else Verdict.WAIT


@dataclass(frozen=True)
class RetentionCommands:
    tickets: TicketCommands

    def review(self, ticket_id: UUID, days: int, last_act: datetime, now: datetime) -> Verdict:
        """Announce or carry out the erasure of a ticket that is kept for `days` days, if that is due.

        `last_act` is when a person last used the ticket or donated to it; later acts in the ticket's history count.
        """
        store = self.tickets.store
        ticket = store.get(ticket_id)
        inactive_since = _inactive_since(ticket, last_act)
        due = verdict(ticket, inactive_since, days, now)
        try:
            if due is Verdict.ANNOUNCE:
                erase_after = erasure_time(ticket, inactive_since, days, now)
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

    def due_erasure(self, ticket_id: UUID, days: int, last_act: datetime, now: datetime) -> DueErasure | None:
        """Return when the ticket is erased, or None if its erasure is not announced yet and not due to be."""
        ticket = self.tickets.store.get(ticket_id)
        inactive_since = _inactive_since(ticket, last_act)
        if verdict(ticket, inactive_since, days, now) is Verdict.KEEP:
            return None
        return DueErasure(
            ticket_id,
            ticket.draft.title,
            inactive_since,
            ticket.announced_erasure_time(inactive_since) is not None,
            erasure_time(ticket, inactive_since, days, now),
        )


def _inactive_since(ticket: RecordingTicket, last_act: datetime) -> datetime:
    """Return the last act of a person, also if the ticket's history is newer than `last_act`."""
    return max(last_act, ticket.last_act or last_act)


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
