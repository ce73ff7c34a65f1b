"""What all tests of commands share."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def unlogged(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a command sets up to log by, which is the whole process's, is gone after the test."""
    configure, root = structlog.configure, logging.getLogger()
    handlers, level = root.handlers[:], root.level
    # A logger that was made for good would write to what this test captured, which is closed by then.
    monkeypatch.setattr(
        structlog, "configure", lambda **given: configure(**given | {"cache_logger_on_first_use": False})
    )
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    yield
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level
