"""Where commands find what they decide on, and where what is too big for an event is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import BinaryIO, Protocol, TypeVar
from uuid import UUID

from domain.donations import Donation
from domain.ports import Mail
from domain.tickets import RecordingTicket
from domain.values import Content, Transcript

T = TypeVar("T")


class Tickets(Protocol):
    def add(self, ticket: RecordingTicket) -> None:
        """Record a new ticket's events; adding the very same ticket again changes nothing."""

    def get(self, ticket_id: UUID) -> RecordingTicket:
        """The ticket as it stands; NotFoundError if there is none."""

    def change(
        self,
        ticket_id: UUID,
        decide: Callable[[RecordingTicket], T],
        if_match: int | None = None,
        mails: Callable[[T], Sequence[Mail]] | None = None,
    ) -> T:
        """Load, decide, record, and give back what `decide` gave.

        Decided again on the newer ticket when somebody else was quicker; StaleVersionError if `if_match` is
        given and is not the ticket's version. `mails` is told what `decide` gave: they go out if something was
        recorded, and not otherwise.
        """


class Donations(Protocol):
    def add(self, donation: Donation) -> None:
        """Record a new donation's events; adding the very same donation again changes nothing."""

    def get(self, ticket_id: UUID, donation_id: UUID) -> Donation:
        """The donation as it stands; NotFoundError if there is none."""

    def change(self, ticket_id: UUID, donation_id: UUID, decide: Callable[[Donation], T]) -> T:
        """As for tickets."""


class Contents(Protocol):
    """What is too big for an event, sealed with its ticket's key."""

    def keep(self, ticket_id: UUID, source: BinaryIO) -> Content:
        """Store all that `source` holds; safe on disk when this returns."""

    def open(self, ticket_id: UUID, content: Content) -> AbstractContextManager[BinaryIO]:
        """The plain bytes as a seekable file, for as long as the context lasts; NotFoundError once erased."""

    def has(self, ticket_id: UUID, content: Content) -> bool:
        """Whether it is there to be opened."""

    def discard(self, ticket_id: UUID, content: Content) -> None:
        """Take back what was kept and nothing names; no error if it is gone already."""

    def forget(self, ticket_id: UUID) -> None:
        """Destroy everything kept for the ticket, and the key to all that was ever sealed for it."""


class Forgetting(Protocol):
    """What erasing a person takes besides the fact; each may be done any number of times."""

    def set_apart(self, ticket_id: UUID) -> None:
        """Keep what money is still to come of, without the person."""

    def forget(self, ticket_id: UUID) -> None:
        """Destroy the ticket's key and whatever else is kept of the person, wherever it is."""


class Transcripts(Protocol):
    def dump(self, transcript: Transcript) -> bytes:
        """The transcript as plain readable JSON."""

    def load(self, data: bytes) -> Transcript:
        """The transcript that `dump` wrote, in any version of ours."""
