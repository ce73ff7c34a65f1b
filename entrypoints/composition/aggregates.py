"""Tickets, donations and support tickets: decided on one at a time, recorded with all that a fact takes along."""

from functools import partial

from adapters.event_store import contact_hashes, receipt_numbers
from adapters.event_store.desks import StoredDesks
from adapters.event_store.history import EventEffect, EventEffects, StoredDonations, StoredTickets, Streams
from adapters.event_store.receipt_numbers import StoredReceiptNumbers
from adapters.event_store.support_tickets import StoredSupportTickets
from adapters.event_store.workspaces import StoredWorkspaces
from adapters.identity import members, recovery_links
from adapters.jobs.queue import enqueue
from adapters.payments import donor_emails, open_checkouts, refund_runs
from adapters.payments.inbox import INBOX_KEY_PURPOSE, Inbox
from adapters.payments.linking import link_checkout
from adapters.pictures.logos import StoredLogos
from adapters.privacy import erasure, forgotten_donors, former_members, retention_periods
from adapters.privacy.retention_periods import StoredRetention
from adapters.read_models.workspaces import StoredSettings
from adapters.search.ticket_search import SearchHashes, TicketSearch
from domain.commands.approvals import ApprovedTickets
from domain.commands.receipts import ReceiptCommands
from domain.events import (
    Approved,
    ChangesRequested,
    CheckoutOpened,
    ContactChanged,
    DonorsThanked,
    DraftingFailed,
    DraftProposed,
    Erased,
    ErasureAnnounced,
    MemberErased,
    Published,
    RefundAllRequested,
    TicketEvent,
    TicketReinstated,
    TicketSuspended,
    TranscriptionFailed,
    Unpublished,
)
from domain.organisations import Publishing
from entrypoints.composition.foundation import Foundation, Parts
from entrypoints.composition.history import History
from entrypoints.composition.mail import MailDelivery
from projections.workspaces import workspace_settings


class Aggregates:
    """The domain's stores over one history, and the inbox, from which an opened checkout takes what came too early."""

    def __init__(self, ground: Foundation, history: History, mails: MailDelivery) -> None:
        self._database = ground.database
        self.inbox = Inbox(ground.database, ground.keyring(INBOX_KEY_PURPOSE), history.keys)
        self.search = TicketSearch(SearchHashes(ground.secrets.peppers))
        event_effects: EventEffects = {
            Approved: [mails.tell_approved],
            ChangesRequested: [mails.tell_changes_requested],
            ContactChanged: [recovery_links.close],
            CheckoutOpened: [open_checkouts.add, partial(link_checkout, self.inbox)],
            RefundAllRequested: [refund_runs.add],
            DonorsThanked: [donor_emails.add_thanks],
            DraftingFailed: [mails.tell_finished],
            DraftProposed: [mails.tell_finished],
            MemberErased: [partial(former_members.erase, mails.outbox)],
            Erased: [partial(erasure.destroy, self.inbox), open_checkouts.close, recovery_links.close],
            ErasureAnnounced: [mails.announce_erasure],
            Published: [mails.tell_published],
            TicketReinstated: [mails.tell_reinstated],
            TicketSuspended: [open_checkouts.close, mails.tell_suspended],
            TranscriptionFailed: [mails.tell_finished],
            Unpublished: [open_checkouts.close],
        }
        # A process that answers clients waits for the read models; a worker need not.
        on_recorded = history.wait_until_projected if Parts.WEB in ground.parts else history.wake_follower
        streams = Streams(
            history.application,
            enqueue,
            on_recorded,
            _merged(
                contact_hashes.EFFECTS,
                members.EFFECTS,
                forgotten_donors.EFFECTS,
                receipt_numbers.EFFECTS,
                retention_periods.EFFECTS,
                event_effects,
                self.search.effects,
            ),
            queue_mail=mails.outbox.queue,
            event_locks={Erased: self.inbox.lock_applier},
        )
        self.tickets = ApprovedTickets(StoredTickets(streams), self.needs_approval)
        self.donations = StoredDonations(streams)
        self.logos = StoredLogos(ground.database)
        self.settings = StoredSettings(ground.database)
        self.receipts = ReceiptCommands(self.donations, self.settings, StoredReceiptNumbers(ground.database))
        self.workspaces = StoredWorkspaces(streams)
        self.retention_periods = StoredRetention(ground.database)
        self.desks = StoredDesks(streams)
        self.support = StoredSupportTickets(streams, ground.database, history.log)

    def needs_approval(self, workspace: str) -> bool:
        """Return True if the workspace publishes only pages that it has approved."""
        return self._database.read(workspace_settings, workspace).publishing is Publishing.APPROVAL


def _merged(*all_effects: EventEffects) -> EventEffects:
    """Return the effects of each event in the order of the arguments."""
    merged: dict[type[TicketEvent], list[EventEffect]] = {}
    for effects in all_effects:
        for kind, of_kind in effects.items():
            merged.setdefault(kind, []).extend(of_kind)
    return merged
