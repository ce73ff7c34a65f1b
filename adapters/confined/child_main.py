"""The child process: limits itself, does one job on one file, and prints the answer as JSON lines.

Started by `child_process.run_child`. A job's module is imported after the limits are set, so that they hold for its
libraries too, and before the process is confined. Only then does the job read the file.
"""

import ctypes
import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from adapters.confined.confinement import confine
from adapters.confined.errors import InputRefused

PR_SET_PDEATHSIG = 1

# What the processors are, which numerical libraries ask.
MACHINE = ("/sys/devices/system/cpu", "/proc/cpuinfo")

# A child gets the processor time that requests leave over.
NICENESS = 10

# The parent ends a child that takes too long. If the parent is gone, the child ends itself this much later.
ORPHAN_GRACE_SECONDS = 5


def main() -> None:
    """Do the requested job. An unexpected error ends the process without an answer."""
    request = json.loads(sys.argv[1])
    answer = enter_child(request)

    def send(message: dict[str, object]) -> None:
        answer.write(json.dumps(message).encode() + b"\n")
        answer.flush()

    try:
        job = _job(request)
        measures = confine([*packages(), *map(Path, request["readable"])], others())
        # The kernel forgets this when the account changes.
        end_with_parent(request["parent"])
        send({"started": True})
        result = measures if job is None else job()
    except InputRefused as refused:
        send({"refused": refused.code})
    else:
        send({"result": result})
    # Exit at once: shutting down the libraries takes longer than some jobs.
    os._exit(0)


def enter_child(request: dict[str, Any]) -> BinaryIO:
    """Limit this process as the request says, and return the stream for answers to the parent."""
    end_with_parent(request["parent"])
    os.nice(NICENESS)
    _limit(request)
    # Standard output becomes /dev/null, so that nothing a library prints mixes with the answer.
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return answer


def _job(request: dict[str, Any]) -> Callable[[], object] | None:
    """Return the job with its libraries loaded. A failure before `started` is not blamed on the file.

    Return None if only the measures of confinement are asked for.
    """
    source, arguments = request["source"], request["arguments"]
    match request["job"]:
        case "confinement":
            return None
        case "measure":
            from adapters.speech.sound import measure

            return partial(measure, source, **arguments)
        case "prepare":
            from adapters.speech.preparation import prepare
            from adapters.speech.voice import load_gate

            load_gate()
            return partial(prepare, source, request["output"], **arguments)
        case "require_speech":
            from adapters.speech.preparation import require_speech
            from adapters.speech.voice import load_gate

            load_gate()
            return partial(require_speech, source, **arguments)
        case "reencode":
            from adapters.speech.reencoding import reencode

            return partial(reencode, source, request["output"], **arguments)
        case "cut":
            from adapters.speech.cutting import cut

            return partial(cut, source, request["output"], **arguments)
        case "photo":
            from adapters.pictures.encoding import encode, load

            load()
            return partial(encode, source, request["output"], **arguments)
        case unknown:
            raise ValueError(unknown)


def packages() -> list[Path]:
    """Return the folders of installed packages, which import further parts of themselves while they work."""
    return [Path(folder) for folder in sys.path if folder.endswith("-packages")]


def others() -> list[Path]:
    """Return what packages may look for as well, but do without: this program's own folder is not among it."""
    return [Path(folder) for folder in (sys.prefix, sys.base_prefix, "/usr", "/lib", "/lib64", *MACHINE)]


def end_with_parent(parent: int) -> None:
    """Let the kernel kill this process when its parent ends, even if the parent is killed itself."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _limit(request: dict[str, Any]) -> None:
    cpu, memory = request["cpu_seconds"], request["memory_bytes"]
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (request["output_bytes"], request["output_bytes"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":  # macOS defines this limit but does not enforce it
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    signal.setitimer(signal.ITIMER_REAL, request["wall_seconds"] + ORPHAN_GRACE_SECONDS)
