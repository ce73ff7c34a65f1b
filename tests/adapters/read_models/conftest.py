"""An event log, and a follower that a test runs step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

import projections
from adapters.event_store.log import EventLog
from adapters.postgres.database import Database, connect
from adapters.read_models.follower import Follower
from projections.model import Projection


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[EventDict]]:
    """Capture log entries instead of printing them."""
    with capture_logs() as events:
        yield events


@pytest.fixture
def log(database: Database) -> EventLog:
    return EventLog(database)


@pytest.fixture
def follow(migrated_url: str) -> Iterator[Callable[..., None]]:
    """Return a function that folds all events into the read models, with one follower on one connection."""
    with ExitStack() as stack:
        connection = stack.enter_context(connect(migrated_url))

        def follow(followed: Sequence[Projection] = projections.ALL) -> None:
            follower = Follower(migrated_url, followed)
            while follower.fold_next_batch(connection):
                pass

        yield follow
