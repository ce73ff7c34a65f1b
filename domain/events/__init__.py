"""The glossary of events: everything that can happen to a ticket, its donations and its support tickets.

`TOPIC` is an event's name in the database and never changes; a class may move. A new need is a new event, or a new
field with a default. Texts marked `Personal` are sealed with the ticket's key before they are stored. An event that
comes from Stripe has Stripe's ids, and in `report` the id and the time of the Stripe event.
"""

from __future__ import annotations

from domain.events.base import TicketEvent
from domain.events.disputes import DisputeClosed, DisputeFundsReinstated, DisputeFundsWithdrawn, DisputeOpened
from domain.events.documents import DocumentGenerated
from domain.events.donations import (
    CheckoutExpired,
    CheckoutOpened,
    CheckoutRefused,
    CheckoutRequested,
    DonationEvent,
    PaymentConfirmed,
    PaymentDelayed,
    PaymentFailed,
    PaymentReceived,
)
from domain.events.drafts import DraftEdited, DraftingFailed, DraftProposed, InfoRequested
from domain.events.fees import FeeCharged
from domain.events.privacy import Erased, ErasureAnnounced
from domain.events.publication import Published, Unpublished
from domain.events.recordings import Analysed, AudioUploaded, ProcessingRequested, Transcribed, TranscriptionFailed
from domain.events.refunds import (
    RefundAccepted,
    Refunded,
    RefundFailed,
    RefundRefused,
    RefundRequested,
    RefundTotalReported,
)
from domain.events.support import SupportEvent, SupportTicketErased, SupportTicketOpened, SupportTicketResolved
from domain.events.tickets import ContactChanged, ContactReindexed, DisplayNameChanged, TicketOpened

__all__ = [
    "Analysed",
    "AudioUploaded",
    "CheckoutExpired",
    "CheckoutOpened",
    "CheckoutRefused",
    "CheckoutRequested",
    "ContactChanged",
    "ContactReindexed",
    "DisplayNameChanged",
    "DisputeClosed",
    "DisputeFundsReinstated",
    "DisputeFundsWithdrawn",
    "DisputeOpened",
    "DocumentGenerated",
    "DonationEvent",
    "DraftEdited",
    "DraftProposed",
    "DraftingFailed",
    "Erased",
    "ErasureAnnounced",
    "FeeCharged",
    "InfoRequested",
    "PaymentConfirmed",
    "PaymentDelayed",
    "PaymentFailed",
    "PaymentReceived",
    "ProcessingRequested",
    "Published",
    "RefundAccepted",
    "RefundFailed",
    "RefundRefused",
    "RefundRequested",
    "RefundTotalReported",
    "Refunded",
    "SupportEvent",
    "SupportTicketErased",
    "SupportTicketOpened",
    "SupportTicketResolved",
    "TicketEvent",
    "TicketOpened",
    "Transcribed",
    "TranscriptionFailed",
    "Unpublished",
]
