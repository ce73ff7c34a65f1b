"""Keeps keys and personal data in the memory of this process from other processes and from the disk."""

import ctypes
import resource
import sys

PR_SET_DUMPABLE = 4


def hide_memory() -> None:
    """Let no other process of this account read this one's memory and environment, and write no core file.

    Programs that this process starts are not affected, except that they write no core file either.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
