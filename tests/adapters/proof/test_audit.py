"""Verification detects every change of the stored history and names its position."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg import Connection

from adapters.event_store.log import EventLog
from adapters.postgres.database import Database, connect
from adapters.proof import audit
from adapters.proof.checker import EMPTY_ROOT
from tests.fakes.entries import entries, entry

EVENTS = 12


@pytest.fixture
def history(database: Database) -> Database:
    """Record a dozen events, some of them in one transaction."""
    log = EventLog(database)
    for size in (1, 3, 1, 5, 2):
        log.append(entries(size))
    return database


def tampered(url: str, *statements: str) -> audit.Verdict:
    """Return the verdict after a superuser executed these statements."""
    with connect(url) as connection:
        connection.execute("ALTER TABLE events DISABLE TRIGGER ALL")
        for statement in statements:
            connection.execute(statement.encode())
    return audit.verify(url)


def columns(connection: Connection[Any]) -> list[str]:
    rows = connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'events'::regclass AND attnum > 0 AND NOT attisdropped"
    )
    return [name for (name,) in rows]


def test_an_unaltered_history_is_valid(history: Database):
    verdict = audit.verify(history.url)
    assert (verdict.ok, verdict.events, verdict.first_bad) == (True, EVENTS, None)
    with history.connection() as connection:
        row = connection.execute("SELECT hash FROM events ORDER BY position DESC LIMIT 1").fetchone()
    assert row is not None
    assert verdict.head == bytes(row[0])


def test_an_empty_history_is_valid(migrated_url: str):
    assert audit.verify(migrated_url) == audit.Verdict(0, None, audit.GENESIS, EMPTY_ROOT)


CHANGES = {
    "position": ("1000", "missing"),
    "stream": ("gen_random_uuid()", "does not match its hash"),
    "version": ("version + 1000", "does not match its hash"),
    "topic": ("'published'", "does not match its hash"),
    "ticket": ("gen_random_uuid()", "does not match its hash"),
    "recorded_at": ("recorded_at + interval '1 microsecond'", "does not match its hash"),
    "state": ("set_byte(state, 3, get_byte(state, 3) # 1)", "does not match its hash"),
    "hash": ("set_byte(hash, 31, get_byte(hash, 31) # 1)", "does not match its hash"),
}


def test_every_column_is_covered(history: Database):
    with history.connection() as connection:
        assert set(columns(connection)) == set(CHANGES)


@pytest.mark.parametrize("column", CHANGES)
@pytest.mark.parametrize("position", [1, 7, EVENTS])
def test_a_change_in_any_column_is_found_at_its_position(history: Database, column: str, position: int):
    change, reason = CHANGES[column]
    verdict = tampered(history.url, f"UPDATE events SET {column} = {change} WHERE position = {position}")
    assert not verdict.ok
    assert verdict.first_bad == (position, reason)
    assert verdict.events == position - 1


@pytest.mark.parametrize("position", [1, 7])
def test_a_deleted_event_is_found(history: Database, position: int):
    verdict = tampered(history.url, f"DELETE FROM events WHERE position = {position}")
    assert verdict.first_bad == (position, "missing")


def test_a_deleted_event_is_found_even_when_the_gap_was_closed(history: Database):
    verdict = tampered(
        history.url,
        "DELETE FROM events WHERE position = 7",
        "UPDATE events SET position = position - 1000 WHERE position > 7",
        "UPDATE events SET position = position + 999 WHERE position < 0",
    )
    assert verdict.first_bad == (7, "does not match its hash")


def test_a_swapped_pair_is_found(history: Database):
    verdict = tampered(
        history.url,
        "UPDATE events SET position = -5 WHERE position = 5",
        "UPDATE events SET position = 5 WHERE position = 9",
        "UPDATE events SET position = 9 WHERE position = -5",
    )
    assert verdict.first_bad == (5, "does not match its hash")


@pytest.mark.parametrize("position", [0, EVENTS + 1, EVENTS + 5])
def test_an_inserted_event_is_found(history: Database, position: int):
    verdict = tampered(
        history.url,
        f"INSERT INTO events SELECT {position}, gen_random_uuid(), 1, topic, ticket, recorded_at, state, hash"
        " FROM events WHERE position = 3",
    )
    assert verdict.first_bad is not None
    assert verdict.first_bad[0] in (position, EVENTS + 1)


def test_an_event_inserted_between_two_others_is_found(history: Database):
    verdict = tampered(
        history.url,
        "UPDATE events SET position = -position - 1 WHERE position >= 5",
        "UPDATE events SET position = -position WHERE position < 0",
        "INSERT INTO events SELECT 5, gen_random_uuid(), 1, topic, ticket, recorded_at, state, hash"
        " FROM events WHERE position = 4",
    )
    assert verdict.first_bad == (5, "does not match its hash")


def test_a_change_is_found_on_any_page_and_only_the_first_is_reported(
    history: Database, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(audit, "BATCH_EVENTS", 2)
    assert audit.verify(history.url).events == EVENTS
    verdict = tampered(history.url, "UPDATE events SET version = 99 WHERE position IN (6, 11)")
    assert verdict.first_bad == (6, "does not match its hash")


def test_verification_reads_one_snapshot_during_writes(history: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(audit, "BATCH_EVENTS", 5)
    log = EventLog(history)
    verdict = audit.verify(history.url, lambda _: log.append([entry()]) and None)
    assert (verdict.ok, verdict.events) == (True, EVENTS)
