"""A backup restores the state of one moment, or is refused before anything is written."""

from __future__ import annotations

import gzip
import hashlib
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from itertools import repeat
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from psycopg.errors import QueryCanceled

import projections
from adapters.backup import restoring, tables, taking
from adapters.backup.parts import BackupError, BackupKeys, Writer, checked_parts, parts
from adapters.backup.restoring import RestoredApiKey
from adapters.identity.credentials import Credentials
from adapters.postgres.database import Database, connect
from adapters.proof import audit, checkpoints, copied_rows, tiles
from adapters.proof.published import FOLDER, PublishedCheckpoints
from adapters.read_models import rebuild
from adapters.storage.files import FileStorage
from adapters.worker_process import WorkerEnded
from domain.commands.recordings import Upload
from domain.values import SYSTEM, AudioFacts, Role
from entrypoints.composition.secrets import master_keys
from entrypoints.composition.service import Service
from entrypoints.composition.settings import Settings
from entrypoints.composition.startup_checks import NotReadyError, reach
from tests.client import RECORDING
from tests.money import Ledger
from tests.postgres import fresh_database

FACTS = AudioFacts("audio/webm", 20_000)


@dataclass
class World:
    """A service with some history, and a folder for the storage of a service restored from its backup."""

    service: Service
    ledger: Ledger
    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "storyledger.backup"

    @property
    def epoch_keys(self) -> str:
        return self.service.settings.epoch_keys

    def recorded(self) -> UUID:
        """Open a ticket with a recording."""
        ticket = self.ledger.ticket()
        self.service.commands.recordings.upload(
            SYSTEM, ticket, Upload(uuid4(), BytesIO(RECORDING.read_bytes()), FACTS, "a.webm")
        )
        return ticket

    def gift(self, amount: int = 10_000) -> None:
        payment = self.ledger.payment(amount=amount)
        self.ledger.take(payment.succeeded(), payment.completed())

    @property
    def master_keys(self) -> tuple[str, ...]:
        return master_keys(self.service.settings)

    def take(self, file: Path | None = None, **more: Any) -> taking.BackupReport:
        keys, storage = BackupKeys(self.master_keys), self.service.content.storage
        return taking.take_backup(self.service.url, storage, file or self.file, keys, "1.2.3", self.epoch_keys, **more)

    def restore(self, url: str, *, any_key: bool = False) -> restoring.RestoreReport:
        return self.restore_with(url, None if any_key else self.master_keys)

    def restore_with(self, url: str, keys: tuple[str, ...] | None) -> restoring.RestoreReport:
        return restoring.restore(url, FileStorage(self.folder / "other"), self.file, keys, self.epoch_keys)


@pytest.fixture
def world(service: Service, tmp_path: Path) -> World:
    world = World(service, Ledger(service), tmp_path)
    world.recorded()
    world.gift()
    return world


@pytest.fixture
def empty(server_url: str) -> Iterator[str]:
    with fresh_database(server_url) as url:
        yield url


def rows(url: str) -> dict[str, list[Any]]:
    """Return all rows of the tables that a backup keeps, and of the read models."""
    with connect(url) as connection, connection.cursor() as cursor:
        names = list(tables.backed_up_tables(cursor)) + [f"read.{t.name}" for p in projections.ALL for t in p.TABLES]
        return {name: cursor.execute(f"SELECT t::text FROM {name} t ORDER BY 1".encode()).fetchall() for name in names}


# A restored database has an epoch of its own, in which its keys are sealed again.
RESEALED = ("public.epoch_keys", "public.epochs", "public.ticket_keys", "public.service_keys")


def rows_without_keys(url: str) -> dict[str, list[Any]]:
    return {name: found for name, found in rows(url).items() if name not in RESEALED}


def is_empty(url: str) -> bool:
    with connect(url) as connection:
        return connection.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchone() == (0,)


