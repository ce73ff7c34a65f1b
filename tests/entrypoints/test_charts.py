"""A chart has round numbers beside it, bars in proportion to their amounts, and no two labels over each other."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrypoints.presentation.charts import CHARACTER, HEIGHT, LEAST_HEIGHT, WIDTH, Value, axis, bar_chart

AMOUNTS = st.integers(-(10**15), 10**15)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 0, [0, 1]), (0, 7, [0, 2, 4, 6, 8]), (-3, 12, [-5, 0, 5, 10, 15]), (-99, 0, [-100, -80, -60, -40, -20, 0]),
        (0, 123_456, [0, 50_000, 100_000, 150_000]),
    ],
)  # fmt: skip
def test_an_axis_has_round_numbers(low: int, high: int, ticks: list[int]):
    assert axis(low, high) == ticks


@given(low=AMOUNTS, high=AMOUNTS)
def test_an_axis_covers_all_amounts_and_zero_in_few_equal_steps(low: int, high: int):
    ticks = axis(min(low, high), max(low, high))
    assert ticks[0] <= min(low, high, 0)
    assert ticks[-1] >= max(low, high, 0)
    assert 0 in ticks
    assert 2 <= len(ticks) <= 8
    assert len({after - before for before, after in pairwise(ticks)}) == 1


@given(amounts=st.lists(st.tuples(AMOUNTS, AMOUNTS, AMOUNTS), min_size=1, max_size=60))
def test_bars_are_as_high_as_their_amounts_and_stay_in_the_chart(amounts: list[tuple[int, int, int]]):
    values = [
        Value("1 Jan", {"paid": paid}, {"refunded": back, "disputed": lost}, paid - back - lost)
        for paid, back, lost in amounts
    ]
    chart = bar_chart(values, str)
    zero = next(tick.y for tick in chart.ticks if tick.is_zero)
    scale = max(abs(tick.y - zero) for tick in chart.ticks) / max(abs(int(tick.label)) for tick in chart.ticks)
    for column, (paid, back, lost) in zip(chart.columns, amounts, strict=True):
        heights = {bar.kind: bar.height for bar in column.bars}
        shown = {"paid": paid, "refunded": -back, "disputed": -lost}
        for kind, amount in shown.items():
            height = max(abs(amount) * scale, LEAST_HEIGHT) if amount else 0
            assert heights.get(kind, 0) == pytest.approx(height, abs=0.1)
        for bar in column.bars:
            assert 0 <= bar.y < bar.y + bar.height <= HEIGHT
            assert (bar.y < zero) == (shown[bar.kind] > 0)
        assert chart.left <= column.x <= column.x + chart.bar_width <= WIDTH
    labelled = [column for column in chart.columns if column.label]
    assert all(b.middle - a.middle > len("1 Jan") * CHARACTER for a, b in pairwise(labelled))


def test_an_amount_that_is_small_beside_the_others_can_still_be_seen():
    values = [Value("a", {"paid": 10**9}, {}, 10**9), Value("b", {"paid": 1}, {}, 1), Value("c", {"paid": 0}, {}, 0)]
    assert [[bar.height >= LEAST_HEIGHT for bar in column.bars] for column in bar_chart(values, str).columns] == [
        [True], [True], [],
    ]  # fmt: skip
