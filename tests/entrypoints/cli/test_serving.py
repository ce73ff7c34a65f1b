"""A process without a web server waits to be stopped."""

from __future__ import annotations

import subprocess
import sys

from tests.client import WAIT_SECONDS

# The signal arrives when the process is just beginning to wait for it.
STOPPED_AS_IT_BEGINS_TO_WAIT = """
import signal
import sys
import threading
from types import SimpleNamespace
from entrypoints.cli.serving import wait_for_stop

def interrupt(frame, event, called):
    if frame.f_code is threading.Condition.wait.__code__ or (event == "c_call" and called.__name__ == "get"):
        sys.setprofile(None)
        signal.raise_signal(signal.SIGTERM)

service = SimpleNamespace(health=SimpleNamespace(gave_up=threading.Event()), finish=lambda: print("stopped"))
sys.setprofile(interrupt)
wait_for_stop(service)
"""


def test_a_process_that_just_begins_to_wait_can_be_stopped():
    command = [sys.executable, "-c", STOPPED_AS_IT_BEGINS_TO_WAIT]
    stopped = subprocess.run(command, check=True, capture_output=True, text=True, timeout=WAIT_SECONDS)
    assert stopped.stdout == "stopped\n"
