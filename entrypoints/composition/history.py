"""The event store with its encryption, the follower and the projection barrier."""

from contextlib import suppress

import structlog

import projections
from adapters.encryption.field_cipher import FieldCipher
from adapters.encryption.ticket_keys import TICKET_KEYRING, TicketKeys
from adapters.event_store.history import TicketHistory
from adapters.event_store.log import EventLog
from adapters.postgres.database import CONNECTION_ERRORS
from adapters.read_models.follower import Follower
from adapters.read_models.projection_barrier import ProjectionBarrier
from adapters.read_models.read_your_writes import ReadYourWrites
from adapters.read_models.replica import Replica
from domain.errors import UnavailableError
from entrypoints.composition.foundation import Foundation, Parts

logger = structlog.get_logger()


class History:
    """The event store; `follower` exists with the projections part, `replica` with the web part."""

    def __init__(self, foundation: Foundation) -> None:
        self.log = EventLog(foundation.database)
        self.replica: Replica | None = None
        if foundation.settings.read_database_url is not None and Parts.WEB in foundation.parts:
            self.replica = Replica(foundation.settings.read_database_url, foundation.url)
        self.keys = TicketKeys(foundation.database, foundation.keyring(TICKET_KEYRING))
        self.cipher = FieldCipher(self.keys)
        self.application = TicketHistory(self.log, self.cipher)
        self.follower: Follower | None = None
        if Parts.PROJECTIONS in foundation.parts:
            self.follower = Follower(foundation.url, projections.ALL, foundation.registry)
        self.barrier = ProjectionBarrier(foundation.database, list(projections.BY_NAME), self.follower)
        self.ticket_reader = ReadYourWrites(foundation.database, self.log, self.barrier)

    def wake_follower(self, position: int) -> None:
        """Wake the follower after an append whose caller does not wait for the read models."""
        del position
        if self.follower is not None:
            self.follower.wake()

    def wait_until_projected(self, position: int) -> None:
        """Wait until the read models have reached a write; if they do not in time, note that they are behind."""
        projected = False
        with suppress(UnavailableError, *CONNECTION_ERRORS):
            projected = self.barrier.wait_for(position)
        if not projected:
            self.ticket_reader.note_unprojected(position)
            logger.warning("read models lag behind", position=position)
