"""Runs commands of `storyledger` inside this process, which is much faster than a process for each."""

from __future__ import annotations

import gc
import io
import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import pytest
import structlog

from entrypoints.cli import main
from tests.processes import environment


@contextmanager
def restored_logging() -> Iterator[None]:
    """Undo at the end the logging that a command configures for the whole process."""
    configure, root = structlog.configure, logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with pytest.MonkeyPatch.context() as patch:
        # A cached logger would later write to the captured output of this test, which is closed by then.
        patch.setattr(
            structlog, "configure", lambda **options: configure(**options | {"cache_logger_on_first_use": False})
        )
        patch.setattr(threading, "excepthook", threading.excepthook)
        yield
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level


class _OfTheCommand:
    """Takes what the command's own threads write; what others write meanwhile goes where it went before."""

    def __init__(self, threads: set[threading.Thread], others: TextIO) -> None:
        self._threads, self._others = threads, others
        self._own = io.TextIOWrapper(io.BytesIO(), write_through=True)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own if threading.current_thread() in self._threads else self._others, name)

    def text(self) -> str:
        self._own.seek(0)
        return self._own.read()


@contextmanager
def _own_threads() -> Iterator[set[threading.Thread]]:
    """Yield the present thread and all that it starts, directly or indirectly."""
    own, start = {threading.current_thread()}, threading.Thread.start

    def started(thread: threading.Thread) -> None:
        if threading.current_thread() in own:
            own.add(thread)
        start(thread)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", started)
        yield own


def run_here(*arguments: str | Path, **settings: Any) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with settings as keywords. `tests.processes.run` runs it in its own process."""
    words, exit_code = ["storyledger", *map(str, arguments)], 0
    terminate = signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as patch, restored_logging(), _own_threads() as threads:
        output, errors = (_OfTheCommand(threads, stream) for stream in (sys.stdout, sys.stderr))
        patch.setattr("sys.stdout", output)
        patch.setattr("sys.stderr", errors)
        for name, value in environment(settings).items():
            patch.setenv(name, value)
        patch.setattr("sys.argv", words)
        patch.setattr("sys.unraisablehook", sys.unraisablehook)
        try:
            main()
        except SystemExit as ended:
            exit_code = int(ended.code or 0)
        finally:
            signal.signal(signal.SIGTERM, terminate)
            # `serve` disables the garbage collector at its start.
            gc.enable()
    return subprocess.CompletedProcess(words, exit_code, output.text(), errors.text())
