"""The access log is append-only, and every later change in it is detected."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.event_store.log import EventLog
from adapters.identity.access_log import AccessLog, AccessRecord, Verdict, logged_object, verify_access_log
from adapters.postgres.database import Database, connect
from tests.fakes.entries import entry

ACT = AccessRecord("admin:1", "POST /admin/x", "x-1", "begun", "r-1")


@pytest.fixture
def log(database: Database) -> AccessLog:
    return AccessLog(database)


def verdict(database: Database) -> Verdict:
    with database.connection() as connection:
        return verify_access_log(connection)


def forced(database: Database, statement: str) -> None:
    """Execute a statement with all triggers disabled, as only a superuser can."""
    with connect(database.url) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(statement.encode())


def test_records_are_listed_newest_first_in_pages(log: AccessLog):
    for number in range(5):
        log.append(replace(ACT, request_id=f"r-{number}"))
    first = log.page(2)
    assert [(entry.position, entry.request_id) for entry in first] == [(5, "r-4"), (4, "r-3")]
    log.append(ACT)
    next_page = log.page(9, before=first[-1].position)
    assert [entry.position for entry in next_page] == [3, 2, 1]
    newest = log.page(1)[0]
    assert (newest.actor, newest.operation, newest.object, newest.outcome) == (
        "admin:1",
        "POST /admin/x",
        "x-1",
        "begun",
    )


def test_concurrent_records_have_one_order_without_gaps(database: Database, log: AccessLog):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: log.append(replace(ACT, request_id=f"r-{n}")), range(60)))
    entries = log.page(100)
    assert [entry.position for entry in entries] == list(range(60, 0, -1))
    assert {entry.request_id for entry in entries} == {f"r-{n}" for n in range(60)}
    assert [entry.recorded_at for entry in entries] == sorted((entry.recorded_at for entry in entries), reverse=True)
    assert verdict(database).ok


@pytest.mark.parametrize(
    "statement",
    ["UPDATE access_log SET outcome = 'x'", "DELETE FROM access_log", "TRUNCATE access_log",
     "DELETE FROM access_log WHERE false"],
)  # fmt: skip
def test_the_database_refuses_to_change_or_delete_records(database: Database, log: AccessLog, statement: str):
    log.append(ACT)
    with pytest.raises(psycopg.errors.InsufficientPrivilege), database.connection() as connection:
        connection.execute(statement.encode())
    assert len(log.page(10)) == 1


@pytest.mark.parametrize(
    ("statement", "position", "reason"),
    [
        ("UPDATE access_log SET actor = 'admin:2' WHERE position = 2", 2, "does not match its hash"),
        ("UPDATE access_log SET recorded_at = recorded_at + '1s'::interval WHERE position = 2", 2, "does not match"),
        ("UPDATE access_log SET actor = actor || operation, operation = '' WHERE position = 2", 2, "does not match"),
        ("UPDATE access_log SET hash = sha256(hash) WHERE position = 3", 3, "does not match its hash"),
        ("DELETE FROM access_log WHERE position = 2", 2, "missing"),
        ("DELETE FROM access_log WHERE position = 1", 1, "missing"),
        ("INSERT INTO access_log SELECT 0, recorded_at, actor, operation, object, outcome, request_id, hash"
         " FROM access_log WHERE position = 1", 0, "added"),
        ("INSERT INTO access_log SELECT 5, recorded_at, actor, operation, object, outcome, request_id, hash"
         " FROM access_log WHERE position = 4", 5, "does not match its hash"),
    ],
)  # fmt: skip
def test_every_forced_change_is_detected(
    database: Database, log: AccessLog, statement: str, position: int, reason: str
):
    for _ in range(4):
        log.append(ACT)
    initial_verdict = verdict(database)
    assert (initial_verdict.ok, initial_verdict.entries) == (True, 4)
    forced(database, statement)
    verdict_after_change = verdict(database)
    assert verdict_after_change.first_bad is not None
    assert verdict_after_change.first_bad[0] == position
    assert reason in verdict_after_change.first_bad[1]


def test_removing_the_last_record_changes_the_head(database: Database, log: AccessLog):
    for _ in range(3):
        log.append(ACT)
    before = verdict(database)
    forced(database, "DELETE FROM access_log WHERE position = 3")
    after = verdict(database)
    assert after.ok
    assert (after.entries, after.head) != (before.entries, before.head)


def test_an_empty_log_is_valid(database: Database):
    assert verdict(database) == Verdict(0, None, bytes(32))


@settings(max_examples=30)
@given(
    st.lists(st.builds(AccessRecord, *[st.text(st.characters(exclude_characters="\0", codec="utf-8"))] * 5), max_size=5)
)
def test_the_chain_is_valid_for_any_text(database: Database, acts: list[AccessRecord]):
    log = AccessLog(database)
    for act in acts:
        log.append(act)
    assert verdict(database).ok


def test_the_access_log_and_the_history_have_separate_locks(database: Database, log: AccessLog):
    """A writer of one does not wait for a writer of the other. Waiting for a lock would end in an error."""
    with connect(database.url) as holder, holder.transaction():
        holder.execute("SELECT append_access_log('{a}', '{b}', '{c}', '{d}', '{e}')")
        assert EventLog(database).append([entry()]) == [1]
    with connect(database.url) as holder, holder.transaction():
        holder.execute("SELECT append_events('{}', '{}', '{}', '{}', '{}', '{}')")
        log.append(ACT)


def test_a_path_part_that_does_not_look_like_an_id_is_not_logged():
    assert logged_object(["0198c0de-0000-7000-8000-000000000000", "ticket_status"]).endswith("/ticket_status")
    assert logged_object(["ada@example.com"]) == "?"
    assert logged_object(["+14155550100"]) == "?"
    assert logged_object(["x" * 101, "a b", "<x>", ""]) == "?/?/?/?"
    assert logged_object([]) == ""
