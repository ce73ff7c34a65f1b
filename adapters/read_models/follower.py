"""The live follower: takes new events into every live build, each projection exactly once however many run."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
import structlog
from psycopg import Connection, Cursor
from psycopg.rows import TupleRow

from adapters.database import AWAY, Database, connect
from adapters.event_store import log as event_log
from adapters.read_models import builds
from projections.model import Projection, Recorded

PAGE_EVENTS = 2_000
# A wake-up can be lost; a look at the history now and then cannot.
POLL_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 30.0

logger = structlog.get_logger()


@dataclass
class _Trouble:
    """A projection whose fold failed: left alone until `again`, so that it holds up only itself."""

    failures: int = 0
    again: float = 0.0


class Follower:
    """Runs in a thread of its own between `start` and `stop`; any number may run on any number of machines."""

    def __init__(self, url: str, projections: Sequence[Projection]) -> None:
        self._url = url
        self._projections = projections
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._moved = threading.Condition()
        self._position = 0
        self._trouble = {projection.NAME: _Trouble() for projection in projections}
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)
        self._thread.start()
        self._listener = threading.Thread(target=self._listen, name="follower-wake-up", daemon=True)
        self._listener.start()

    def stop(self) -> None:
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
            self._listener.join(timeout=5)

    def wake(self) -> None:
        """Say that there is something new; costs nothing."""
        self._wake.set()

    def wait_for(self, position: int, seconds: float) -> bool:
        """Whether this follower has taken the history in up to `position`, waiting at most so long for it."""
        with self._moved:
            return self._moved.wait_for(lambda: self._position >= position, seconds)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with connect(self._url, name="storyledger follower") as connection:
                    self._follow(connection)
            except AWAY:
                self._stopping.wait(0.2)
            except psycopg.Error:
                logger.exception("follower failed")
                self._stopping.wait(1.0)

    def _follow(self, connection: Connection[TupleRow]) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            if not self.take_page(connection):
                self._wake.wait(POLL_SECONDS)

    def _listen(self) -> None:
        while not self._stopping.is_set():
            try:
                with connect(self._url, name="storyledger wake-up") as connection:
                    connection.execute("LISTEN events")
                    self._wake.set()
                    while not self._stopping.is_set():
                        for _ in connection.notifies(timeout=1.0, stop_after=1):
                            self._wake.set()
            except psycopg.Error:
                self._stopping.wait(0.2)

    def take_page(self, connection: Connection[TupleRow]) -> bool:
        """Take one page into the projections that are furthest behind; False if there was nothing new."""
        now = time.monotonic()
        ready = [p for p in self._projections if self._trouble[p.NAME].again <= now]
        try:
            with connection.transaction(), connection.cursor() as cursor:
                moved, position = self._take(cursor, ready)
        except (*AWAY, psycopg.errors.AdminShutdown):
            raise
        except Exception:
            if len(ready) == 1:
                self._set_aside(ready[0])
                return False
            moved_alone = [self._take_alone(connection, projection) for projection in ready]
            return any(moved_alone)
        if position is not None:
            for projection in ready:
                self._trouble[projection.NAME].failures = 0
            self._publish(position)
        return moved

    def _take_alone(self, connection: Connection[TupleRow], projection: Projection) -> bool:
        try:
            with connection.transaction(), connection.cursor() as cursor:
                moved, _ = self._take(cursor, [projection])
        except (*AWAY, psycopg.errors.AdminShutdown):
            raise
        except Exception:
            self._set_aside(projection)
            return False
        return moved

    def _set_aside(self, projection: Projection) -> None:
        trouble = self._trouble[projection.NAME]
        trouble.failures += 1
        trouble.again = time.monotonic() + min(LONGEST_PAUSE_SECONDS, 0.5 * 2**trouble.failures)
        logger.exception("projection failed", projection=projection.NAME, failures=trouble.failures)

    def _take(self, cursor: Cursor[TupleRow], projections: Sequence[Projection]) -> tuple[bool, int | None]:
        """Whether anything moved, and the position that all of them have reached (None: somebody else follows)."""
        standing: dict[builds.Build, int] = {}
        for projection in projections:
            if (build := builds.find(cursor, projection, live=True)) is not None:
                position = builds.lock_bookmark(cursor, build)
                if position is not None:
                    standing[build] = position
        if not standing:
            return False, None
        least = min(standing.values())
        page = event_log.select(cursor.connection, "position > %s ORDER BY position LIMIT %s", (least, PAGE_EVENTS))
        if not page:
            return False, least if len(standing) == len(self._projections) else None
        recorded = [Recorded(entry.position, entry.recorded_at, entry.event()) for entry in page]
        upto = page[-1].position
        for build, position in standing.items():
            if position < upto:
                builds.fold_recorded(cursor, build, [r for r in recorded if r.position > position], upto)
        return True, upto if len(standing) == len(self._projections) else None

    def _publish(self, position: int) -> None:
        with self._moved:
            self._position = max(self._position, position)
            self._moved.notify_all()


class Waiter:
    """Lets a write wait until the read models have seen it, wherever they are followed."""

    def __init__(self, database: Database, names: Sequence[str], follower: Follower | None = None) -> None:
        self._database = database
        self._names = list(names)
        self._follower = follower

    def wait_for(self, position: int, seconds: float = 2.0) -> bool:
        """True once every live read model has reached `position`, False when that takes longer than `seconds`."""
        deadline = time.monotonic() + seconds
        pause = 0.002
        if self._follower is not None:
            self._follower.wake()
        while True:
            # The follower in this process is told at once; one in another process is seen by its bookmark.
            if self._follower is not None and self._follower.wait_for(position, min(seconds, 0.05)):
                return True
            if self._reached() >= position:
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(pause)
            pause = min(pause * 2, 0.05)

    def _reached(self) -> int:
        with self._database.connection() as connection:
            row = connection.execute(
                "SELECT min(position) FROM projections WHERE live AND name = ANY(%s)", (self._names,)
            ).fetchone()
        return (row[0] if row else None) or 0
