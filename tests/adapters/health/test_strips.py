"""The strip of a part says for every quarter of an hour of the last day what the samples of its minutes say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from adapters.health.parts import State
from adapters.health.records import KEPT, MINUTE, Run
from adapters.health.strips import BADNESS, SLOT, SLOTS, Strip, beginning, strip_of

NOW = datetime(2026, 5, 4, 12, 7, 30, tzinfo=UTC)
THIS_MINUTE = NOW.replace(second=0)
MINUTES_KEPT = KEPT // MINUTE

# A history as lengths of time in minutes, each with a state or without a record, until now.
histories = st.lists(st.tuples(st.integers(1, 700), st.sampled_from([None, *State])), min_size=0, max_size=12)
moments = st.integers(0, 24 * 60 * 60 - 1).map(
    lambda seconds: datetime(2026, 5, 4, tzinfo=UTC) + timedelta(seconds=seconds)
)


def minutes_of(history: list[tuple[int, State | None]], now: datetime) -> list[State | None]:
    """Return the states of all minutes that are kept, the present one last."""
    states = [state for length, state in history for _ in range(length)][-MINUTES_KEPT:]
    return [None] * (MINUTES_KEPT - len(states)) + states


def runs_of(states: list[State | None], now: datetime) -> list[Run]:
    """Return the runs that the samples of these minutes make."""
    runs: list[Run] = []
    for number, state in enumerate(reversed(states)):
        minute = now.replace(second=0) - number * MINUTE
        if state is None:
            continue
        if runs and runs[-1].state is state and runs[-1].first == minute + MINUTE:
            runs[-1] = Run(state, minute, runs[-1].last, {})
        else:
            runs.append(Run(state, minute, minute, {}))
    return runs[::-1]


def strip(*history: tuple[int, State | None], now: datetime = NOW) -> Strip:
    return strip_of(runs_of(minutes_of(list(history), now), now), now)


@given(histories, moments)
def test_stretches_cover_the_last_day_without_gap_and_each_differs_from_the_one_before(history, now):
    stretches = strip(*history, now=now).stretches
    assert (stretches[0].start, stretches[-1].end) == (beginning(now), beginning(now) + SLOTS * SLOT)
    assert stretches[-1].end - SLOT <= now < stretches[-1].end
    for before, after in pairwise(stretches):
        assert before.end == after.start
        assert before.state is not after.state


@given(histories, moments)
def test_a_slot_has_the_worst_state_of_its_minutes(history, now):
    states = minutes_of(history, now)
    of_minute = {now.replace(second=0) - age * MINUTE: state for age, state in enumerate(reversed(states))}
    for stretch in strip(*history, now=now).stretches:
        start = stretch.start
        while start < stretch.end:
            minutes = [start + number * MINUTE for number in range(15)]
            recorded = [of_minute[minute] for minute in minutes if of_minute.get(minute) is not None]
            bad = [state for state in recorded if state in (State.SLOW, State.FAILS)]
            if bad:
                assert stretch.state is max(bad, key=BADNESS.__getitem__)
            elif not recorded:
                # The present slot may have begun just now.
                assert stretch.state is None or minutes[2] > now
            elif len(recorded) == 15:
                assert stretch.state is max(recorded, key=BADNESS.__getitem__)
            else:
                assert stretch.state in (None, *recorded)
            start += SLOT


@given(histories, moments)
def test_the_state_now_is_that_of_the_last_minutes(history, now):
    states = minutes_of(history, now)
    recent = next((state for state in reversed(states[-3:]) if state is not None), None)
    shown = strip(*history, now=now)
    assert shown.state is recent
    if shown.since is not None and shown.state is not None:
        of_run = states[-1 - (now.replace(second=0) - shown.since) // MINUTE :]
        assert {state for state in of_run if state is not None} == {shown.state}


def test_a_part_without_any_sample_has_no_record():
    shown = strip()
    assert (shown.state, shown.since) == (None, None)
    assert [stretch.state for stretch in shown.stretches] == [None]


def test_a_minute_without_a_sample_does_not_end_a_state():
    shown = strip((100, State.WORKS), (1, None), (50, State.WORKS))
    assert shown.since == THIS_MINUTE - 150 * MINUTE
    assert [stretch.state for stretch in shown.stretches] == [None, State.WORKS]


def test_two_minutes_without_a_sample_are_a_time_without_a_record():
    shown = strip((100, State.WORKS), (2, None), (50, State.WORKS))
    assert shown.since == THIS_MINUTE - 49 * MINUTE
    assert [stretch.state for stretch in shown.stretches] == [None, State.WORKS, None, State.WORKS]


def test_a_failure_is_shown_although_the_record_of_its_quarter_has_a_gap():
    shown = strip((1400, State.WORKS), (1, State.FAILS), (9, None), (60, State.WORKS))
    assert State.FAILS in [stretch.state for stretch in shown.stretches]


def test_a_quarter_of_an_hour_that_has_just_begun_has_the_present_state():
    just_begun = NOW.replace(minute=0, second=0)
    earlier = Run(State.WORKS, just_begun - 60 * MINUTE, just_begun - MINUTE, {})
    assert strip_of([earlier], just_begun).stretches[-1].state is State.WORKS


def test_a_record_that_ended_says_since_when():
    shown = strip((60, State.WORKS), (10, None))
    assert (shown.state, shown.since) == (None, THIS_MINUTE - 9 * MINUTE)


def test_a_state_that_is_older_than_the_record_has_no_beginning():
    shown = strip((MINUTES_KEPT, State.OFF))
    assert (shown.state, shown.since) == (State.OFF, None)
    assert [stretch.state for stretch in shown.stretches] == [State.OFF]


def test_an_outage_that_was_noted_later_is_worse_than_the_samples_of_its_minutes():
    outage = Run(State.FAILS, THIS_MINUTE - 30 * MINUTE, THIS_MINUTE - 28 * MINUTE, {})
    works = Run(State.WORKS, THIS_MINUTE - 60 * MINUTE, THIS_MINUTE, {})
    shown = strip_of([outage, works], NOW)
    assert (shown.state, shown.since) == (State.WORKS, THIS_MINUTE - 27 * MINUTE)
    assert [stretch.state for stretch in shown.stretches][-3:] == [State.WORKS, State.FAILS, State.WORKS]


def test_a_stretch_has_the_last_figures_of_its_state():
    late = Run(State.SLOW, THIS_MINUTE - 61 * MINUTE, THIS_MINUTE - 60 * MINUTE, {"oldest_seconds": 400.0})
    works = Run(State.WORKS, THIS_MINUTE - 59 * MINUTE, THIS_MINUTE, {"oldest_seconds": 2.0})
    shown = strip_of([late, works], NOW)
    assert [dict(stretch.measures) for stretch in shown.stretches] == [
        {},
        {"oldest_seconds": 400.0},
        {"oldest_seconds": 2.0},
    ]
