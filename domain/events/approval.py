"""Events of the approval of a page, in workspaces that publish nothing without one."""

from domain.events.base import TicketEvent
from domain.values import Personal


class PublicationRequested(TicketEvent):
    """The page is to be published as it would be shown now, and somebody asks for the approval of the workspace."""

    TOPIC = "publication_requested"


class Approved(TicketEvent):
    """The page may be published as it was when that was asked for."""

    TOPIC = "approved"


class ChangesRequested(TicketEvent):
    """The page is not to be published as it is; `note` tells its holder what to change."""

    TOPIC = "changes_requested"
    note: Personal
