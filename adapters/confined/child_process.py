"""Runs work on an untrusted file in a child process with limits on time, memory and output."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from adapters.confined.confinement import Measure
from adapters.confined.errors import ChildCrashed, ChildInterrupted, ChildOutOfCpuTime, ChildTimedOut, InputRefused

ROOT = Path(__file__).parents[2]

START = "from adapters.confined.child_main import main; main()"

# The environment variables that a child needs to find its libraries. It gets no other, so no key or password.
KEPT_ENVIRONMENT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")

# The limit of a child's whole answer, ten times the size of the longest transcript.
MAX_ANSWER_BYTES = 32 * 1024 * 1024

EXIT_SECONDS = 5.0

# How often a caller that waits for a child may stop waiting.
WAITING_SECONDS = 1.0


@dataclass(frozen=True)
class Limits:
    """The limits of one child process: CPU time, wall-clock time, memory, and size of the output file."""

    cpu_seconds: int
    wall_seconds: int
    memory_mb: int
    output_mb: int = 0


REPORT_LIMITS = Limits(cpu_seconds=10, wall_seconds=30, memory_mb=256)


def run_child(
    job: str,
    source: BinaryIO,
    arguments: Mapping[str, Any],
    limits: Limits,
    *,
    output: BinaryIO | None = None,
    readable: Iterable[Path] = (),
    waiting: Callable[[], None] = lambda: None,
) -> Any:
    """Run `job` in a child process and return its result. Raise InputRefused or ChildCrashed if there is none.

    `waiting` is called every second, and may raise. The child has ended when this returns. It reads the file
    through the descriptor without moving its position. It is confined (`confinement.py`): beside its libraries it can
    open only files below `readable`, for reading.
    """
    source.flush()
    request = {
        "job": job,
        "source": source.fileno(),
        "output": None if output is None else output.fileno(),
        "arguments": dict(arguments),
        "readable": [str(path) for path in readable],
        "parent": os.getpid(),
        "cpu_seconds": limits.cpu_seconds,
        "wall_seconds": limits.wall_seconds,
        "memory_bytes": limits.memory_mb * 1024 * 1024,
        "output_bytes": limits.output_mb * 1024 * 1024,
    }
    inherited = [source.fileno()] if output is None else [source.fileno(), output.fileno()]
    try:
        child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-c", START, json.dumps(request)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=inherited,
            cwd=ROOT,
            env=child_environment(),
            start_new_session=True,  # Ctrl+C then reaches only the parent, which ends the child
        )
    except OSError:
        raise ChildInterrupted("the child could not be started") from None
    try:
        return _result(child, time.monotonic() + limits.wall_seconds, waiting)
    finally:
        child.kill()
        child.wait()
        if child.stdout is not None:
            child.stdout.close()


def measures_in_force(readable: Iterable[Path] = ()) -> list[Measure]:
    """Return what confines the child processes on this machine, as one of them reports it."""
    with Path(os.devnull).open("rb") as nothing:
        report = run_child("confinement", nothing, {}, REPORT_LIMITS, readable=readable)
    return [Measure(measure) for measure in report]


def child_environment() -> dict[str, str]:
    # The numerical libraries reserve memory for each thread, which counts against the limit.
    return {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ} | {"OPENBLAS_NUM_THREADS": "1"}


def _result(child: subprocess.Popen[bytes], deadline: float, waiting: Callable[[], None]) -> Any:
    started = False
    for line in _lines(child, deadline, waiting):
        match json.loads(line):
            case {"started": True}:
                started = True
            case {"refused": str(code)}:
                raise InputRefused(code)
            case {"result": result}:
                return result
            case _:
                raise ChildCrashed("the child sent a line of unknown shape")
    # The child has closed the pipe, so it is about to exit. If it does not, the caller kills it.
    with suppress(subprocess.TimeoutExpired):
        child.wait(EXIT_SECONDS)
    if child.returncode == -signal.SIGXCPU:
        raise ChildOutOfCpuTime("the child used up its CPU time")
    if not started or child.returncode in (-signal.SIGKILL, -signal.SIGTERM):
        raise ChildInterrupted("the child was stopped from outside")
    raise ChildCrashed("the child ended without an answer")


def _lines(child: subprocess.Popen[bytes], deadline: float, waiting: Callable[[], None]) -> Iterator[bytes]:
    """Yield the lines of the child's answer as they arrive. Raise ChildTimedOut at the deadline."""
    if child.stdout is None:
        raise ChildCrashed("the child has no pipe")
    pipe = child.stdout.fileno()
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    pending, total = b"", 0
    while True:
        left = max(deadline - time.monotonic(), 0)
        if not poll.poll(min(left, WAITING_SECONDS) * 1000):
            if left <= WAITING_SECONDS:
                raise ChildTimedOut("the child did not finish in time")
            waiting()
            continue
        block = os.read(pipe, 65536)
        if not block:
            return
        total += len(block)
        if total > MAX_ANSWER_BYTES:
            raise ChildCrashed("the answer is too long")
        *whole, pending = (pending + block).split(b"\n")
        yield from whole
