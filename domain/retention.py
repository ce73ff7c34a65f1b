"""Retention: a ticket that nobody uses any more is announced to be erased, and then erased like any other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING
from uuid import UUID

from domain.errors import NotFoundError, StaleVersionError
from domain.events import ErasureAnnounced
from domain.ports import Mail
from domain.tickets import RecordingTicket
from domain.values import SYSTEM

if TYPE_CHECKING:
    from domain.commands import Commands

# So long before it happens the person is told, and never later.
NOTICE = timedelta(days=14)
# However short a workspace keeps its tickets: so long one must have been silent before that is said to anybody.
SHORTEST_SILENCE = timedelta(days=1)


class Verdict(Enum):
    KEEP = "keep"
    ANNOUNCE = "announce"
    WAIT = "wait"
    ERASE = "erase"


def silence(days: int) -> timedelta:
    """After how long a silence it is announced."""
    return max(timedelta(days=days) - NOTICE, SHORTEST_SILENCE)


def verdict(ticket: RecordingTicket, silent_since: datetime, days: int, now: datetime) -> Verdict:
    """What becomes of a ticket, kept for so many days, where nobody did anything since then."""
    if ticket.erased or now < silent_since + silence(days):
        return Verdict.KEEP
    announced = ticket.announced_since(silent_since)
    if announced is None:
        return Verdict.ANNOUNCE
    # The workspace may have chosen to keep its tickets longer since.
    return Verdict.ERASE if now >= max(announced, silent_since + timedelta(days=days)) else Verdict.WAIT


@dataclass(frozen=True)
class Retiring:
    """Looks after one ticket at a time; asking again changes nothing before the time has come."""

    commands: Commands

    def review(self, ticket_id: UUID, days: int, last_act: datetime) -> Verdict:
        """Announce or erase what is due of a ticket that is kept for so many days.

        `last_act` is when somebody last did anything, gifts included; what happened to the ticket since counts too.
        """
        ticket, now = self.commands.tickets.get(ticket_id), self.commands.now()
        silent_since = max(last_act, ticket.last_act or last_act)
        found = verdict(ticket, silent_since, days, now)
        try:
            if found is Verdict.ANNOUNCE:
                erase_after = max(silent_since + timedelta(days=days), now + NOTICE)
                self.commands.tickets.change(
                    ticket_id, lambda t: t.announce_erasure(SYSTEM, erase_after, silent_since), ticket.version
                )
            elif found is Verdict.ERASE:
                self.commands.erase(SYSTEM, ticket_id, ticket.version)
        except (StaleVersionError, NotFoundError):
            return Verdict.KEEP  # somebody came back at this very moment, or was quicker
        return found


def erasure_notice(ticket: RecordingTicket, event: ErasureAnnounced) -> Mail:
    """The mail that tells the person; one for each silence."""
    day = datetime.fromtimestamp(event.erase_after, UTC).date().isoformat()
    return Mail(
        "retention_notice",
        ticket.contact.value,
        {"day": day, "title": (ticket.draft.title or "")[:200]},
        f"retention:{ticket.id}:{event.inactive_since}",
        ticket.id,
    )
