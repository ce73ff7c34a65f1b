"""Tickets, donations and support tickets: decided on one at a time, recorded with all that a fact takes along."""

from __future__ import annotations

from adapters import forgetting
from adapters.event_store.history import StoredDonations, StoredTickets, Streams
from adapters.jobs import enqueue
from adapters.support import StoredSupportTickets
from domain.events import Erased, ErasureAnnounced, Published
from entrypoints.wiring.ground import Ground, Parts
from entrypoints.wiring.history import History
from entrypoints.wiring.mail import Mails


class Aggregates:
    """The domain's stores over one history."""

    def __init__(self, ground: Ground, history: History, mails: Mails) -> None:
        consequences = {
            Erased: forgetting.destroy,
            ErasureAnnounced: mails.announce_erasure,
            Published: mails.tell_published,
        }
        # Who answers a client waits for the read models; a worker has nobody waiting.
        recorded = history.seen if Parts.WEB in ground.parts else history.recorded
        streams = Streams(history.application, enqueue, recorded, consequences, queue=mails.outbox.queue)
        self.tickets = StoredTickets(streams)
        self.donations = StoredDonations(streams)
        self.support = StoredSupportTickets(streams, ground.database, history.log)
