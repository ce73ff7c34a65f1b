"""The choice of a QR code's mask as the standard has it, a whole row at a time: an integer holds it, a bit a module."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from qrcode.main import QRCode
from qrcode.util import mask_func

MASKS = range(8)
Lines = list[int]


class Code(QRCode):  # type: ignore[misc]  # qrcode brings no types
    """qrcode's code with the same choice of mask, made in a fraction of the time."""

    def map_data(self, data: Any, mask_pattern: int) -> None:
        self._free = [[module is None for module in row] for row in self.modules]
        super().map_data(data, mask_pattern)

    def best_mask_pattern(self) -> int:
        """The mask with the fewest marks against it, the first of equals."""
        marks = self.marks()
        return marks.index(min(marks))

    def marks(self) -> list[int]:
        """What the standard counts against each mask: long runs, blocks, false finders, more dark than light."""
        self.makeImpl(True, 0)
        size = self.modules_count
        free, drawn = _both_ways(self._free), _both_ways(self.modules)
        marks = []
        for mask in MASKS:
            rows, columns = (
                # A mask turns over the free modules it covers: turn mask 0's back and this one's over in one step.
                [line ^ (free_line & mask_line) for line, free_line, mask_line in zip(*lines, strict=True)]
                for lines in zip(drawn, free, _instead_of_the_first(mask, size), strict=True)
            )
            marks.append(_marks_along(rows, size) + _marks_along(columns, size) + _marks_across(rows, size))
        return marks


@lru_cache(maxsize=8 * 40)
def _instead_of_the_first(mask: int, size: int) -> tuple[Lines, Lines]:
    first, other = mask_func(0), mask_func(mask)
    return _both_ways([[first(row, column) != other(row, column) for column in range(size)] for row in range(size)])


def _both_ways(grid: Sequence[Sequence[bool | None]]) -> tuple[Lines, Lines]:
    """The grid's rows and its columns."""
    return [_bits(row) for row in grid], [_bits(column) for column in zip(*grid, strict=True)]


def _bits(line: Iterable[bool | None]) -> int:
    return int("".join(["1" if dark else "0" for dark in line]), 2)


def _marks_along(lines: Lines, size: int) -> int:
    """Runs of five and more of one colour, and what looks like a finder between light modules, in each line."""
    whole = (1 << size) - 1
    marks = 0
    for dark in lines:
        light = dark ^ whole
        for color in (dark, light):
            pairs = color & color >> 1
            fives = pairs & pairs >> 2 & color >> 4
            if fives:
                # A run of n has n - 4 windows of five in it and costs n - 2.
                marks += fives.bit_count() + 2 * (fives & ~(fives << 1)).bit_count()
        finders = dark & light >> 1 & dark >> 2 & dark >> 3 & dark >> 4 & light >> 5 & dark >> 6
        if finders:
            lights = light & light >> 1 & light >> 2 & light >> 3
            marks += 40 * ((finders & lights >> 7).bit_count() + (finders & lights << 4).bit_count())
    return marks


def _marks_across(rows: Lines, size: int) -> int:
    """Blocks of two by two of one colour, and every twentieth by which dark and light part from halves."""
    pairs = (1 << size - 1) - 1
    marks = 0
    alike = [~(row ^ row >> 1) & pairs for row in rows]
    for above, below, alike_above, alike_below in zip(rows, rows[1:], alike, alike[1:], strict=False):
        marks += 3 * (alike_above & alike_below & ~(above ^ below)).bit_count()
    dark = sum(row.bit_count() for row in rows)
    return marks + 10 * int(abs(dark / size**2 * 100 - 50) / 5)
