"""Takes a sample of the health of each part in every minute."""

from collections.abc import Callable, Mapping

import structlog

from adapters.clock import utc_now
from adapters.health.parts import Measured, Part
from adapters.health.records import MINUTE, HealthRecords, minute_of
from adapters.observability.log_context import error_location
from adapters.postgres.background import BackgroundLoop
from domain.errors import UnavailableError
from domain.ports import Clock

logger = structlog.get_logger()


class HealthSampler(BackgroundLoop):
    """Runs between `start` and `stop` in any number of processes, of which one measures a part in each minute.

    `measures` has the parts that this process can measure. A part that cannot be measured has no sample, and does not
    stop those of the others.
    """

    def __init__(
        self,
        records: HealthRecords,
        measures: Mapping[Part, Callable[[], Measured]],
        now: Clock = utc_now,
    ) -> None:
        super().__init__("health sampler", self._sample_until_next)
        self._records = records
        self._measures = measures
        self._now = now

    def _sample_until_next(self) -> float:
        self.sample()
        now = self._now()
        return (minute_of(now) + MINUTE - now).total_seconds()

    def sample(self) -> None:
        """Measure what no process has measured in this minute."""
        minute = minute_of(self._now())
        claimed = self._records.claim(minute, self._measures)
        if claimed:
            measured = {part: found for part in claimed if (found := self._measured(part)) is not None}
            self._records.store(minute, measured)

    def _measured(self, part: Part) -> Measured | None:
        try:
            return self._measures[part]()
        except UnavailableError:
            return None
        except Exception as error:
            logger.error("part not measured", part=part.value, error=type(error).__name__, where=error_location(error))
            return None
