"""The table of health samples: one row for each part and minute, kept a little longer than the day that is shown."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.types.json import Jsonb

from adapters.health.parts import Measured, Part, State
from adapters.postgres.database import Database

MINUTE = timedelta(minutes=1)
KEPT = timedelta(hours=25)
# The clocks of processes differ by less. Rows with later times come from a clock that was wrong.
MOST_CLOCK_SKEW = timedelta(minutes=2)

_CLAIM = (
    "INSERT INTO health_samples (at, part) SELECT %s, unnest(%s::text[]) ON CONFLICT (at, part) DO NOTHING"
    " RETURNING part"
)
_STORE = (
    "UPDATE health_samples s SET state = m.state, measures = m.measures"
    " FROM unnest(%s::text[], %s::text[], %s::jsonb[]) AS m (part, state, measures)"
    " WHERE s.at = %s AND s.part = m.part"
)
_PURGE = "DELETE FROM health_samples WHERE at < %s OR at > %s"
# Samples of successive minutes with the same state have the same difference between their time and their number.
_RUNS = (
    "SELECT part, runs.state, first, last, samples.measures FROM ("
    "SELECT part, state, min(at) AS first, max(at) AS last FROM ("
    "SELECT at, part, state, at - row_number() OVER (PARTITION BY part, state ORDER BY at) * interval '1 minute' AS run"
    " FROM health_samples WHERE at BETWEEN %s AND %s AND state IS NOT NULL) AS numbered"
    " GROUP BY part, state, run) AS runs JOIN health_samples AS samples USING (part)"
    " WHERE samples.at = last ORDER BY part, first"
)
_OUTAGES = (
    "SELECT checked_at - make_interval(secs => away_seconds), checked_at FROM health_checks"
    " WHERE outcome = 'back' AND checked_at BETWEEN %s AND %s AND away_seconds IS NOT NULL ORDER BY checked_at"
)


@dataclass(frozen=True)
class Run:
    """Successive minutes from `first` to `last` in which a part had the same state, with its last figures."""

    state: State
    first: datetime
    last: datetime
    measures: Mapping[str, float]


def minute_of(moment: datetime) -> datetime:
    """Return the beginning of the minute."""
    return moment.replace(second=0, microsecond=0)


class HealthRecords:
    """Any number of processes may write: a part belongs in each minute to the process that claims it first."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, minute: datetime, parts: Iterable[Part]) -> list[Part]:
        """Return the parts that nobody has claimed in this minute."""
        rows = self._database.rows(_CLAIM, (minute, list(parts)))
        return [Part(part) for (part,) in rows]

    def store(self, minute: datetime, measured: Mapping[Part, Measured]) -> None:
        """Store the samples of claimed parts, and delete old ones."""
        states = [each.state for each in measured.values()]
        measures = [Jsonb(dict(each.measures)) for each in measured.values()]
        with self._database.transaction() as cursor:
            cursor.execute(_STORE, (list(measured), states, measures, minute))
            cursor.execute(_PURGE, (minute - KEPT, minute + MOST_CLOCK_SKEW))

    def runs(self, now: datetime) -> dict[Part, list[Run]]:
        """Return what is kept about each part until now, the oldest first.

        While the database is away nothing can be recorded. When it is back, the watchdogs note for how long it was.
        """
        runs: dict[Part, list[Run]] = defaultdict(list)
        with self._database.snapshot() as cursor:
            for part, state, first, last, measures in cursor.execute(_RUNS, (now - KEPT, now)).fetchall():
                runs[Part(part)].append(Run(State(state), first, last, measures))
            for first, last in cursor.execute(_OUTAGES, (now - KEPT, now)).fetchall():
                runs[Part.DATABASE].append(Run(State.FAILS, minute_of(first), minute_of(last), {}))
        runs[Part.DATABASE].sort(key=lambda run: (run.last, run.first))
        return dict(runs)
