"""The last day of each part in quarters of an hour, folded from the samples of its minutes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from adapters.health.parts import State
from adapters.health.records import KEPT, MINUTE, Run, minute_of

SLOT = timedelta(minutes=15)
SLOTS = 96
SLOT_MINUTES = SLOT // MINUTE
# A sample may come late, and one may be left out when the service is started anew.
MOST_MISSING_MINUTES = 1
CURRENT = timedelta(minutes=2)

# The worst state of a slot is shown. A time without a record (None) is worse than one in which everything worked.
BADNESS: Mapping[State | None, int] = {State.OFF: 0, State.WORKS: 1, None: 2, State.SLOW: 3, State.FAILS: 4}


@dataclass(frozen=True)
class Stretch:
    """Successive slots from `start` to `end` with the same state, or without a record (None).

    `measures` are the last figures that were recorded with this state until then.
    """

    start: datetime
    end: datetime
    state: State | None
    measures: Mapping[str, float]


@dataclass(frozen=True)
class Strip:
    """The state of a part now and since when, and its last day, without a gap between the stretches.

    `since` is None if the state has lasted for longer than the record goes back.
    """

    state: State | None
    since: datetime | None
    measures: Mapping[str, float]
    stretches: Sequence[Stretch]


def beginning(now: datetime) -> datetime:
    """Return the beginning of the first slot of the last day."""
    return _slot_of(now) - (SLOTS - 1) * SLOT


def strip_of(runs: Sequence[Run], now: datetime) -> Strip:
    """Fold the runs of a part, of which the last one ends last."""
    states = _states_by_minute(runs, now)
    last = next((minute for minute in range(len(states) - 1, -1, -1) if states[minute] is not None), None)
    if last is None or last < len(states) - 1 - CURRENT // MINUTE:
        ended = None if last is None else _origin(now) + (last + 1) * MINUTE
        return Strip(None, ended, {}, _stretches(states, None, runs, now))
    present = states[last]
    return Strip(present, _since(states, last, now), runs[-1].measures, _stretches(states, present, runs, now))


def _origin(now: datetime) -> datetime:
    """Return the first minute that is kept, which has the number 0."""
    return minute_of(now) - KEPT


def _states_by_minute(runs: Sequence[Run], now: datetime) -> list[State | None]:
    """Return the worst state of each minute until now: those that the watchdog noted later overlap with samples."""
    origin = _origin(now)
    states: list[State | None] = [None] * (KEPT // MINUTE + 1)
    for run in sorted(runs, key=lambda run: BADNESS[run.state]):
        first, last = max(0, (run.first - origin) // MINUTE), min(len(states) - 1, (run.last - origin) // MINUTE)
        if first <= last:
            states[first : last + 1] = [run.state] * (last - first + 1)
    return states


def _since(states: Sequence[State | None], last: int, now: datetime) -> datetime | None:
    """Return the first minute of the present state, None if nothing before it is kept."""
    first = minute = last
    while minute >= max(0, first - MOST_MISSING_MINUTES - 1):
        state = states[minute]
        if state is states[last]:
            first = minute
        elif state is not None:
            break
        minute -= 1
    return None if first <= CURRENT // MINUTE else _origin(now) + first * MINUTE


def _stretches(
    states: Sequence[State | None], present: State | None, runs: Sequence[Run], now: datetime
) -> list[Stretch]:
    stretches: list[tuple[datetime, datetime, State | None]] = []
    first = (beginning(now) - _origin(now)) // MINUTE
    end = beginning(now)
    for minute in range(first, first + SLOTS * SLOT_MINUTES, SLOT_MINUTES):
        state = _worst(states[minute : minute + SLOT_MINUTES], len(states) - 2 - minute, present)
        start = stretches.pop()[0] if stretches and stretches[-1][2] is state else end
        end += SLOT
        stretches.append((start, end, state))
    return [Stretch(*stretch, _last_measures(runs, *stretch)) for stretch in stretches]


def _worst(slot: Sequence[State | None], minutes_ago: int, present: State | None) -> State | None:
    """Return the worst state of a slot that began so many minutes before the present minute and the one before it.

    These two may still lack their samples.
    """
    expected = max(0, min(SLOT_MINUTES, minutes_ago))
    states: list[State | None] = [state for state in slot if state is not None]
    if not states:
        states.append(None if expected else present)
    elif expected - len(states) > MOST_MISSING_MINUTES:
        states.append(None)
    return max(set(states), key=BADNESS.__getitem__)


def _last_measures(runs: Sequence[Run], start: datetime, end: datetime, state: State | None) -> Mapping[str, float]:
    measures = [run.measures for run in runs if run.state is state and run.first < end and run.last >= start]
    return measures[-1] if measures else {}


def _slot_of(moment: datetime) -> datetime:
    return minute_of(moment) - timedelta(minutes=moment.minute % SLOT_MINUTES)
