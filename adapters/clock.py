"""The system clock in UTC. Tests pass another clock instead."""

from datetime import UTC, datetime
from functools import partial

from domain.ports import Clock

utc_now: Clock = partial(datetime.now, UTC)
