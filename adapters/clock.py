"""The clock of the machine, which tests replace."""

from datetime import UTC, datetime
from functools import partial

from domain.ports import Clock

utc_now: Clock = partial(datetime.now, UTC)
