"""Erasure: announced after inactivity, and done."""

from __future__ import annotations

from domain.events.base import TicketEvent


class ErasureAnnounced(TicketEvent):
    """The ticket has been inactive and will be erased unless a person uses it again; times are Unix seconds."""

    TOPIC = "erasure_announced"
    inactive_since: int
    erase_after: int


class Erased(TicketEvent):
    """The key to everything personal is destroyed; money, structure and proof stay."""

    TOPIC = "erased"
