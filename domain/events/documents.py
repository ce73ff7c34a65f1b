"""Documents generated from a ticket."""

from __future__ import annotations

from uuid import UUID

from domain.events.base import TicketEvent
from domain.values import Content, DocumentFormat, DocumentType


class DocumentGenerated(TicketEvent):
    TOPIC = "document_generated"
    document_id: UUID
    type: DocumentType
    format: DocumentFormat
    content: Content
    donation_id: UUID | None = None
