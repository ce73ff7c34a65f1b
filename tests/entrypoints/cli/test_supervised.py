"""The messages between a process and its supervisor, and the moments at which the supervisor acts."""

from __future__ import annotations

import socket

import pytest

from adapters.observability.process_metrics import ProcessMetrics
from entrypoints.cli.supervised import Supervision
from entrypoints.cli.supervisor import Supervisor


def reporting(text: bytes) -> socket.socket:
    """Return a socket from which a finished report can be read."""
    asking, answering = socket.socketpair()
    with answering:
        answering.sendall(text)
    return asking


def test_a_report_that_came_too_late_is_not_taken_for_a_later_one(monkeypatch: pytest.MonkeyPatch):
    process = Supervision()
    process._reports.put([reporting(b"late")])
    monkeypatch.setattr(process, "tell", lambda *_: process._reports.put([reporting(b"new")]))
    assert process.reports_of_others() == [b"new"]
    assert process.reports_of_others() == [b"new"]


def test_a_report_that_breaks_off_is_left_out():
    whole = ProcessMetrics(list)
    whole.join(
        "web", lambda: [b'[["requests","d', b"", b'[["requests","documented","counter",[["requests_total",{},1.0]]]]']
    )
    assert [metric.name for metric in whole.all()] == ["requests"]


def test_a_time_that_falls_due_after_the_present_turn_is_waited_for():
    supervisor = Supervisor({"worker": "worker"})
    supervisor._entries[0].due = 100.0
    assert supervisor._seconds_until_next(99.75) == 0.25
