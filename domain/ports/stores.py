"""The stores of aggregates, and of content that is too big for an event."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import BinaryIO, Protocol, TypeVar
from uuid import UUID

from domain.donations import Donation
from domain.ports.mail import Mail
from domain.support import SupportTicket
from domain.tickets import RecordingTicket
from domain.values import Content, Transcript

T = TypeVar("T")


class Tickets(Protocol):
    def add(self, ticket: RecordingTicket) -> None:
        """Record a new ticket's events; adding the same ticket again changes nothing."""

    def get(self, ticket_id: UUID) -> RecordingTicket:
        """Return the ticket in its present state; NotFoundError if there is none."""

    def change(
        self,
        ticket_id: UUID,
        decide: Callable[[RecordingTicket], T],
        if_match: int | None = None,
        mails: Callable[[T], Sequence[Mail]] | None = None,
    ) -> T:
        """Load the ticket, decide, record the events, and return the result of `decide`.

        `decide` is called again with the newer ticket if another writer was faster; StaleVersionError if `if_match` is
        given and is not the ticket's version. `mails` gets the result of `decide`; its mails are queued with the
        events, and not at all if no event was recorded.
        """


class Donations(Protocol):
    def add(self, donation: Donation) -> None:
        """Record a new donation's events; adding the same donation again changes nothing."""

    def get(self, ticket_id: UUID, donation_id: UUID) -> Donation:
        """Return the donation in its present state; NotFoundError if there is none."""

    def change(self, ticket_id: UUID, donation_id: UUID, decide: Callable[[Donation], T]) -> T:
        """Load, decide and record, as for tickets."""


class SupportTickets(Protocol):
    def add(self, support: SupportTicket) -> None:
        """Record a new support ticket; adding the same one again changes nothing."""

    def change(self, support_id: UUID, decide: Callable[[SupportTicket], None]) -> None:
        """Load, decide and record; NotFoundError if there is no such support ticket."""

    def get(self, support_id: UUID) -> SupportTicket:
        """Return the support ticket in its present state; NotFoundError if there is none."""

    def concerning(self, ticket_id: UUID, contact_indexes: Iterable[str]) -> Sequence[UUID]:
        """Return the support tickets about the ticket, and those from one of these contacts with no other ticket.

        Erased ones are left out. Every support ticket recorded before the call is considered.
        """


class Contents(Protocol):
    """Content that is too big for an event, sealed with its ticket's key."""

    def keep(self, ticket_id: UUID, source: BinaryIO) -> Content:
        """Store all bytes of `source`, which are safe on disk when this returns."""

    def open(self, ticket_id: UUID, content: Content) -> AbstractContextManager[BinaryIO]:
        """Return the plain bytes as a seekable file that lives as long as the context; NotFoundError once erased."""

    def has(self, ticket_id: UUID, content: Content) -> bool:
        """Return True if the content is stored."""

    def discard(self, ticket_id: UUID, content: Content) -> None:
        """Delete content that no event names; no error if it is gone already."""

    def forget(self, ticket_id: UUID) -> None:
        """Delete everything stored for the ticket, and destroy the key to all that was ever sealed for it."""


class Erasure(Protocol):
    """The part of an erasure beside its event; each method may be called any number of times."""

    def set_apart(self, ticket_id: UUID) -> None:
        """Prepare the inbox to apply later webhooks of the ticket without its key."""

    def forget(self, ticket_id: UUID) -> None:
        """Destroy the ticket's key and delete all other personal data, wherever it is kept."""


class Transcripts(Protocol):
    def dump(self, transcript: Transcript) -> bytes:
        """Return the transcript as plain readable JSON."""

    def load(self, data: bytes) -> Transcript:
        """Return the transcript that any version of `dump` wrote."""
