"""Checkpoints outside the database: nothing is signed that does not continue them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from adapters.event_store import log as event_log
from adapters.identity.access_log import AccessLog, AccessRecord
from adapters.observability.counters import REGISTRY
from adapters.postgres.database import Database, connect
from adapters.proof import checkpoints
from adapters.proof.checker import Refused
from adapters.proof.checkpoints import Checkpoints, RewrittenHistoryError, Signer
from adapters.proof.export import Exporter
from adapters.proof.follower import ProofFollower
from adapters.proof.published import NEWEST, PublishedCheckpoints
from adapters.storage.files import FileStorage
from tests.adapters.proof.growing import SIGNER, append, grow
from tests.benchmarks.world import gift, opened
from tests.client import eventually

ROOT = bytes(range(32))


@pytest.fixture
def storage(tmp_path: Path) -> FileStorage:
    return FileStorage(tmp_path)


@pytest.fixture
def published(storage: FileStorage) -> PublishedCheckpoints:
    return PublishedCheckpoints(storage, SIGNER.read)


def signs(url: str, published: PublishedCheckpoints, signer: Signer = SIGNER) -> bool:
    grow(url)
    with connect(url) as connection:
        return checkpoints.sign_tree(connection, signer, published, 0)


def log_an_act(database: Database, operation: str = "keys create") -> None:
    AccessLog(database).append(AccessRecord("admin:1", operation, "", "done", "r1"))


def read(storage: FileStorage, key: str) -> str:
    with storage.open(key) as file:
        return file.read().decode()


def test_the_newest_checkpoint_is_replaced_and_the_first_of_a_day_is_kept(storage: FileStorage):
    now = datetime(2026, 5, 1, 12, tzinfo=UTC)
    published = PublishedCheckpoints(storage, SIGNER.read, lambda: now)
    notes = [SIGNER.checkpoint(size, ROOT) for size in range(1, 5)]
    published.publish(notes[0])
    published.publish(notes[1])
    # Another process does not know what this one has published today.
    PublishedCheckpoints(storage, SIGNER.read, lambda: now).publish(notes[2])
    now += timedelta(days=1)
    published.publish(notes[3])
    kept = {key: read(storage, key) for key in storage.keys()}  # noqa: SIM118 - it is no mapping
    assert kept == {"checkpoints/2026-05-01": notes[0], "checkpoints/2026-05-02": notes[3], NEWEST: notes[3]}
    assert published.newest() == SIGNER.read(notes[3])


def test_a_checkpoint_is_published_as_it_is_stored(database: Database, storage: FileStorage, published: Any):
    assert published.newest() is None
    append(database, [3])
    log_an_act(database)
    assert signs(database.url, published)
    assert read(storage, NEWEST) == Checkpoints(database, SIGNER).latest()
    append(database, [1])
    assert signs(database.url, published)
    assert published.newest().size == 4


def forget(url: str, *tables: str) -> None:
    """Delete all rows of the tables, and all checkpoints in the database, as a superuser can."""
    with connect(url) as connection:
        connection.execute("SET session_replication_role = replica")
        for table in (*tables, "proof_checkpoints"):
            connection.execute(f"DELETE FROM {table}".encode())


def cut(database: Database) -> None:
    forget(database.url, "events", "proof_tiles")
    append(database, [2])


def write_anew(database: Database) -> None:
    cut(database)
    append(database, [9])


def cut_events_only(database: Database) -> None:
    with connect(database.url) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("DELETE FROM events WHERE position > 1")
        connection.execute("DELETE FROM proof_checkpoints")


def write_events_anew_under_the_old_tree(database: Database) -> None:
    cut_events_only(database)
    append(database, [9])


def cut_access_log(database: Database) -> None:
    forget(database.url, "access_log")


def write_access_log_anew(database: Database) -> None:
    cut_access_log(database)
    for _ in range(3):
        log_an_act(database, "keys revoke")


REWRITINGS = pytest.mark.parametrize(
    ("rewrite", "message"),
    [
        (cut, "the history has 2 events, but 5 were signed"),
        (write_anew, "the first 5 events are not those that were signed"),
        (cut_events_only, "the history has 1 events, but the tree has 5"),
        (write_events_anew_under_the_old_tree, "the first 5 events are not those that were signed"),
        (cut_access_log, "the access log has 0 entries, but does not continue the 2 that were signed"),
        (write_access_log_anew, "the access log has 3 entries, but does not continue the 2 that were signed"),
    ],
)


@REWRITINGS
def test_a_history_that_does_not_continue_the_signed_one_is_not_signed(
    database: Database, storage: FileStorage, published: Any, rewrite: Callable[[Database], None], message: str
):
    append(database, [5])
    log_an_act(database)
    log_an_act(database)
    assert signs(database.url, published)
    before = read(storage, NEWEST)
    rewrite(database)
    with pytest.raises(RewrittenHistoryError, match=message):
        signs(database.url, published)
    assert read(storage, NEWEST) == before
    assert Checkpoints(database, SIGNER).latest() is None


def test_a_published_checkpoint_of_another_signer_stops_the_signing(
    database: Database, storage: FileStorage, published: Any
):
    append(database, [5])
    for note in (Signer(("o" * 40,), SIGNER.origin).checkpoint(1, ROOT), "hello", ""):
        storage.put(NEWEST, [note.encode()])
        with pytest.raises(RewrittenHistoryError, match="the newest published checkpoint is not valid"):
            signs(database.url, published)
    storage.put(NEWEST, [b"\xff"])
    with pytest.raises(Refused):
        published.newest()


def test_a_new_key_and_a_new_name_continue_the_old_ones(database: Database, storage: FileStorage, published: Any):
    append(database, [5])
    assert signs(database.url, published)
    rotated = Signer(("n" * 40, "s" * 40), "new.example")
    assert signs(database.url, PublishedCheckpoints(storage, rotated.read), rotated)


def test_a_history_that_does_not_continue_the_signed_one_is_not_exported(database: Database, published: Any):
    ticket = uuid4()
    with connect(database.url) as connection, connection.cursor() as cursor:
        event_log.append(cursor, [[opened(ticket)], gift(ticket, 1)])
    assert signs(database.url, published)
    exporter = Exporter(database, SIGNER, published)
    assert b"".join(exporter.export(ticket))
    cut(database)
    with pytest.raises(RewrittenHistoryError):
        exporter.export(ticket)


def test_the_checkpoint_of_an_exported_file_is_published(database: Database, published: Any):
    ticket = uuid4()
    with connect(database.url) as connection, connection.cursor() as cursor:
        event_log.append(cursor, [[opened(ticket)], gift(ticket, 1)])
    exported = json.loads(b"".join(Exporter(database, SIGNER, published).export(ticket)))
    assert published.newest() == SIGNER.read(exported["checkpoint"])
    cut(database)
    with pytest.raises(RewrittenHistoryError):
        signs(database.url, published)


def refusals() -> float:
    return REGISTRY.get_sample_value("storyledger_checkpoint_refusals_total") or 0


def test_the_follower_counts_and_logs_what_it_does_not_sign(
    database: Database, published: Any, capfd: pytest.CaptureFixture[str]
):
    append(database, [5])
    assert signs(database.url, published)
    write_anew(database)
    before = refusals()
    follower = ProofFollower(database.url, SIGNER, published)
    follower.start()
    try:
        eventually(lambda: refusals() > before)
    finally:
        follower.stop()
    output = "".join(capfd.readouterr())
    assert "does not continue the signed one" in output
    assert "the first 5 events are not those that were signed" in output


def test_a_newest_checkpoint_that_was_set_back_is_found_by_the_dated_ones(
    database: Database, storage: FileStorage, published: Any
):
    append(database, [2])
    assert signs(database.url, published)
    old = read(storage, NEWEST)
    storage.delete(next(iter(published.dated())))
    append(database, [3])
    assert signs(database.url, PublishedCheckpoints(storage, SIGNER.read))
    storage.put(NEWEST, [old.encode()])
    append(database, [1])
    with pytest.raises(RewrittenHistoryError, match=r"was set back: checkpoints/20.* is newer"):
        signs(database.url, published)
    # Without the newest one, the history still has to continue the dated ones.
    storage.delete(NEWEST)
    write_anew(database)
    with pytest.raises(RewrittenHistoryError, match="the first 5 events are not those that were signed"):
        signs(database.url, published)


def test_dated_checkpoints_of_other_keys_and_of_later_days_are_left_out(storage: FileStorage, published: Any):
    published.publish(SIGNER.checkpoint(4, ROOT))
    storage.put("checkpoints/2025-01-01", [Signer(("o" * 40,), SIGNER.origin).checkpoint(1, ROOT).encode()])
    storage.put("checkpoints/9999-12-31", [SIGNER.checkpoint(1, ROOT).encode()])
    assert [checkpoint.size for checkpoint in published.dated().values()] == [4]
