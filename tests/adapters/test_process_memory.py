"""The memory of a process that holds keys is hidden from other processes."""

from __future__ import annotations

import ctypes
import resource
import sys

import pytest

from tests.commands import run_here

PR_GET_DUMPABLE, PR_SET_DUMPABLE = 3, 4


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux hides the memory of a process")
def test_every_command_hides_the_memory_of_its_process_and_writes_no_core_file():
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
    assert run_here("--version").returncode == 0
    assert libc.prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0
    assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
