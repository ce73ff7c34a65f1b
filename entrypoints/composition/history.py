"""The history, what seals it, and how far the read models have followed it."""

from __future__ import annotations

from contextlib import suppress

import structlog

import projections
from adapters.encryption.field_cipher import FieldCipher
from adapters.encryption.ticket_keys import TicketKeys
from adapters.event_store.history import TicketHistory
from adapters.event_store.log import EventLog
from adapters.postgres.database import CONNECTION_ERRORS
from adapters.postgres.replica import Replica
from adapters.read_models.follower import Follower
from adapters.read_models.projection_barrier import ProjectionBarrier
from adapters.read_models.read_your_writes import ReadYourWrites
from domain.errors import UnavailableError
from entrypoints.composition.foundation import Foundation, Parts

logger = structlog.get_logger()


class History:
    """The event store; `follower` only where this process runs the projections, `replica` where it answers people."""

    def __init__(self, ground: Foundation) -> None:
        self.log = EventLog(ground.database)
        self.replica: Replica | None = None
        if ground.settings.read_database_url is not None and Parts.WEB in ground.parts:
            self.replica = Replica(ground.settings.read_database_url, ground.url)
        self.keys = TicketKeys(ground.database, ground.secrets.master)
        self.cipher = FieldCipher(self.keys)
        self.application = TicketHistory(self.log, self.cipher)
        self.follower: Follower | None = None
        if Parts.PROJECTIONS in ground.parts:
            self.follower = Follower(ground.url, projections.ALL, ground.registry)
        self.barrier = ProjectionBarrier(ground.database, list(projections.BY_NAME), self.follower)
        self.fresh = ReadYourWrites(ground.database, self.log, self.barrier)

    def recorded(self, position: int) -> None:
        """There is something new, and nobody waits for it to be seen."""
        del position
        if self.follower is not None:
            self.follower.wake()

    def seen(self, position: int) -> None:
        """Let the read models see a write before it is answered; a fault of theirs only makes the answer later."""
        with suppress(UnavailableError, *CONNECTION_ERRORS):
            if not self.barrier.wait_for(position):
                self.fresh.note_unprojected(position)
                logger.warning("read models lag behind", position=position)
