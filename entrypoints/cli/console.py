"""Printing for people and for programs, and the two ways in which a command fails."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from typer import BadParameter
from typer.core import TyperGroup

# The title of a column that holds times ends with this.
UTC = "(UTC)"


class UsageError(Exception):
    """The command was called with wrong arguments: exit 2."""


class CommandFailed(Exception):
    """The command could not do its work, or it found a fault that it was asked to look for: exit 1."""


def fail(error: Exception, exit_code: int) -> NoReturn:
    print(f"storyledger: {error}", file=sys.stderr)  # noqa: T201
    sys.exit(exit_code)


@contextmanager
def _ending_with_reader() -> Iterator[None]:
    """Exit as other programs do if the program that reads our output, such as `head`, has ended."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still buffered has no reader; Python would write it at the exit and report the error again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)


class Commands(TyperGroup):
    """The group of all commands, which ends without an error together with the reader of its output.

    Its errors are those of typer without the name of the exception that pydantic puts before a wrong choice.
    """

    def make_context(self, *args: Any, **options: Any) -> Any:
        with _ending_with_reader():
            return super().make_context(*args, **options)

    def invoke(self, ctx: Any) -> Any:
        with _ending_with_reader():
            try:
                return super().invoke(ctx)
            except BadParameter as error:
                error.message = error.message.removeprefix("Value error, ")
                raise


def warn(text: str) -> None:
    print(f"storyledger: warning: {text}", file=sys.stderr)  # noqa: T201


def print_line(text: str) -> None:
    print(text, flush=True)  # noqa: T201


def print_json(value: object) -> None:
    """Print one JSON document; decimals keep every digit."""
    import msgspec

    sys.stdout.buffer.write(
        msgspec.json.format(msgspec.json.Encoder(decimal_format="number", enc_hook=str).encode(value), indent=2) + b"\n"
    )
    sys.stdout.buffer.flush()


def minute(time: str | None) -> str | None:
    """Return an ISO time as tables show it, cut after the minute."""
    return time and time[:16].replace("T", " ")


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table on a terminal, and elsewhere one line for each row with tabs between its cells.

    In a table, the first column, which people copy into the next command, and times are never wrapped.
    """
    cells = [["" if value is None else _printable(str(value)) for value in row] for row in rows]
    if not sys.stdout.isatty():
        for row in cells:
            print_line("\t".join(row))
        return

    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for number, column in enumerate(columns):
        unwrapped = number == 0 or column.endswith(UTC)
        table.add_column(column, overflow="fold", no_wrap=unwrapped, min_width=max(map(len, column.split()), default=0))
    for row in cells:
        table.add_row(*map(Text, row))
    Console().print(table)


def _printable(text: str) -> str:
    """Replace control characters, which would steer the terminal, by spaces."""
    return "".join(character if character.isprintable() else " " for character in text)


class ProgressBar:
    """A progress bar on a terminal, and nothing elsewhere; the total of a step may change while it runs."""

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

    def __enter__(self) -> ProgressBar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, step: str, done: int, total: int) -> None:
        if step not in self._tasks:
            self._tasks[step] = self._progress.add_task(step, total=total)
        self._progress.update(self._tasks[step], completed=done, total=max(total, done))
