"""Work on a stranger's recording, done in a child process that cannot take more than it is given."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

ROOT = Path(__file__).parents[2]

# By import and not by `-m`, or the module would be there twice, with two classes of each name.
START = "from adapters.speech.child import main; main()"

# What a child needs of our environment to find its libraries; no key or password is among it.
KEPT_ENVIRONMENT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")

# A child's whole answer: the words of the longest recording are a tenth of this.
MAX_ANSWER_BYTES = 32 * 1024 * 1024

ENDING_SECONDS = 5.0


@dataclass(frozen=True)
class Limits:
    """What one child may use: computing time, time on the wall, memory, and bytes written to its output."""

    cpu_seconds: int
    wall_seconds: int
    memory_mb: int
    output_mb: int = 0


class ChildFailed(Exception):
    """There is no answer from the child."""


class ChildRefused(ChildFailed):
    """The child looked at the recording and says no; `code` is why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class ChildDied(ChildFailed):
    """The child ended without an answer: its memory ran out, or the recording broke it."""


class ChildInterrupted(ChildDied):
    """The child was stopped from outside, or could not even start: the recording has nothing to do with it."""


class ChildOverworked(ChildDied):
    """The child used up its computing time."""


class ChildTimedOut(ChildDied):
    """The child used up its time on the wall."""


def run_child(
    job: str,
    recording: BinaryIO,
    arguments: Mapping[str, Any],
    limits: Limits,
    *,
    report: Callable[[float], None] | None = None,
    output: BinaryIO | None = None,
) -> Any:
    """The child's answer to `job`; ChildRefused or ChildDied without one. No child outlives the call.

    The child reads the recording through the descriptor, without moving its position.
    """
    recording.flush()
    request = {
        "job": job,
        "recording": recording.fileno(),
        "output": None if output is None else output.fileno(),
        "arguments": dict(arguments),
        "parent": os.getpid(),
        "cpu_seconds": limits.cpu_seconds,
        "wall_seconds": limits.wall_seconds,
        "memory_bytes": limits.memory_mb * 1024 * 1024,
        "output_bytes": limits.output_mb * 1024 * 1024,
    }
    inherited = [recording.fileno()] if output is None else [recording.fileno(), output.fileno()]
    try:
        child = subprocess.Popen(  # noqa: S603 - our own interpreter and our own module
            [sys.executable, "-c", START, json.dumps(request)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=inherited,
            cwd=ROOT,
            env=_environment(),
            start_new_session=True,  # an interrupt at the keyboard is for the parent, which ends the child itself
        )
    except OSError:
        raise ChildInterrupted("could not be started") from None
    try:
        return _answer(child, time.monotonic() + limits.wall_seconds, report)
    finally:
        child.kill()
        child.wait()
        if child.stdout is not None:
            child.stdout.close()


def _environment() -> dict[str, str]:
    # One thread each: the numerical libraries otherwise reserve memory for every core.
    return {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ} | {"OPENBLAS_NUM_THREADS": "1"}


def _answer(child: subprocess.Popen[bytes], deadline: float, report: Callable[[float], None] | None) -> Any:
    started = False
    for line in _lines(child, deadline):
        match json.loads(line):
            case {"started": True}:
                started = True
            case {"progress": float(fraction)}:
                if report is not None:
                    report(min(max(fraction, 0.0), 1.0))
            case {"refused": str(code)}:
                raise ChildRefused(code)
            case {"done": answer}:
                return answer
            case _:
                raise ChildDied("an answer of no known shape")
    # It has closed its end, so it is ending, or broken enough to be killed.
    with suppress(subprocess.TimeoutExpired):
        child.wait(ENDING_SECONDS)
    if child.returncode == -signal.SIGXCPU:
        raise ChildOverworked("out of computing time")
    if not started or child.returncode in (-signal.SIGKILL, -signal.SIGTERM):
        raise ChildInterrupted("stopped from outside")
    raise ChildDied("ended without an answer")


def _lines(child: subprocess.Popen[bytes], deadline: float) -> Iterator[bytes]:
    """The lines of the child's answer as they come; ChildTimedOut when the deadline passes first."""
    if child.stdout is None:
        raise ChildDied("no pipe")
    pipe = child.stdout.fileno()
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    pending, total = b"", 0
    while True:
        if not poll.poll(max(deadline - time.monotonic(), 0) * 1000):
            raise ChildTimedOut("out of time")
        block = os.read(pipe, 65536)
        if not block:
            return
        total += len(block)
        if total > MAX_ANSWER_BYTES:
            raise ChildDied("an answer without end")
        *whole, pending = (pending + block).split(b"\n")
        yield from whole
