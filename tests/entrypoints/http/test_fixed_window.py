"""Fixed windows are counted in this process."""

from __future__ import annotations

from limits import parse

from entrypoints.http.fixed_window import MIN_WINDOWS, FixedWindows
from tests.fakes.clock import StandingClock

TWICE_A_MINUTE = parse("2/minute")


def test_a_window_begins_with_its_first_call_and_allows_the_limit(clock: StandingClock):
    counted = FixedWindows()
    assert [counted.hit(TWICE_A_MINUTE, "default", "ada") for _ in range(3)] == [True, True, False]
    assert counted.get_window_stats(TWICE_A_MINUTE, "default", "ada") == (1_060.0, 0)
    clock.now += 59.9
    assert not counted.hit(TWICE_A_MINUTE, "default", "ada")
    clock.now += 0.1
    assert counted.hit(TWICE_A_MINUTE, "default", "ada")
    assert counted.get_window_stats(TWICE_A_MINUTE, "default", "ada") == (1_120.0, 1)


def test_clients_and_limits_are_counted_apart(clock: StandingClock):
    counted, hourly = FixedWindows(), parse("1/hour")
    counters = [("default", "ada"), ("default", "grace"), ("create", "ada")]
    assert all(counted.hit(hourly, *counter) for counter in counters)
    assert not any(counted.hit(hourly, *counter) for counter in counters)
    assert counted.hit(TWICE_A_MINUTE, "default", "ada")


def test_windows_that_are_over_are_removed_and_the_others_stay(clock: StandingClock):
    counted, hourly = FixedWindows(), parse("1/hour")
    assert counted.hit(hourly, "default", "ada")
    for number in range(3 * MIN_WINDOWS):
        clock.now += 0.1
        assert counted.hit(TWICE_A_MINUTE, "default", str(number))
    assert len(counted._windows) <= 2 * MIN_WINDOWS
    assert not counted.hit(hourly, "default", "ada")
