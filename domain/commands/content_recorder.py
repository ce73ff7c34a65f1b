"""Stores content that is too big for an event and records it in the ticket's history."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, TypeVar
from uuid import UUID

from domain.errors import StaleVersionError
from domain.ports import Contents, Tickets
from domain.tickets import RecordingTicket
from domain.values import Content

T = TypeVar("T")


@dataclass(frozen=True)
class ContentRecorder:
    tickets: Tickets
    contents: Contents

    def record(
        self,
        ticket_id: UUID,
        source: BinaryIO,
        decide: Callable[[RecordingTicket, Content], None],
        if_match: int | None = None,
    ) -> Content:
        """Store all bytes of `source` and let `decide` record them; content that is not recorded is deleted again.

        Another request may store or delete the same bytes at the same time. Therefore the history is checked again
        after a deletion, and the storage is checked after the content was recorded.
        """
        if if_match is not None and self.tickets.get(ticket_id).version != if_match:
            raise StaleVersionError("The ticket has changed since you read it.")
        content = self.contents.keep(ticket_id, source)

        def decide_with_content(ticket: RecordingTicket) -> bool:
            decide(ticket, content)
            return content in ticket.recorded_contents

        recorded = False
        try:
            recorded = self.change(ticket_id, decide_with_content, if_match)
        finally:
            if not recorded:
                self._discard(ticket_id, source, content)
        if not self.contents.has(ticket_id, content):
            self.contents.keep(ticket_id, source)
        return content

    def change(self, ticket_id: UUID, decide: Callable[[RecordingTicket], T], if_match: int | None = None) -> T:
        """Load, decide and record; shred the sound of the voice if that took it off the page."""

        def decide_with_sound(ticket: RecordingTicket) -> tuple[T, Content | None]:
            sound = ticket.voice_content
            return decide(ticket), sound

        result, sound = self.tickets.change(ticket_id, decide_with_sound, if_match)
        if sound is not None:
            self.shred_unnamed(ticket_id, sound)
        return result

    def shred_unnamed(self, ticket_id: UUID, content: Content) -> None:
        """Shred content if the history no longer names it."""
        if content not in self.tickets.get(ticket_id).recorded_contents:
            self.contents.shred(ticket_id, content)

    def _discard(self, ticket_id: UUID, source: BinaryIO, content: Content) -> None:
        if content in self.tickets.get(ticket_id).recorded_contents:
            return
        self.contents.discard(ticket_id, content)
        if content in self.tickets.get(ticket_id).recorded_contents:
            self.contents.keep(ticket_id, source)
