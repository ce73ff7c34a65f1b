"""A recording that took over the process that decodes it: it tries what that process must not be able to do."""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from adapters.confined import child_main

# Runs the child process with the attempts in place of its job.
START = "from tests.fakes.intruder import main; main()"

TGKILL = {"x86_64": 234, "aarch64": 131}
SHMCTL = {"x86_64": 31, "aarch64": 195}
SETXATTRAT = 463  # on every architecture


def main() -> None:
    child_main._job = lambda request: lambda: attempts(request["arguments"])  # type: ignore[assignment]
    child_main.main()


def attempts(arguments: dict[str, Any]) -> dict[str, object]:
    """Return for each attempt the name of the error, or what it achieved."""
    folder, parent = Path(arguments["folder"]), os.getppid()
    tried: dict[str, Callable[[], object]] = {
        "open a connection": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
        "open a local connection": lambda: socket.socket(socket.AF_UNIX),
        "start a program": lambda: os.execv("/bin/true", ["true"]),
        "start a process": lambda: os.fork() or os._exit(0),
        "signal the service": lambda: os.kill(parent, 0),
        "signal a thread of the service": lambda: _system_call(TGKILL[os.uname().machine], parent, parent, 0),
        "limit the service": lambda: resource.prlimit(parent, resource.RLIMIT_NOFILE, (9, 9)),
        "read the service's environment": lambda: Path(f"/proc/{parent}/environ").read_bytes(),
        "create a file": lambda: (folder / "new").write_text("x"),
        "change a file": lambda: (folder / "secret").open("r+"),
        "delete a file": lambda: (folder / "secret").unlink(),
        "move a file": lambda: (folder / "secret").rename(folder / "moved"),
        "open a file for everybody": lambda: (folder / "secret").chmod(0o777),
        "read a file": lambda: (folder / "secret").read_text(),
        "list a folder": lambda: [path.name for path in folder.iterdir()],
        "read a file that is named": lambda: (folder / "model").read_text(),
        "remove memory that processes share": lambda: _system_call(SHMCTL[os.uname().machine], -1, 0, 0),
        "change the attributes of a file": lambda: _system_call(SETXATTRAT, -1, 0, 0, 0, 0, 0),
        "become root": lambda: os.setuid(0),
        "start a thread": _thread,
        "account": os.getuid,
        "groups": os.getgroups,
        "variables": lambda: sorted(os.environ),
        "core": lambda: resource.getrlimit(resource.RLIMIT_CORE),
    }
    return {name: _outcome(attempt) for name, attempt in tried.items()}


def _outcome(attempt: Callable[[], object]) -> object:
    try:
        outcome = attempt()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return outcome if isinstance(outcome, int | str | list | tuple) else "done"


def _system_call(number: int, *arguments: int) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(number, *arguments) != 0:
        raise OSError(ctypes.get_errno(), "refused")
    return signal.SIG_DFL


def _thread() -> str:
    ended = threading.Event()
    threading.Thread(target=ended.set).start()
    return "done" if ended.wait(30) else "hangs"
