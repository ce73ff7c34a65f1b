"""The SupportTicket: a request for help until an admin resolves it or its author is erased."""

from typing import Self
from uuid import UUID

from eventsourcing.domain import BaseAggregate

from domain.errors import RefusedError
from domain.events import SupportEvent, SupportReplied, SupportTicketErased, SupportTicketOpened, SupportTicketResolved
from domain.values import Actor, Contact, SupportCategory

MOST_REPLIES = 100
LONGEST_REPLY = 2_000


class SupportTicket(BaseAggregate[UUID]):
    TOPIC = "support_ticket"

    def __init__(
        self,
        ticket_id: UUID,
        category: SupportCategory,
        about: UUID | None = None,
        contact: Contact | None = None,
    ) -> None:
        self.ticket_id = ticket_id
        self.about = about
        self.category = category
        self.contact = contact
        self.reply_ids: frozenset[UUID] = frozenset()
        self.resolved = False
        self.erased = False

    # Deciding.

    @classmethod
    def open(
        cls,
        actor: Actor,
        support_id: UUID,
        *,
        ticket_id: UUID,
        category: SupportCategory,
        message: str,
        about: UUID | None,
        contact: Contact | None,
        contact_index: str | None,
    ) -> Self:
        return cls._create(
            SupportTicketOpened,
            id=support_id,
            actor=actor,
            ticket_id=ticket_id,
            category=category,
            message=message,
            about=about,
            contact=contact,
            contact_index=contact_index,
        )

    @property
    def has_own_key(self) -> bool:
        """Whether its message is sealed with a key of its own, not with a ticket's key."""
        return self.ticket_id == self.id

    def asks_to_reset(self, ticket_id: UUID) -> bool:
        """Return True if it is an open request for a new contact, and names this ticket or none."""
        is_reset = self.category is SupportCategory.PROFILE_RESET
        return is_reset and not self.resolved and self.about in (None, ticket_id)

    def reply(self, actor: Actor, reply_id: UUID, text: str) -> None:
        """Keep a reply of the staff; a repeated id adds none."""
        if self.erased:
            raise RefusedError("This request was erased.")
        if reply_id in self.reply_ids:
            return
        if len(self.reply_ids) >= MOST_REPLIES:
            raise RefusedError(f"A request for help has at most {MOST_REPLIES} replies.")
        self._trigger(SupportReplied, actor, reply_id=reply_id, text=text)

    def resolve(self, actor: Actor) -> None:
        if not self.resolved:
            self._trigger(SupportTicketResolved, actor)

    def erase(self, actor: Actor) -> None:
        if not self.erased:
            self._trigger(SupportTicketErased, actor)

    def _trigger(self, event_type: type[SupportEvent], actor: Actor, **fields: object) -> None:
        self.trigger_event(event_type, actor=actor, ticket_id=self.ticket_id, **fields)

    # Evolving.

    def evolve(self, event: SupportEvent) -> None:
        match event:
            case SupportReplied(reply_id=reply_id):
                self.reply_ids |= {reply_id}
            case SupportTicketResolved():
                self.resolved = True
            case SupportTicketErased():
                self.erased = True
            case _:
                pass
