"""Fixtures of all tests of commands."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import commands


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    """After the test, undo the logging that a command configures for the whole process."""
    with commands.restored_logging():
        yield
