"""The child process: ties its own hands, then does one job on one recording and prints the answer as JSON lines.

Started by `bounded.run_child`. A job's module is imported below the limits, so that they hold for its libraries too.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

PR_SET_PDEATHSIG = 1

# The parent keeps the time; should it be gone, the child ends by itself this much later.
ORPHAN_GRACE_SECONDS = 5


class Refused(Exception):
    """The recording is nothing this job can work on; `code` is why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def main() -> None:
    """Do the one job that is asked for; a failure nobody foresaw ends the process without an answer."""
    request = json.loads(sys.argv[1])
    _die_with(request["parent"])
    _limit(request)
    # Whatever a library prints goes nowhere, so that the answer is ours alone.
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

    def say(message: dict[str, Any]) -> None:
        answer.write(json.dumps(message).encode() + b"\n")
        answer.flush()

    try:
        work = _work(request, lambda fraction: say({"progress": float(fraction)}))
        say({"started": True})
        done = work()
    except Refused as refused:
        say({"refused": refused.code})
    else:
        say({"done": done})
    # Nothing is left to tidy, and tearing down the libraries takes longer than some jobs.
    os._exit(0)


def _work(request: dict[str, Any], progress: Callable[[float], None]) -> Callable[[], Any]:
    """The job, its libraries loaded; what fails before it starts is no fault of the recording."""
    recording, arguments = request["recording"], request["arguments"]
    match request["job"]:
        case "measure":
            from adapters.speech.sound import measure

            return partial(measure, recording, **arguments)
        case "recognise":
            from adapters.speech.recognition import recognise

            return partial(recognise, recording, progress, **arguments)
        case "reencode":
            from adapters.speech.reencoding import reencode

            return partial(reencode, recording, request["output"], **arguments)
        case unknown:
            raise ValueError(unknown)


def _die_with(parent: int) -> None:
    """No child outlives its parent, not even one killed without a chance to say so."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _limit(request: dict[str, Any]) -> None:
    cpu, memory = request["cpu_seconds"], request["memory_bytes"]
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (request["output_bytes"], request["output_bytes"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":  # macOS has the limit's name only
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    signal.setitimer(signal.ITIMER_REAL, request["wall_seconds"] + ORPHAN_GRACE_SECONDS)