def test_a_restored_service_is_the_same_in_every_row_and_every_object(world: World, empty: str):
    summary = world.take()
    restored = world.restore(empty)
    assert (restored.events, restored.rows, restored.objects) == (summary.events, summary.rows, summary.objects)
    assert (summary.objects, summary.missing, summary.first_bad, restored.authenticated) == (1, [], None, True)
    assert rows_without_keys(empty) == rows_without_keys(world.service.url)
    for name in ("var/storage", "other"):
        assert len(list(FileStorage(world.folder / name).keys())) == 1
    for key in world.service.content.storage.keys(""):
        with world.service.content.storage.open(key) as original, FileStorage(world.folder / "other").open(key) as copy:
            assert original.read() == copy.read()
    for projection in projections.ALL:
        assert rebuild.verify(empty, projection, lambda *_: None).differences == []


def schema(url: str) -> list[Any]:
    """Return the indexes, constraints and triggers of the tables that a backup keeps."""
    with connect(url) as connection, connection.cursor() as cursor:
        return cursor.execute(
            "WITH kept AS (SELECT unnest(%s::regclass[]) AS oid)"
            "SELECT pg_get_indexdef(indexrelid), '' FROM pg_index WHERE indrelid IN (TABLE kept)"
            " UNION ALL SELECT conrelid::regclass || ' ' || conname, pg_get_constraintdef(oid)"
            "  FROM pg_constraint WHERE conrelid IN (TABLE kept)"
            " UNION ALL SELECT pg_get_triggerdef(oid), tgenabled::text"
            "  FROM pg_trigger WHERE tgrelid IN (TABLE kept) AND NOT tgisinternal ORDER BY 1",
            (list(tables.backed_up_tables(cursor)),),
        ).fetchall()


def test_a_restored_database_has_the_indexes_constraints_and_triggers_of_the_original(world: World, empty: str):
    world.take()
    world.restore(empty)
    assert schema(empty) == schema(world.service.url)


def test_a_restored_service_signs_its_history_although_later_events_were_signed_before(world: World, empty: str):
    published = PublishedCheckpoints(world.service.content.storage, world.service.proof.signer.read)
    assert signs(world.service, world.service.url, published)
    world.take()
    world.gift()
    assert signs(world.service, world.service.url, published)
    world.restore(empty)
    assert not [key for key in FileStorage(world.folder / "other").keys() if key.startswith(FOLDER)]  # noqa: SIM118
    with connect(empty) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("DELETE FROM proof_checkpoints")
    restored = PublishedCheckpoints(FileStorage(world.folder / "other"), world.service.proof.signer.read)
    assert signs(world.service, empty, restored)


def signs(service: Service, url: str, published: PublishedCheckpoints) -> bool:
    with connect(url) as connection:
        while tiles.grow(connection):
            pass
        return checkpoints.sign_tree(connection, service.proof.signer, published, 0)


def test_a_restored_service_starts_and_accepts_writes(world: World, empty: str, tmp_path: Path):
    world.take()
    world.restore(empty)
    reach(empty)
    storage = (tmp_path / "other").as_uri()
    restored_service = Service(Settings(data_dir=tmp_path / "var", storage_url=storage), empty, frozenset())
    try:
        before = restored_service.history.log.head()
        ledger = Ledger(restored_service)
        payment = ledger.payment()
        ledger.take(payment.completed(), payment.succeeded())
        assert restored_service.history.log.head() > before
        with restored_service.database.connection() as connection:
            # The sequences continue as well.
            connection.execute("SELECT procrastinate_defer_jobs_v1(ARRAY[]::procrastinate_job_to_defer_v1[])")
    finally:
        restored_service.stop()


