"""Events of support tickets: requests for help, and the conversation about each. Each has a stream of its own."""

from uuid import UUID

from domain.events.base import AggregateCreated, TicketEvent
from domain.values import Contact, Personal, SupportCategory


class SupportEvent(TicketEvent):
    """One fact about one support ticket.

    `ticket_id` is the ticket whose key seals the message: the ticket it is about if the author proved to belong to it,
    and otherwise the support ticket's own id.
    """

    ticket_id: UUID

    @property
    def ticket(self) -> UUID:
        return self.ticket_id


class SupportTicketOpened(SupportEvent, AggregateCreated):
    """A person asks for help. The ticket that they name in `about` may not exist, or not be theirs."""

    TOPIC = "support_ticket_opened"
    originator_topic = "support_ticket"
    category: SupportCategory
    message: Personal
    about: UUID | None = None
    contact: Contact | None = None
    contact_index: Personal | None = None


class SupportReplied(SupportEvent):
    """The staff answered; the reply also goes to the author by mail or text message."""

    TOPIC = "support_replied"
    reply_id: UUID
    text: Personal


class SupportAuthorReplied(SupportEvent):
    """The author wrote again, which opens a resolved request again."""

    TOPIC = "support_author_replied"
    reply_id: UUID
    text: Personal


class SupportAssigned(SupportEvent):
    """The member `assignee` of the workspace takes care of the request."""

    TOPIC = "support_assigned"
    assignee: UUID


class SupportUnassigned(SupportEvent):
    TOPIC = "support_unassigned"


class SupportTicketResolved(SupportEvent):
    TOPIC = "support_ticket_resolved"


class SupportTicketErased(SupportEvent):
    """Its author was erased, and with that the key to the message."""

    TOPIC = "support_ticket_erased"
