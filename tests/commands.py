"""Runs commands of `storyledger` inside this process, which is much faster than a process for each."""

from __future__ import annotations

import gc
import io
import logging
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

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


def run_here(*arguments: str | Path, **settings: Any) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with settings as keywords. `tests.processes.run` runs it in its own process."""
    words, exit_code = ["storyledger", *map(str, arguments)], 0
    output, errors = _captured(), _captured()
    terminate = signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as patch, restored_logging(), redirect_stdout(output), redirect_stderr(errors):
        for name, value in environment(settings).items():
            patch.setenv(name, value)
        patch.setattr("sys.argv", words)
        try:
            main()
        except SystemExit as ended:
            exit_code = int(ended.code or 0)
        finally:
            signal.signal(signal.SIGTERM, terminate)
            # `serve` disables the garbage collector at its start.
            gc.enable()
    return subprocess.CompletedProcess(words, exit_code, _text(output), _text(errors))


def _captured() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), write_through=True)


def _text(captured: io.TextIOWrapper) -> str:
    captured.seek(0)
    return captured.read()
