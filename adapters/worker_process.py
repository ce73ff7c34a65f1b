"""Worker processes: a command that has much to compute starts them, to use more than one processor."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
# The variables that a worker needs to find its libraries; secrets are passed on standard input.
ENVIRONMENT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "HOME")


class WorkerEnded(Exception):
    """A worker process ended before its task was complete."""

    def __init__(self, task: str) -> None:
        super().__init__(f"a process that {task} ended before it was complete: please try again")


@contextmanager
def worker_process(code: str, assignment: Mapping[str, object]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process whose code calls `assigned`; it is killed at the end of the block.

    Its standard input stays open: when this process ends in any way, the worker reads the end of its input.
    """
    libpq = {name: value for name, value in os.environ.items() if name.startswith("PG")}
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own module
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        env={name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
        start_new_session=True,  # an interrupt at the keyboard reaches only this process, which ends the worker
    )
    assert process.stdin is not None and process.stdout is not None  # noqa: PT018
    try:
        # A worker that has ended is noticed when its result is needed.
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps({"libpq": libpq, **assignment}).encode() + b"\n")
            process.stdin.flush()
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        with suppress(BrokenPipeError):
            process.stdin.close()


def assigned() -> Any:
    """Return the assignment of this process, which from now on finds the database as the process that started it."""
    assignment = json.loads(sys.stdin.buffer.readline())
    os.environ.update(assignment["libpq"])
    return assignment
