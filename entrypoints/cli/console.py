"""Printing for people and for programs, and the ways to end."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

# How the name of a column of times ends.
UTC = "(UTC)"
PIPED_WIDTH = 100


class Usage(Exception):
    """The command was called wrongly: exit 2."""


class Found(Exception):
    """Something is wrong, and saying so is the command's answer: exit 1."""


def fail(error: Exception, code: int) -> NoReturn:
    print(f"storyledger: {error}", file=sys.stderr)  # noqa: T201
    sys.exit(code)


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


def print_json(value: Any) -> None:
    """One JSON document, amounts digit for digit."""
    import msgspec

    sys.stdout.buffer.write(
        msgspec.json.format(msgspec.json.Encoder(decimal_format="number", enc_hook=str).encode(value), indent=2) + b"\n"
    )
    sys.stdout.buffer.flush()


def minute(time: str | None) -> str | None:
    """A time as people read it in a table; the JSON has all of it."""
    return time and time[:16].replace("T", " ")


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Neither the first column, which somebody copies into the next command, nor a time is ever broken."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for number, column in enumerate(columns):
        whole = number == 0 or column.endswith(UTC)
        drawn.add_column(column, overflow="fold", no_wrap=whole, min_width=max(map(len, column.split()), default=0))
    for row in rows:
        drawn.add_row(*(Text("" if value is None else _harmless(str(value))) for value in row))
    # Where nobody says how wide the other end is.
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPED_WIDTH
    Console(width=width).print(drawn)


def _harmless(text: str) -> str:
    """Without what would steer the terminal that shows it."""
    return "".join(character if character.isprintable() else " " for character in text)


class Bar:
    """A progress bar on a terminal, and nothing elsewhere; a step whose total changes is no trouble."""

    def __init__(self, *, shown: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not shown or not sys.stderr.isatty(),
        )
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, name: str, done: int, total: int) -> None:
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=total)
        self._progress.update(self._tasks[name], completed=done, total=max(total, done))
