"""Bar charts of figures: the geometry of a chart, which a template draws as SVG."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 720, 300
TOP, BOTTOM, RIGHT = 12, 34, 8
TICKS = 5
# The width of a character of a label, at most, and the space between two labels.
CHARACTER, SPACE = 7.6, 10
# So that an amount which is not zero can be seen.
LEAST_HEIGHT = 1.0


@dataclass(frozen=True)
class Value:
    """One column of the chart: its label, and its amounts in the minor unit.

    `inflow` has what is drawn above zero and `outflow` what is drawn below it, each by its kind. A negative amount is
    drawn on the other side.
    """

    label: str
    inflow: dict[str, int]
    outflow: dict[str, int]
    net: int


@dataclass(frozen=True)
class Bar:
    kind: str
    y: float
    height: float


@dataclass(frozen=True)
class Column:
    """A column at its place; `label` is None if there is no room for it."""

    value: Value
    x: float
    middle: float
    label: str | None
    bars: Sequence[Bar]
    net_y: float


@dataclass(frozen=True)
class Tick:
    y: float
    label: str
    is_zero: bool


@dataclass(frozen=True)
class Chart:
    """A chart in a box of `width` and `height`, whose columns are `bar_width` wide and begin at `left`."""

    left: float
    bar_width: float
    ticks: Sequence[Tick]
    columns: Sequence[Column]
    width: int = WIDTH
    height: int = HEIGHT
    right: int = WIDTH - RIGHT
    label_y: int = HEIGHT - 12


def axis(low: int, high: int) -> list[int]:
    """Return about five round numbers from at most `low` to at least `high`, one of which is zero."""
    low, high = min(low, 0), max(high, 0)
    rough = max(1, high - low) / TICKS
    power = 10 ** math.floor(math.log10(rough))
    step = max(1, math.ceil(next(factor for factor in (1, 2, 5, 10) if factor * power >= rough) * power))
    lowest, highest = low // step * step, -(-high // step) * step
    return list(range(lowest, max(highest, lowest + step) + 1, step))


def bar_chart(values: Sequence[Value], amount: Callable[[int], str]) -> Chart:
    """Return the chart of the values, which are at least one; `amount` writes an amount on the axis."""
    stacks = [_stacked(value) for value in values]
    reached = [end for stack in stacks for _, start, stop in stack for end in (start, stop)]
    ticks = axis(min([0, *reached]), max([0, *reached]))
    left = _widest(amount(tick) for tick in ticks) + SPACE
    scale = (HEIGHT - TOP - BOTTOM) / (ticks[-1] - ticks[0])
    slot = (WIDTH - RIGHT - left) / len(values)
    every = math.ceil((_widest(value.label for value in values) + SPACE) / slot)

    def y(minor: int) -> float:
        return round(TOP + (ticks[-1] - minor) * scale, 2)

    def bar(kind: str, low: int, high: int) -> Bar:
        height = max(LEAST_HEIGHT, round(y(low) - y(high), 2))
        return Bar(kind, round(y(low) - height, 2) if high > 0 else y(high), height)

    def columns() -> Iterator[Column]:
        for number, (value, stack) in enumerate(zip(values, stacks, strict=True)):
            x = left + number * slot
            bars = [bar(*part) for part in stack]
            label = value.label if number % every == 0 else None
            yield Column(value, round(x + slot * 0.15, 2), round(x + slot / 2, 2), label, bars, y(value.net))

    return Chart(
        round(left, 2),
        round(slot * 0.7, 2),
        [Tick(y(tick), amount(tick), tick == 0) for tick in ticks],
        list(columns()),
    )


def _widest(labels: Iterable[str]) -> float:
    return max(map(len, labels)) * CHARACTER


def _stacked(value: Value) -> list[tuple[str, int, int]]:
    """Return the kind, the lower and the upper end of each part that is not zero."""
    parts, above, below = [], 0, 0
    for kind, amount in [*value.inflow.items(), *((kind, -minor) for kind, minor in value.outflow.items())]:
        if amount > 0:
            parts.append((kind, above, above + amount))
            above += amount
        elif amount < 0:
            parts.append((kind, below + amount, below))
            below += amount
    return parts