def test_a_backup_taken_under_load_is_a_consistent_snapshot(world: World, empty: str):
    is_over = threading.Event()

    def write() -> None:
        while not is_over.is_set():
            world.recorded()
            world.gift()

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    try:
        eventually_more(world.service, 24)
        summary = world.take()
        head = world.service.history.log.head()
    finally:
        is_over.set()
        for writer in writers:
            writer.join()
    assert 24 <= summary.events <= head
    assert summary.missing == []
    world.restore(empty)
    with connect(empty) as connection:
        # The inbox and the history were written in one transaction, so they must still agree.
        paid = connection.execute("SELECT count(*) FROM events WHERE topic = 'payment_received'").fetchone()
        applied = connection.execute(
            "SELECT count(*) FROM stripe_inbox WHERE type = 'payment_intent.succeeded' AND state = 'applied'"
        ).fetchone()
        recordings = connection.execute("SELECT count(*) FROM events WHERE topic = 'audio_uploaded'").fetchone()
    assert paid == applied
    assert recordings == (len(list(FileStorage(world.folder / "other").keys())),)


def eventually_more(service: Service, events: int) -> None:
    while service.history.log.head() < events:
        threading.Event().wait(0.02)


def test_a_ticket_erased_during_the_backup_has_no_object_in_it(world: World):
    erased: list[UUID] = []

    def progress(name: str, count: int, total: int) -> None:
        if not erased:
            erased.append(ticket)
            world.service.commands.tickets.erase(SYSTEM, ticket)

    ticket = world.recorded()
    summary = world.take(progress=progress)
    assert (summary.objects, summary.erased_meanwhile, summary.missing) == (1, 1, [])
    with world.file.open("rb") as file:
        assert not any(str(ticket) in part.name for part in parts(file))


def test_a_ticket_erased_earlier_has_no_object_in_the_backup(world: World, empty: str):
    world.service.commands.tickets.erase(SYSTEM, world.recorded())
    summary = world.take()
    assert (summary.objects, summary.erased_meanwhile, summary.missing) == (1, 0, [])
    world.restore(empty)
    with connect(empty) as connection:
        assert connection.execute("SELECT count(*) FROM ticket_keys WHERE wrapped = ''").fetchone() == (1,)


def test_an_object_missing_in_storage_is_reported(world: World):
    [key] = world.service.content.storage.keys()
    world.service.content.storage.delete(key)
    assert world.take().missing == [key]


