"""The live follower: takes new events into every live build, each projection exactly once however many run."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
import structlog
from psycopg import Connection
from psycopg.rows import TupleRow

from adapters.observability import tracing
from adapters.postgres.database import CONNECTION_ERRORS, ConnectionRegistry, Database, connect, uses_pgbouncer
from adapters.read_models import builds, event_batches
from projections.model import Projection, Recorded

BATCH_EVENTS = 2_000
# A wake-up can be lost; a look at the history now and then cannot.
POLL_SECONDS = 0.25
# Through a pooler nobody is woken: who writes elsewhere waits for the next look.
POOLED_POLL_SECONDS = 0.04
# Events that come one by one are taken together: so long the first waits for the others, which nobody notices.
GATHER_SECONDS = 0.1
# How long a projection that failed is left alone, at first and at most.
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0

logger = structlog.get_logger()


@dataclass
class _Trouble:
    """A projection whose fold failed: left alone until `again`, so that it holds up only itself."""

    failures: int = 0
    again: float = 0.0


class Follower:
    """Runs in a thread of its own between `start` and `stop`; any number may run on any number of machines."""

    def __init__(self, url: str, projections: Sequence[Projection], registry: ConnectionRegistry | None = None) -> None:
        self._url = url
        self._registry = registry
        self._poll = POOLED_POLL_SECONDS if uses_pgbouncer(url) else POLL_SECONDS
        self._projections = projections
        self._wake = threading.Event()
        self._awaited = threading.Event()
        self._stopping = threading.Event()
        self._trouble = {projection.NAME: _Trouble() for projection in projections}
        self._moved = threading.Condition()
        self._reached = dict.fromkeys(self._trouble, 0)
        self._position = 0
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)
        self._thread.start()
        self._listener = threading.Thread(target=self._listen, name="follower-wake-up", daemon=True)
        if not uses_pgbouncer(self._url):
            self._listener.start()

    def stop(self) -> None:
        self._stopping.set()
        self._awaited.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
            if self._listener.ident is not None:
                self._listener.join(timeout=5)

    def wake(self) -> None:
        """Say that there is something new; costs nothing."""
        self._wake.set()

    def wait_for(self, position: int, seconds: float) -> bool:
        """Whether this follower has taken the history in up to `position`, waiting at most so long for it.

        Whoever waits is not kept waiting for others to gather.
        """
        self._awaited.set()
        with self._moved:
            return self._moved.wait_for(lambda: self._position >= position, seconds)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with connect(self._url, name="storyledger follower", registry=self._registry) as connection:
                    self._follow(connection)
            except CONNECTION_ERRORS:
                self._stopping.wait(0.2)
            except psycopg.Error:
                logger.exception("follower failed")
                self._stopping.wait(1.0)

    def _follow(self, connection: Connection[TupleRow]) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            if self.fold_next_batch(connection):
                self._awaited.wait(GATHER_SECONDS)
                self._awaited.clear()
            else:
                self._wake.wait(self._poll)

    def _listen(self) -> None:
        while not self._stopping.is_set():
            try:
                with connect(self._url, name="storyledger wake-up", registry=self._registry) as connection:
                    connection.execute("LISTEN events")
                    self._wake.set()
                    while not self._stopping.is_set():
                        for _ in connection.notifies(timeout=1.0, stop_after=1):
                            self._wake.set()
            except psycopg.Error:
                self._stopping.wait(0.2)

    def fold_next_batch(self, connection: Connection[TupleRow]) -> bool:
        """Take a page into every live build; False if there was nothing new."""
        now = time.monotonic()
        ready = [p for p in self._projections if self._trouble[p.NAME].again <= now]
        try:
            return self._take(connection, ready)
        except Exception:
            if connection.closed:
                raise
            if len(ready) == 1:
                self._set_aside(ready[0])
                return False
        # One of them spoils it for all: each for itself.
        moved = [self._take_alone(connection, projection) for projection in ready]
        return any(moved)

    def _take_alone(self, connection: Connection[TupleRow], projection: Projection) -> bool:
        try:
            return self._take(connection, [projection])
        except Exception:
            if connection.closed:
                raise
            self._set_aside(projection)
            return False

    def _set_aside(self, projection: Projection) -> None:
        trouble = self._trouble[projection.NAME]
        trouble.failures += 1
        pause = FIRST_PAUSE_SECONDS * 2 ** min(trouble.failures - 1, 10)
        trouble.again = time.monotonic() + min(LONGEST_PAUSE_SECONDS, pause)
        logger.exception("projection failed", projection=projection.NAME, failures=trouble.failures)

    def _take(self, connection: Connection[TupleRow], projections: Sequence[Projection]) -> bool:
        """Take the next page into each build; builds that stand at the same position share it."""
        reached: dict[str, int] = {}
        moved: dict[builds.Build, int] = {}
        found: dict[int, list[Recorded]] = {}
        since = tracing.now_ns()
        with connection.transaction(), connection.cursor() as cursor:
            for build, position in builds.standing(cursor, projections).items():
                if position not in found:
                    found[position] = event_batches.after(connection, position, BATCH_EVENTS)
                reached[build.projection.NAME] = position
                if page := found[position]:
                    reached[build.projection.NAME] = moved[build] = page[-1].position
                    builds.fold(cursor, build, page)
            if moved:
                builds.move_bookmarks(cursor, moved)
            # After a full page comes another, and the last one waits for the disk for all of them.
            if any(len(page) == BATCH_EVENTS for page in found.values()):
                builds.commit_soon(cursor)
        if moved and tracing.is_enabled():
            _trace(since, found)
        for projection in projections:
            self._trouble[projection.NAME].failures = 0
        self._publish(reached)
        return any(found.values())

    def _publish(self, reached: dict[str, int]) -> None:
        """Tell who waits how far all of them have come, as far as this follower knows."""
        with self._moved:
            self._reached |= reached
            self._position = min(self._reached.values())
            self._moved.notify_all()


def _trace(since: int, found: dict[int, list[Recorded]]) -> None:
    """A span for each page, linked to what recorded its events, as far as that was this process."""
    for page in found.values():
        if page:
            positions = [recorded.position for recorded in page]
            tracing.record_span("projection page", since, links=positions, events=len(page), position=positions[-1])


class ProjectionBarrier:
    """Lets a write wait until the read models have seen it, wherever they are followed."""

    patience_seconds = 2.0

    def __init__(self, database: Database, names: Sequence[str], follower: Follower | None = None) -> None:
        self._database = database
        self._names = list(names)
        self._follower = follower

    def has_seen(self, position: int) -> bool:
        """Whether every live read model has reached `position`."""
        return self._reached() >= position

    def wait_for(self, position: int, seconds: float | None = None) -> bool:
        """The same once it is so, False when that takes longer than `seconds`, or else than our patience."""
        seconds = self.patience_seconds if seconds is None else seconds
        deadline = time.monotonic() + seconds
        pause = 0.005
        if self._follower is not None:
            self._follower.wake()
        while True:
            # The follower in this process is told at once; one in another process is seen by its bookmark.
            if self._follower is not None and self._follower.wait_for(position, min(seconds, pause)):
                return True
            if self._reached() >= position:
                return True
            if time.monotonic() >= deadline:
                return False
            if self._follower is None:
                time.sleep(pause)
            pause = min(pause * 2, 0.05)

    def _reached(self) -> int:
        with self._database.connection() as connection:
            row = connection.execute(
                "SELECT min(position) FROM projections WHERE live AND name = ANY(%s)", (self._names,)
            ).fetchone()
        return (row[0] if row else None) or 0
