"""Which child processes of the speech package are running, as the operating system sees it."""

from __future__ import annotations

import subprocess


def speech_children(parent: int) -> list[int]:
    """The ids of a process's children that work on a recording."""
    listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(maxsplit=2) for line in listing.splitlines()]
    return [int(pid) for pid, ppid, args in rows if int(ppid) == parent and "adapters.speech.child" in args]