@pytest.fixture(params=[copied_rows.MIN_EVENTS, 1], ids=["verified-here", "verified-by-a-worker"])
def least_for_a_worker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Let each kind of verifier verify the backup."""
    monkeypatch.setattr(copied_rows, "MIN_EVENTS", request.param)
    return request.param


@pytest.mark.usefixtures("least_for_a_worker")
def test_an_altered_history_is_reported_and_not_restored(world: World, empty: str):
    with connect(world.service.url) as connection:
        connection.execute("ALTER TABLE events DISABLE TRIGGER ALL")
        connection.execute("UPDATE events SET topic = 'published' WHERE position = 2")
    assert world.take().first_bad == (2, "does not match its hash")
    with pytest.raises(BackupError, match="event 2 does not match its hash"):
        world.restore(empty)
    with pytest.raises(NotReadyError, match="restore"):
        reach(empty)


@pytest.mark.usefixtures("least_for_a_worker")
def test_an_altered_tree_is_reported(world: World):
    with connect(world.service.url) as connection:
        while tiles.grow(connection):
            pass
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE proof_tiles SET hashes = sha256('x') || substr(hashes, 33) WHERE level = 0")
    assert world.take().first_bad == (1, "differs from the tree")


@pytest.mark.usefixtures("least_for_a_worker")
def test_a_table_in_many_pieces_is_the_same_after_a_restore(world: World, empty: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tables, "PIECE_BYTES", 500)
    summary = world.take()
    with world.file.open("rb") as file:
        assert len([part for part in parts(file) if part.name.startswith("tables/public.events/")]) > 2
    assert (summary.first_bad, world.restore(empty).rows) == (None, summary.rows)
    assert rows_without_keys(empty) == rows_without_keys(world.service.url)


def test_the_copied_rows_give_the_bytes_that_the_links_cover(world: World):
    with connect(world.service.url) as connection, connection.cursor(binary=True) as cursor:
        [copied] = tables.pieces(cursor, tables.EVENTS, tables.backed_up_tables(cursor)[tables.EVENTS])
        assert list(audit.copied(copied)) == cursor.execute(audit.COVERED, (0, 1000)).fetchall() != []


def test_a_backup_with_rows_as_text_is_restored(world: World, empty: str):
    summary = world.take()

    def as_text(name: str, content: bytes) -> bytes:
        if name == "backup.json":
            return content.replace(b"storyledger backup 3", b"storyledger backup 2")
        if not name.startswith("tables/"):
            return content
        table = name.split("/")[1]
        with connect(world.service.url) as connection, connection.cursor() as cursor:
            columns = ", ".join(tables.backed_up_tables(cursor)[table])
            with cursor.copy(f"COPY {table} ({columns}) TO STDOUT".encode()) as copy:
                return gzip.compress(b"".join(copy))

    with_right_hashes(world.file, as_text)
    assert world.restore(empty, any_key=True).rows == summary.rows
    assert rows_without_keys(empty) == rows_without_keys(world.service.url)


# Backups, databases and storages that a restore refuses.


def test_a_restore_refuses_a_database_or_a_storage_that_is_not_empty(world: World, migrated_url: str, empty: str):
    world.take()
    with pytest.raises(BackupError, match="database is not empty"):
        world.restore(migrated_url)
    FileStorage(world.folder / "other").put("a", [b"x"])
    with pytest.raises(BackupError, match="storage is not empty"):
        world.restore(empty)
    assert is_empty(empty)


def test_a_backup_does_not_overwrite_a_file(world: World):
    world.file.write_text("precious")
    with pytest.raises(BackupError, match="already exists"):
        world.take()
    assert world.file.read_text() == "precious"


@pytest.mark.usefixtures("least_for_a_worker")
def test_a_failed_backup_leaves_no_file(world: World):
    def progress(name: str, count: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        world.take(progress=progress)
    assert [path.name for path in world.folder.iterdir()] == ["var"]


def test_a_backup_whose_rows_end_with_an_error_of_the_server_leaves_no_file(world: World):
    with connect(world.service.url) as connection:
        # More than the sockets hold, so that the server is still sending rows after the first piece.
        connection.execute("CREATE TABLE large AS SELECT repeat('x', 1000) FROM generate_series(1, 20000)")

        def cancel(name: str, count: int, total: int) -> None:
            connection.execute(
                "SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND state = 'active' AND query LIKE 'COPY%large%'"
            )

        with pytest.raises(QueryCanceled):
            world.take(progress=cancel)
    assert [path.name for path in world.folder.iterdir()] == ["var"]


@pytest.mark.parametrize("code", ["raise SystemExit(1)", "import os, sys; sys.stdin.read(); os.kill(os.getpid(), 9)"])
def test_a_backup_whose_verifying_process_ends_early_leaves_no_file(
    world: World, monkeypatch: pytest.MonkeyPatch, code: str
):
    monkeypatch.setattr(copied_rows, "MIN_EVENTS", 1)
    monkeypatch.setattr(copied_rows, "WORKER_CODE", code)
    with pytest.raises(WorkerEnded, match="a process that verifies the history ended before it was complete"):
        world.take()
    assert [path.name for path in world.folder.iterdir()] == ["var"]


def test_pieces_for_a_process_that_has_ended_are_refused(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(copied_rows, "WORKER_CODE", "")
    with (
        copied_rows.verifier(world.service.url, "none", copied_rows.MIN_EVENTS) as verifier,
        pytest.raises(WorkerEnded),
    ):
        any(map(verifier.extend_copied, repeat((b"", [0]))))


def test_only_its_owner_can_read_a_backup(world: World):
    world.take()
    assert world.file.stat().st_mode & 0o777 == 0o600


def test_a_missing_master_key_is_reported_before_the_restore_writes_anything(world: World, empty: str):
    world.take()
    with pytest.raises(BackupError, match="MASTER_KEY: the backup was made with another master key"):
        world.restore_with(empty, ("x" * 32,))
    assert is_empty(empty)
    # A key that has been replaced since still authenticates and opens the backup.
    assert world.restore_with(empty, ("x" * 32, *world.master_keys)).authenticated


def test_a_backup_made_while_the_master_key_is_rotated_needs_both_keys(world: World, empty: str):
    keys = BackupKeys(("n" * 32, *world.master_keys))
    taking.take_backup(world.service.url, world.service.content.storage, world.file, keys, "1.2.3", world.epoch_keys)
    with pytest.raises(BackupError, match="1 of 1 master keys are missing"):
        world.restore_with(empty, ("n" * 32,))
    assert world.restore_with(empty, ("n" * 32, *world.master_keys)).authenticated


def rewritten(file: Path, change: Callable[[str, bytes], bytes], leave_out: str | None = None) -> None:
    """Change parts of the backup without changing its hashes."""
    with tarfile.open(file) as old:
        contents = [(entry, old.extractfile(entry).read()) for entry in old if entry.name != leave_out]
    with tarfile.open(file, "w") as new:
        for entry, content in contents:
            changed = change(entry.name, content)
            entry.size = len(changed)
            new.addfile(entry, BytesIO(changed))


def test_a_changed_part_is_detected(world: World, empty: str):
    world.take()
    unchanged = world.file.read_bytes()
    for name in ("backup.json", "tables/public.events/00000001", "objects/", "SHA256SUMS", "HMAC"):

        def change(part: str, content: bytes, name: str = name) -> bytes:
            middle = len(content) // 2
            changed = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
            return changed if part.startswith(name) else content

        rewritten(world.file, change)
        with pytest.raises(BackupError):
            world.restore(empty)
        assert is_empty(empty)
        world.file.write_bytes(unchanged)
    assert world.restore(empty).authenticated


KEYS_PART = "tables/public.api_keys/00000001"


def with_right_hashes(file: Path, change: Callable[[str, bytes], bytes], leave_out: str | None = None) -> None:
    """Change parts of the backup and correct all hashes, as an attacker with the file but without a key can."""
    sums: list[str] = []

    def changed(name: str, content: bytes) -> bytes:
        if name == "HMAC":
            return content
        if name == "SHA256SUMS":
            return "".join(sums).encode()
        content = change(name, content)
        sums.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
        return content

    rewritten(file, changed, leave_out)


def forged(file: Path, *, without_code: bool = False) -> None:
    """Make every API key in a backup an admin's."""

    def forge(name: str, content: bytes) -> bytes:
        if name != KEYS_PART:
            return content
        return gzip.compress(gzip.decompress(content).replace(b"\0\0\0\7auditor", b"\0\0\0\5admin"))

    with_right_hashes(file, forge, leave_out="HMAC" if without_code else None)


