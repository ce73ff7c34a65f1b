"""On a terminal the log is for people: short lines, and none for health checks that succeeded."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import structlog

from entrypoints.composition import logs
from tests.commands import restored_logging


@contextmanager
def logging_on_terminal() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch, restored_logging():
        patch.setattr(type(sys.stderr), "isatty", lambda _: True)
        logs.configure("INFO")
        yield


def log_request(path: str, status: int) -> None:
    structlog.get_logger().info(
        "request", method="GET", path=path, status=status, milliseconds=12.3, request_id="a-long-id"
    )


def test_a_request_is_one_short_text_on_a_terminal(capfd: pytest.CaptureFixture[str]):
    with logging_on_terminal():
        log_request("/api/tickets/{ticket_id}", 200)
    [line] = capfd.readouterr().err.splitlines()
    assert "GET /api/tickets/{ticket_id} 200 12.3 ms" in line
    assert "a-long-id" not in line


def test_a_health_check_is_shown_on_a_terminal_only_if_it_failed(capfd: pytest.CaptureFixture[str]):
    with logging_on_terminal():
        log_request("/health/live", 200)
        log_request("/health/ready", 503)
    [line] = capfd.readouterr().err.splitlines()
    assert "GET /health/ready 503" in line


def test_elsewhere_every_request_is_a_line_of_json(capfd: pytest.CaptureFixture[str]):
    with restored_logging():
        logs.configure("INFO")
        log_request("/health/live", 200)
    assert '"path":"/health/live"' in capfd.readouterr().err
