"""Following and rebuilding, cut off at each of their commits, heard of or not: the rows are those of one quiet run."""

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
from tests.fakes.worlds import lived, record

TICKETS = 30


def quiet(*_: Any) -> None:
    """Nobody wants to know how far it is."""


def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    with database.connection() as connection:
        return connection.execute(query.encode()).fetchall()


def renamed(ticket: Any) -> None:
    ticket.rename(HOLDER, "Grace")


@pytest.fixture
def tickets(log: EventLog) -> list[UUID]:
    ids = [uuid4() for _ in range(TICKETS)]
    for ticket in ids:
        record(log, lived(ticket, [renamed]))
    return ids


def cut_off(line: Line, number: int, heard: bool, work: Callable[[], object]) -> bool:
    """Whether the work came to so many commits; at the last of them its line is cut."""
    told = count(1)
    came: list[Commit] = []

    def hang_up(commit: Commit) -> None:
        if next(told) == number:
            came.append(commit)
            raise ConnectionAbortedError

    if heard:
        line.after = hang_up
    else:
        line.before = hang_up
    with suppress(*CONNECTION_ERRORS):
        work()
    return bool(came)


@pytest.mark.parametrize("heard", [False, True])
def test_a_rebuild_that_is_cut_off_at_any_of_its_commits_goes_on_where_it_stopped(
    database: Database, tickets: list[UUID], follow: Callable[..., None], heard: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(rebuild, "BATCH_EVENTS", TICKETS)
    follow()
    shown = "SELECT * FROM read.ticket_status ORDER BY ticket_id"
    before = rows(database, shown)
    with Line(database.url) as line:
        for number in count(1):
            if not cut_off(line, number, heard, lambda: rebuild.rebuild(line.url, ticket_status, quiet)):
                break
            assert rows(database, shown) == before
            line.before = line.after = quiet
            rebuild.rebuild(line.url, ticket_status, quiet)
            assert rows(database, shown) == before
    # Begun, two pages, indexed, shown, the old one dropped.
    assert number > 5
    [(live,)] = rows(database, "SELECT live FROM projections WHERE name = 'ticket_status'")
    assert live
    assert rebuild.verify(database.url, ticket_status, quiet).differences == []


@pytest.mark.parametrize("heard", [False, True])
def test_a_follower_that_is_cut_off_at_any_page_takes_each_event_once(
    database: Database, migrated_url: str, tickets: list[UUID], heard: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(follower, "BATCH_EVENTS", TICKETS // 3)
    tally = Tally()
    rebuild.ensure_live(migrated_url, [tally], quiet)
    with Line(migrated_url) as line:

        def follow() -> None:
            with connect(line.url) as connection:
                while Follower(line.url, [tally]).fold_next_batch(connection):
                    pass

        # From each page on again: what was taken before it was cut off stays taken.
        while cut_off(line, 2, heard, follow):
            pass
    assert rows(database, "SELECT count(*), min(events), max(events) FROM read.tally") == [(TICKETS, 2, 2)]


def test_a_rebuild_in_the_background_that_lost_its_database_takes_it_up_again_by_itself(
    database: Database, tickets: list[UUID], follow: Callable[..., None]
):
    follow()
    rebuilds = RebuildJobs(database.url)
    with connect(database.url, name="test") as holder:
        holder.execute("SELECT pg_advisory_lock(%s)", (builds.BUILDS_LOCK,))
        assert rebuilds.begin(ticket_status)
        ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database()"
        eventually(lambda: rows(database, f"{ended} AND application_name = 'storyledger rebuild'") == [(1,)])
    eventually(lambda: not rebuilds.running("ticket_status"))
    assert rows(database, "SELECT build, live FROM projections WHERE name = 'ticket_status'") == [(2, True)]
