"""The desks in the event log: each is opened with the first fact that is noted about its ticket."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from uuid import UUID

from eventsourcing.persistence import IntegrityError

from adapters.event_store.history import Streams
from domain.desk import Desk, desk_stream
from domain.errors import NotFoundError
from domain.ports import Mail
from domain.values import Actor


class StoredDesks:
    """The port `Desks` over the history."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    def get(self, ticket_id: UUID) -> Desk | None:
        try:
            desk: Desk = self._streams.load(desk_stream(ticket_id))
        except NotFoundError:
            return None
        return desk

    def change(
        self,
        actor: Actor,
        ticket_id: UUID,
        workspace: str,
        decide: Callable[[Desk], object],
        mails: Sequence[Mail] = (),
    ) -> Desk:
        if self.get(ticket_id) is None:
            desk = Desk.open(actor, ticket_id, workspace)
            decide(desk)
            if len(desk.pending_events) == 1:
                return desk  # nothing was noted
            # Somebody else may open it at the same moment.
            with suppress(IntegrityError):
                self._streams.save(desk, mails)
                return desk

        def decided(desk: Desk) -> Desk:
            decide(desk)
            return desk

        return self._streams.change(desk_stream(ticket_id), decided, mails=lambda _: mails)
