"""The projection barrier: waits until the read models have reached a position."""

import time
from collections.abc import Sequence

from adapters.postgres.database import Database
from adapters.read_models.follower import Follower


class ProjectionBarrier:
    """Lets a write wait for the read models, whichever process follows the event log."""

    max_wait_seconds = 2.0

    def __init__(self, database: Database, names: Sequence[str], follower: Follower | None = None) -> None:
        """`names` are the projections to wait for, and `follower` is that of this process, if it has one."""
        self._database = database
        self._names = list(names)
        self._follower = follower

    def has_reached(self, position: int) -> bool:
        """Return True if every live read model has reached `position`."""
        return self._position() >= position

    def wait_for(self, position: int, seconds: float | None = None) -> bool:
        """Wait up to `seconds`, by default `max_wait_seconds`. Return True if the read models reached the position."""
        seconds = self.max_wait_seconds if seconds is None else seconds
        deadline = time.monotonic() + seconds
        pause = 0.005
        if self._follower is not None:
            self._follower.wake()
        while True:
            # The follower of this process reports its position at once; that of another process is in the database.
            if self._follower is not None and self._follower.wait_for(position, min(seconds, pause)):
                return True
            if self._position() >= position:
                return True
            if time.monotonic() >= deadline:
                return False
            if self._follower is None:
                time.sleep(pause)
            pause = min(pause * 2, 0.05)

    def _position(self) -> int:
        row = self._database.row("SELECT min(position) FROM projections WHERE live AND name = ANY(%s)", (self._names,))
        return (row[0] if row else None) or 0
