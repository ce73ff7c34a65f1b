"""The rows stay correct if the follower or a rebuild loses its connection just before or after any commit."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import pytest

from adapters.event_store.log import EventLog
from adapters.postgres.database import CONNECTION_ERRORS, Database, connect
from adapters.read_models import builds, follower, rebuild
from adapters.read_models.follower import Follower
from adapters.read_models.rebuild_jobs import RebuildJobs
from projections import ticket_status
from tests.client import eventually
from tests.domain.facts import HOLDER
from tests.fakes.line import Commit, Line
from tests.fakes.projections import Tally
from tests.fakes.worlds import record, ticket_events

TICKETS = 30


def quiet(*_: Any) -> None:
    """Ignore the progress."""


def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    with database.connection() as connection:
        return connection.execute(query.encode()).fetchall()


def renamed(ticket: Any) -> None:
    ticket.rename(HOLDER, "Grace")


@pytest.fixture
def tickets(log: EventLog) -> list[UUID]:
    ids = [uuid4() for _ in range(TICKETS)]
    for ticket in ids:
        record(log, ticket_events(ticket, [renamed]))
    return ids


def cut_off(line: Line, number: int, answered: bool, work: Callable[[], object]) -> bool:
    """Do the work and cut its connection at commit number `number`. Return True if it came to that commit.

    If the commit is `answered`, its answer reaches the client before the connection is cut.
    """
    commit_numbers = count(1)
    last_commits: list[Commit] = []

    def disconnect(commit: Commit) -> None:
        if next(commit_numbers) == number:
            last_commits.append(commit)
            raise ConnectionAbortedError

    if answered:
        line.after = disconnect
    else:
        line.before = disconnect
    with suppress(*CONNECTION_ERRORS):
        work()
    return bool(last_commits)


@pytest.mark.parametrize("answered", [False, True])
def test_a_rebuild_that_is_cut_off_at_any_commit_continues_where_it_stopped(
    database: Database,
    tickets: list[UUID],
    follow: Callable[..., None],
    answered: bool,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(rebuild, "BATCH_EVENTS", TICKETS)
    follow()
    query = "SELECT * FROM read.ticket_status ORDER BY ticket_id"
    before = rows(database, query)
    with Line(database.url) as line:
        for number in count(1):
            if not cut_off(line, number, answered, lambda: rebuild.rebuild(line.url, ticket_status, quiet)):
                break
            assert rows(database, query) == before
            line.before = line.after = quiet
            rebuild.rebuild(line.url, ticket_status, quiet)
            assert rows(database, query) == before
    # Creating the build, two batches, the indexes, making it live, dropping the old build.
    assert number > 5
    [(live,)] = rows(database, "SELECT live FROM projections WHERE name = 'ticket_status'")
    assert live
    assert rebuild.verify(database.url, ticket_status, quiet).differences == []


@pytest.mark.parametrize("answered", [False, True])
def test_a_follower_that_is_cut_off_at_any_batch_folds_each_event_once(
    database: Database, migrated_url: str, tickets: list[UUID], answered: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(follower, "BATCH_EVENTS", TICKETS // 3)
    tally = Tally()
    rebuild.ensure_live(migrated_url, [tally], quiet)
    with Line(migrated_url) as line:

        def follow() -> None:
            with connect(line.url) as connection:
                while Follower(line.url, [tally]).fold_next_batch(connection):
                    pass

        # Each attempt folds one batch more and is cut off at the next one.
        while cut_off(line, 2, answered, follow):
            pass
    assert rows(database, "SELECT count(*), min(events), max(events) FROM read.tally") == [(TICKETS, 2, 2)]


def test_a_requested_rebuild_that_lost_its_database_resumes_by_itself(
    database: Database, tickets: list[UUID], follow: Callable[..., None]
):
    follow()
    rebuilds = RebuildJobs(database.url)
    with connect(database.url, name="test") as holder:
        holder.execute("SELECT pg_advisory_lock(%s)", (builds.BUILDS_LOCK,))
        assert rebuilds.request(ticket_status)
        terminate = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database()"
        eventually(lambda: rows(database, f"{terminate} AND application_name = 'storyledger rebuild'") == [(1,)])
    eventually(lambda: not rebuilds.is_requested("ticket_status"))
    assert rows(database, "SELECT build, live FROM projections WHERE name = 'ticket_status'") == [(2, True)]
