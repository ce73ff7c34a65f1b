"""The page that strangers can see."""

from __future__ import annotations

from domain.events.base import TicketEvent


class Published(TicketEvent):
    """The page became visible to strangers.

    `consent` is True where the holder agreed to that; events recorded before consent was stored have None.
    """

    TOPIC = "published"
    consent: bool | None = None


class Unpublished(TicketEvent):
    TOPIC = "unpublished"
