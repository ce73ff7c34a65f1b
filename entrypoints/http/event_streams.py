"""Streams of server-sent events about the status of tickets.

The event loop sends them, so an open stream holds no thread and no connection to the database. One task looks for the
changes of all watched tickets with one query, however many streams are open.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

import structlog

from entrypoints.http.problems import Problem
from entrypoints.http.threads import Threads

MAX_STREAMS = 512
# People who share a network share this, so there are enough for a household or a shelter.
MAX_STREAMS_OF_ADDRESS = 32
RETRY_AFTER_SECONDS = 10
LOOK_SECONDS = 0.5
# How often a stream without events sends a comment, so that no proxy takes it for dead.
HEARTBEAT_SECONDS = 15.0
# How often it is checked that the reader may still see the ticket. It is also checked when the ticket has changed.
CHECK_SECONDS = 10.0
# A browser that lost its stream opens another after this time.
RECONNECT_MILLISECONDS = 2000

HEARTBEAT = b": still open\n\n"

logger = structlog.get_logger()


class EventId(NamedTuple):
    """The id of an event: of two events about one ticket the later one has the greater id."""

    version: int
    progress: int
    funded: int

    def __str__(self) -> str:
        return "-".join(map(str, self))


def read_event_id(text: str | None) -> EventId | None:
    """Return the id in a header `Last-Event-ID`, or None if it is not one of ours."""
    match = re.fullmatch(r"(\d{1,9})-(\d{1,3})-([01])", text or "", re.ASCII)
    return EventId(*map(int, match.groups())) if match else None


class Mark(NamedTuple):
    """The fields that change whenever the status of a ticket does."""

    version: int
    funded: bool
    step_progress: float


@dataclass(frozen=True)
class Status:
    """The status of a ticket as an event."""

    id: EventId
    data: bytes

    def event(self) -> bytes:
        return b"event: status\nid: %s\ndata: %s\n\n" % (str(self.id).encode(), self.data)


@dataclass(eq=False)
class Watch:
    """One reader of a ticket's status, who was last sent the event with the id `sent`."""

    ticket_id: UUID
    network: str
    sent: EventId | None
    newest: Status
    # Raises a Problem when the reader may no longer see the ticket.
    require_access: Callable[[], object]
    checked_at: float = field(default_factory=time.monotonic)
    ended: bool = False
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def events(self) -> AsyncIterator[bytes]:
        """Yield the newest status whenever there is one, and comments in between. Older ones are left out."""
        yield b"retry: %d\n\n" % RECONNECT_MILLISECONDS
        while not self.ended:
            if self.sent is None or self.newest.id > self.sent:
                status = self.newest
                self.sent = status.id
                yield status.event()
                continue
            self._changed.clear()
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                yield HEARTBEAT

    def wake(self) -> None:
        if self.ended or self.sent is None or self.newest.id > self.sent:
            self._changed.set()


class StatusStreams:
    """The open streams of this process. They end when the process stops, and when their reader loses access."""

    def __init__(
        self,
        marks: Callable[[Collection[UUID]], Mapping[UUID, Mark]],
        statuses: Callable[[Sequence[UUID]], Mapping[UUID, Status]],
        is_finishing: Callable[[], bool],
    ) -> None:
        self._marks_of = marks
        self._statuses_of = statuses
        self._is_finishing = is_finishing
        self._threads = Threads(max_threads=1)
        self._watches: set[Watch] = set()
        self._task: asyncio.Task[None] | None = None
        # The mark and the status of each watched ticket when it was last looked at.
        self._seen: dict[UUID, tuple[Mark, Status]] = {}

    @property
    def count(self) -> int:
        return len(self._watches)

    @contextmanager
    def opened(self, watch: Watch) -> Iterator[AsyncIterator[bytes]]:
        """Yield the events of a new stream; Problem 429 or 503 if too many are open. Called on the event loop."""
        self._refuse_one_too_many(watch.network)
        self._watches.add(watch)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._follow())
        try:
            yield watch.events()
        finally:
            self._watches.discard(watch)

    def _refuse_one_too_many(self, network: str) -> None:
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        if len(self._watches) >= MAX_STREAMS or self._is_finishing():
            raise Problem(
                "unavailable", "Too many streams are open. Please ask for the status instead.", headers=headers
            )
        if Counter(watch.network for watch in self._watches)[network] >= MAX_STREAMS_OF_ADDRESS:
            detail = f"At most {MAX_STREAMS_OF_ADDRESS} streams may be open from one address."
            raise Problem("too-many-requests", detail, headers=headers)

    async def _follow(self) -> None:
        """Look for changes while a stream is open."""
        while self._watches:
            await asyncio.sleep(LOOK_SECONDS)
            watches = list(self._watches)
            if self._is_finishing():
                for watch in watches:
                    watch.ended = True
            else:
                try:
                    await self._threads.run(self._update, watches)
                except Exception as error:
                    # The database may be away for a while; the streams stay open until it is back.
                    logger.warning("streams could not be updated", error=type(error).__name__)
            for watch in watches:
                watch.wake()

    def _update(self, watches: Sequence[Watch]) -> None:
        """Bring the watches up to date. Runs in a thread, which changes nothing that the event loop changes."""
        marks = self._marks_of({watch.ticket_id for watch in watches})
        seen = {ticket: entry for ticket, entry in self._seen.items() if marks.get(ticket) == entry[0]}
        changed = [ticket for ticket in marks if ticket not in seen]
        statuses = self._statuses_of(changed) if changed else {}
        self._seen = seen | {ticket: (marks[ticket], statuses[ticket]) for ticket in changed if ticket in statuses}
        now = time.monotonic()
        for watch in watches:
            if watch.ticket_id in statuses or now - watch.checked_at >= CHECK_SECONDS:
                watch.checked_at = now
                try:
                    watch.require_access()
                except Problem:
                    watch.ended = True
                    continue
            entry = self._seen.get(watch.ticket_id)
            if entry is not None and entry[1].id > watch.newest.id:
                watch.newest = entry[1]
