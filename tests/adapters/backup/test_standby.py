"""A backup of a standby is the same as one of its primary, so that the primary need not be disturbed."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from adapters.backup import taking
from adapters.backup.parts import BackupKeys
from adapters.event_store import log
from adapters.postgres import migrations
from adapters.postgres.database import connect
from adapters.storage.files import FileStorage
from tests.benchmarks.world import opened
from tests.fakes.standby import Standby, primary


@pytest.mark.slow
def test_a_standby_is_backed_up_and_its_history_verified(tmp_path: Path):
    leader = primary()
    try:
        with connect(leader.url) as connection, connection.cursor() as cursor:
            migrations.migrate(connection)
            log.append(cursor, [[opened(uuid4())], [opened(uuid4())]])
        standby = Standby(leader)
        try:
            standby.catch_up()
            keys, place = BackupKeys(("k" * 32,)), (tmp_path / "epoch").as_uri()
            taken = taking.take_backup(
                standby.url, FileStorage(tmp_path / "storage"), tmp_path / "file", keys, "1.2.3", place
            )
        finally:
            standby.close()
    finally:
        leader.close()
    assert (taken.events, taken.first_bad) == (2, None)