def test_a_forged_backup_whose_hashes_are_right_is_refused(world: World, empty: str):
    world.service.access.credentials.create(Role.AUDITOR)
    world.take()
    forged(world.file)
    with pytest.raises(BackupError, match="somebody changed it"):
        world.restore(empty)
    forged(world.file, without_code=True)
    with pytest.raises(BackupError, match="the backup is not authenticated"):
        world.restore(empty)
    assert is_empty(empty)
    restored = world.restore(empty, any_key=True)
    assert restored.authenticated is False
    assert "auditor" not in {key.role for key in restored.credentials.api_keys}


def test_a_restore_names_the_credentials_that_are_valid_again(world: World, empty: str):
    credentials = world.service.access.credentials
    revoked_before, _ = credentials.create(Role.ADMIN)
    credentials.revoke(revoked_before.id)
    expired, _ = credentials.create(Role.ADMIN, expires_at=datetime(2026, 1, 1, tzinfo=UTC))
    revoked_after, secret = credentials.create(Role.CLIENT, "shelter", ["tickets:read"])
    world.service.database.execute(
        "INSERT INTO access_sessions (id, digest, contact_indexes, expires_at)"
        " SELECT gen_random_uuid(), n::text, '{}', now() + make_interval(hours => n) FROM generate_series(-1, 2) n"
    )
    world.take()
    credentials.revoke(revoked_after.id)
    restored = world.restore(empty).credentials
    assert [key for key in restored.api_keys if key.workspace == "shelter"] == [
        RestoredApiKey(str(revoked_after.id), "client", "shelter", ["tickets:read"])
    ]
    assert not {str(revoked_before.id), str(expired.id)} & {key.id for key in restored.api_keys}
    assert (restored.sessions, restored.ticket_tokens) == (2, 2)
    with Database(empty) as database:
        assert Credentials(database).principal(secret) is not None


