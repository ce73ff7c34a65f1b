"""Handlers of the record of the last day: the page of the desk, and its JSON for operators."""

from collections.abc import Iterator
from dataclasses import dataclass

from adapters.clock import utc_now
from adapters.health.parts import State
from adapters.health.records import HealthRecords
from adapters.health.strips import SLOTS, Strip
from adapters.localisation import format_number, in_utc, supported_language
from domain.ports import Clock
from domain.values import Role
from entrypoints.http.desk import Desk
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import page_language
from entrypoints.presentation.health_history import (
    BAR_HEIGHTS,
    HEIGHT,
    SLOT_WIDTH,
    STATE_NAMES,
    HealthHistory,
    PartHealth,
    measure_lines,
    part_strips,
    strips,
    ticks,
)

# In this order under the strips.
LEGEND = (State.WORKS, State.SLOW, State.FAILS, State.OFF)


@dataclass(frozen=True)
class HealthHistoryHandlers:
    records: HealthRecords
    desk: Desk
    now: Clock = utc_now

    def report(self, _: Call) -> HealthHistory:
        now = self.now()
        return HealthHistory(
            [PartHealth.of(part, strip) for part, strip in strips(self.records.runs(now), now).items()]
        )

    def show(self, call: Call) -> Answer[bytes]:
        """Show members the states, and operators the figures as well."""
        now, language = self.now(), supported_language(page_language(call))
        shown = strips(self.records.runs(now), now)
        return self.desk.page(
            call,
            "health.html",
            parts_of_service=part_strips(shown, now),
            bad=sum(strip.state in (State.SLOW, State.FAILS) for strip in shown.values()),
            has_record=any(strip.state is not None for strip in shown.values()),
            shows_measures=call.principal.role is not Role.MEMBER,
            state_names=STATE_NAMES,
            legend=LEGEND,
            measure_lines=measure_lines,
            clock=lambda moment: f"{in_utc(moment):%H:%M}",
            ticks=ticks(now),
            hours=_hours,
            hours_text=lambda hours: format_number(hours, language),
            width=SLOTS * SLOT_WIDTH,
            height=HEIGHT,
            bar_heights=BAR_HEIGHTS,
        )


def _hours(strip: Strip) -> Iterator[tuple[State | None, float]]:
    """Yield each state of the last day with its number of hours."""
    for state in (*LEGEND, None):
        lengths = [each.end - each.start for each in strip.stretches if each.state is state]
        if lengths:
            yield state, sum(length.total_seconds() for length in lengths) / 3600
