"""What the domain needs of the outside: one or two methods each, named for the need."""

from __future__ import annotations

from domain.ports.documents import CampaignSheet, Printer, QrCodes, ReceiptSheet, Sheet, TranscriptSheet
from domain.ports.mail import Mail
from domain.ports.payments import CheckoutRequest, Checkouts, OpenCheckout, RefundOrder, Refunds, RefundTold
from domain.ports.processing import Analyser, AudioInspector, Drafter, Report, Transcriber
from domain.ports.stores import Contents, Donations, Erasure, SupportTickets, Tickets, Transcripts

__all__ = [
    "Analyser",
    "AudioInspector",
    "CampaignSheet",
    "CheckoutRequest",
    "Checkouts",
    "Contents",
    "Donations",
    "Drafter",
    "Erasure",
    "Mail",
    "OpenCheckout",
    "Printer",
    "QrCodes",
    "ReceiptSheet",
    "RefundOrder",
    "RefundTold",
    "Refunds",
    "Report",
    "Sheet",
    "SupportTickets",
    "Tickets",
    "Transcriber",
    "TranscriptSheet",
    "Transcripts",
]
