"""A hot standby of a test's own server: a copy of its cluster that follows it, to be delayed, frozen and stopped."""

from __future__ import annotations

import os
import subprocess
from urllib.parse import parse_qs, urlsplit

import psycopg

from tests.client import eventually
from tests.postgres import OwnServer

# Lines of `pg_hba.conf` that let a standby in: the socket's rights keep everybody else out.
LETS_STANDBYS_IN = "local replication storyledger trust\n"


def primary() -> OwnServer:
    """A server that standbys may follow."""
    return OwnServer(access=LETS_STANDBYS_IN)


class Standby(OwnServer):
    """A hot standby of `leader`, following it as soon as it is made."""

    def __init__(self, leader: OwnServer) -> None:
        self._leader = leader
        super().__init__(access=LETS_STANDBYS_IN)

    def _prepare(self) -> None:
        """Begin with a copy of the leader's cluster instead of an empty one."""
        place = parse_qs(urlsplit(self._leader.url).query)
        cluster = self.folder / "postgres" / "cluster"
        cluster.parent.mkdir(mode=0o711)
        where = ["--host", place["host"][0], "--port", place["port"][0], "--username", "storyledger"]
        how = ["--write-recovery-conf", "--no-sync", "--checkpoint=fast"]
        program = self._server.binary("pg_basebackup")
        subprocess.run([program, "--pgdata", cluster, *where, *how], check=True, capture_output=True)
        if os.geteuid() == 0:
            owner = (self._leader.folder / "postgres" / "cluster").stat()
            for path in (cluster, *cluster.rglob("*")):
                os.chown(path, owner.st_uid, owner.st_gid)

    def pause(self) -> None:
        """Receive changes from the primary without replaying them."""
        self.execute("SELECT pg_wal_replay_pause()")
        eventually(lambda: self._asked("SELECT pg_get_wal_replay_pause_state() = 'paused'"))

    def resume(self) -> None:
        self.execute("SELECT pg_wal_replay_resume()")

    def catch_up(self) -> None:
        """Wait until everything that the leader has is shown."""
        with psycopg.connect(self._leader.url, autocommit=True) as connection:
            row = connection.execute("SELECT pg_current_wal_flush_lsn()::text").fetchone()
        assert row is not None
        eventually(lambda: self._asked(f"SELECT pg_last_wal_replay_lsn() >= '{row[0]}'::pg_lsn"))

    def promote(self) -> None:
        """It follows nobody any more, and takes writes of its own."""
        self.execute("SELECT pg_promote()")

    def looked_up(self) -> int:
        """How often its clients have looked into a table of read models so far; told with a delay."""
        return self._asked(
            "SELECT coalesce(sum(idx_scan + seq_scan), 0) FROM pg_stat_user_tables WHERE schemaname LIKE 'read%'"
        )

    def _asked(self, question: str) -> int:
        with psycopg.connect(self.url, autocommit=True) as connection:
            row = connection.execute(question.encode()).fetchone()
        assert row is not None
        return int(row[0])