def test_a_file_of_another_kind_is_refused(world: World, empty: str):
    for content in (b"", b"x" * 100_000, RECORDING.read_bytes()):
        world.file.write_bytes(content)
        with pytest.raises(BackupError):
            world.restore(empty)
        assert is_empty(empty)
    with tarfile.open(world.file, "w") as tar:
        tar.add(RECORDING, "backup.json")
    with pytest.raises(BackupError, match="not a backup"):
        world.restore(empty)


def test_a_backup_of_a_newer_version_is_refused(world: World, empty: str):
    with connect(world.service.url) as connection:
        connection.execute("INSERT INTO schema_steps (name) VALUES ('9999_later')")
    world.take()
    with pytest.raises(BackupError, match="newer version"):
        world.restore(empty)
    assert is_empty(empty)


KEYS = BackupKeys(("k" * 32,))


def small_backup() -> bytes:
    """Return the bytes of a backup with parts of several sizes."""
    file = BytesIO()
    writer = Writer(file, KEYS)
    for number, size in enumerate((300, 0, 512, 1500)):
        writer.add(f"part/{number}", bytes([65 + number]) * size)
    writer.finish()
    return file.getvalue()


SMALL = small_backup()


def read(content: bytes) -> list[tuple[str, bytes]]:
    return [(part.name, part.content.read(part.size)) for part in checked_parts(BytesIO(content), KEYS)]


@given(where=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_a_damaged_byte_is_detected_or_changes_nothing(where: float, flip: int):
    damaged = bytearray(SMALL)
    damaged[int(where * len(SMALL))] ^= flip
    try:
        contents = read(bytes(damaged))
    except BackupError:
        return
    assert contents == read(SMALL)


@given(fraction=st.floats(0, 1, exclude_max=True))
@example(fraction=0.0)
@example(fraction=0.999)  # within the last part, which authenticates the others
def test_a_truncated_backup_is_detected(fraction: float):
    end = len(SMALL.rstrip(b"\x00"))
    with pytest.raises(BackupError):
        read(SMALL[: int(fraction * end)])


# An interrupted restore.


def test_a_killed_restore_is_not_served_and_continues_when_started_again(world: World, empty: str):
    other_file = world.folder / "another.backup"
    world.take()
    world.take(other_file)
    storage = world.folder / "other"
    for point in ("rows", "objects", "links"):
        command = [
            sys.executable,
            "-m",
            "tests.adapters.backup.killed",
            empty,
            storage,
            world.file,
            world.epoch_keys,
            point,
        ]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"here\n"
        process.kill()
        process.communicate()
        with pytest.raises(NotReadyError, match="storyledger"):
            reach(empty)
        if point != "rows":
            with pytest.raises(BackupError, match="another backup"):
                restoring.restore(empty, FileStorage(storage), other_file, None, world.epoch_keys)
    world.restore(empty)
    reach(empty)
    assert rows_without_keys(empty) == rows_without_keys(world.service.url)
