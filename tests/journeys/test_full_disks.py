"""A full disk under the storage or the database is reported, and leaves no partial data."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from adapters.postgres import migrations
from adapters.postgres.database import Database, connect
from adapters.proof.audit import verify
from domain.errors import UnavailableError
from entrypoints.composition.database_url import DatabaseUrl
from entrypoints.composition.service import Parts
from entrypoints.composition.settings import Settings
from tests.client import DEMO_RECORDING, LiveService, eventually
from tests.entrypoints.http.contract import Contract, problem
from tests.postgres import OwnServer

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a disk that is small enough to fill")


@contextmanager
def disk(folder: Path, size: str, owner: Path | None = None) -> Iterator[Path]:
    folder.mkdir(parents=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("nothing can be mounted here")
    try:
        if owner is not None:
            shutil.chown(folder, owner.stat().st_uid, owner.stat().st_gid)
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_an_upload_without_disk_space_is_answered_with_507_and_leaves_nothing(migrated_url: str, tmp_path: Path):
    with (
        disk(tmp_path / "small", "300k") as small,
        LiveService(migrated_url, tmp_path / "var", Parts.ALL, storage_url=f"file://{small}/storage") as live,
    ):
        live.watchers.append(Contract(live.openapi).check)
        ticket = live.client().open_ticket()
        (small / "filler").write_bytes(bytes(250_000))
        problem(ticket.upload(DEMO_RECORDING.read_bytes()), 507, "insufficient-storage")
        assert live.stored_objects() == []
        # A checkpoint may be being written just now.
        eventually(lambda: not any((small / "storage" / "unfinished").iterdir()))
        assert ticket.get().json()["status"] == "DRAFT"
        assert [event["type"] for event in ticket.get("/history").json()["events"]] == ["TicketOpened"]
        # Everything that needs no space continues, and everything else does once there is space.
        ticket.write_draft()
        (small / "filler").unlink()
        assert ticket.upload(DEMO_RECORDING.read_bytes()).status_code == 200


def test_an_upload_without_space_for_its_temporary_file_is_answered_with_507(
    live: LiveService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    ticket = live.client().open_ticket()
    with disk(tmp_path / "small", "40k") as small:
        monkeypatch.setattr("tempfile.tempdir", str(small))
        problem(ticket.upload(DEMO_RECORDING.read_bytes()), 507, "insufficient-storage")
    assert live.stored_objects() == []


@pytest.fixture
def crammed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[OwnServer, Path]]:
    """Run a server with a database whose tables are on a small disk."""
    server = OwnServer()
    try:
        with disk(server.folder / "small", "32m", server.folder / "postgres" / "cluster") as small:
            server.execute(f"CREATE TABLESPACE small LOCATION '{small}'")
            server.execute("CREATE DATABASE crammed TABLESPACE small")
            yield server, small
            server.execute("DROP DATABASE crammed WITH (FORCE)")
            server.execute("DROP TABLESPACE small")
    finally:
        server.close()


def test_a_database_without_disk_space_refuses_writes_with_503_and_leaves_nothing(
    crammed: tuple[OwnServer, Path], tmp_path: Path
):
    server, small = crammed
    url = server.at("crammed")
    with connect(url) as connection:
        migrations.migrate(connection)
        connection.execute("CREATE TABLE filler (bytes bytea)")
    with LiveService(url, tmp_path / "var", Parts.ALL) as live:
        live.watchers.append(Contract(live.openapi).check)
        ticket = live.client().open_ticket()
        # The read models have no space either.
        live.service.history.barrier.patience_seconds = 0
        fill(small / "filler")
        earlier_events = events(live)
        refused = 0
        for number in range(400):
            answer = ticket.patch("/draft", {"story": f"{number} " + os.urandom(4_500).hex()})
            assert answer.status_code in (200, 503), answer.text
            refused += answer.status_code == 503
            if refused == 5:
                break
        assert refused == 5
        assert live.client().get("/health/ready").status_code == 200
        # Acknowledged writes are stored, refused ones are not, and there is nothing else.
        drafts = [event for event in events(live) if event not in earlier_events]
        assert len(drafts) == number + 1 - refused
        assert [event[0] for event in events(live)] == list(range(1, len(events(live)) + 1))
        (small / "filler").unlink()
        assert ticket.write_draft()["title"] == "Help Ada"
        assert verify(url).ok


@contextmanager
def short_of_log(data_dir: Path, size: str) -> Iterator[Path]:
    """Create the embedded server's folder with its write-ahead log on a small disk."""
    settings = Settings(data_dir=data_dir)
    with DatabaseUrl(settings):
        cluster = data_dir / "postgres" / "cluster"
    log = (cluster / "pg_wal").rename(cluster / "pg_wal.made")
    with disk(cluster / "pg_wal", size, cluster) as small:
        subprocess.run(["cp", "-a", f"{log}/.", small], check=True)
        yield small


def test_a_database_without_space_for_its_log_is_unavailable_until_there_is_space(tmp_path: Path):
    data_dir = tmp_path / "var"
    with (
        short_of_log(data_dir, "64m") as small,
        DatabaseUrl(Settings(data_dir=data_dir)) as url,
        LiveService(url, data_dir, Parts.ALL) as live,
    ):
        live.watchers.append(Contract(live.openapi).check)
        ticket = live.client().open_ticket()
        live.service.history.barrier.patience_seconds = 0
        fill(small / "filler")
        # More than the space left for the log, so the server stops, and has the same lack of space after its restart.
        with pytest.raises(psycopg.OperationalError), connect(url) as connection:
            connection.execute("CREATE TABLE filler AS SELECT n FROM generate_series(1, 2000000) AS n")
        answers = [ticket.patch("/draft", {"title": f"Title {number}"}).status_code for number in range(20)]
        assert set(answers) <= {200, 503}
        assert 503 in answers
        (small / "filler").unlink()
        eventually(lambda: live.client().get("/health/ready").status_code == 200)
        assert ticket.write_draft()["title"] == "Help Ada"
        assert [topic for _, topic in events(live)] == ["ticket_opened", *["draft_edited"] * (answers.count(200) + 1)]
        assert verify(url).ok


def fill(file: Path) -> None:
    """Fill the disk of this file."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT)
    with suppress(OSError):
        while os.write(descriptor, bytes(65_536)):
            pass
    os.close(descriptor)


def events(live: LiveService) -> list[tuple[Any, ...]]:
    with live.service.database.reading() as cursor:
        cursor.execute("SELECT position, topic FROM events ORDER BY position")
        return cursor.fetchall()


def test_a_full_disk_makes_the_database_unavailable(database: Database):
    with pytest.raises(UnavailableError), database.transaction() as cursor:
        cursor.execute("DO $$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = 'disk_full'; END $$")
