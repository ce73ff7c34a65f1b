"""The SupportTicket: a request for help and the conversation about it, until it is resolved or its author is erased."""

from typing import Self
from uuid import UUID

from domain.aggregate import Aggregate
from domain.errors import RefusedError
from domain.events import (
    SupportAssigned,
    SupportAuthorReplied,
    SupportEvent,
    SupportReplied,
    SupportTicketErased,
    SupportTicketOpened,
    SupportTicketResolved,
    SupportUnassigned,
)
from domain.values import Actor, Contact, SupportCategory

# Of the staff, and of the author.
MOST_REPLIES = 100
LONGEST_REPLY = 2_000


class SupportTicket(Aggregate):
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
        self.author_reply_ids: frozenset[UUID] = frozenset()
        self.assignee: UUID | None = None
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
        return cls._begin(
            SupportTicketOpened,
            support_id,
            actor,
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
        if self._is_new(reply_id, self.reply_ids):
            self._trigger(SupportReplied, actor, reply_id=reply_id, text=text)

    def reply_as_author(self, actor: Actor, reply_id: UUID, text: str) -> None:
        """Keep what the author wrote again, and open the request again; a repeated id adds nothing."""
        if self._is_new(reply_id, self.author_reply_ids):
            self._trigger(SupportAuthorReplied, actor, reply_id=reply_id, text=text)

    def _is_new(self, reply_id: UUID, earlier_ids: frozenset[UUID]) -> bool:
        if self.erased:
            raise RefusedError("This request was erased.")
        if reply_id in earlier_ids:
            return False
        if len(earlier_ids) >= MOST_REPLIES:
            raise RefusedError(f"A request for help has at most {MOST_REPLIES} replies.")
        return True

    def assign(self, actor: Actor, assignee: UUID | None) -> None:
        """Make the member responsible; None leaves nobody responsible."""
        if assignee == self.assignee:
            return
        if assignee is None:
            self._trigger(SupportUnassigned, actor)
        else:
            self._trigger(SupportAssigned, actor, assignee=assignee)

    def resolve(self, actor: Actor) -> None:
        if not self.resolved:
            self._trigger(SupportTicketResolved, actor)

    def erase(self, actor: Actor) -> None:
        if not self.erased:
            self._trigger(SupportTicketErased, actor)

    def _trigger(self, event_type: type[SupportEvent], actor: Actor, **fields: object) -> None:
        self._record(event_type, actor, ticket_id=self.ticket_id, **fields)

    # Evolving.

    def evolve(self, event: SupportEvent) -> None:
        match event:
            case SupportReplied(reply_id=reply_id):
                self.reply_ids |= {reply_id}
            case SupportAuthorReplied(reply_id=reply_id):
                self.author_reply_ids |= {reply_id}
                self.resolved = False
            case SupportAssigned(assignee=assignee):
                self.assignee = assignee
            case SupportUnassigned():
                self.assignee = None
            case SupportTicketResolved():
                self.resolved = True
            case SupportTicketErased():
                self.erased = True
            case _:
                pass
