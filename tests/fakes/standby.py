"""A hot standby of a test's own server, which can be paused, frozen and stopped."""

from __future__ import annotations

import os
import subprocess
from urllib.parse import parse_qs, urlsplit

import psycopg

from tests.client import eventually
from tests.postgres import OwnServer

# A line of `pg_hba.conf` for replication. The permissions of the socket refuse all other accounts.
REPLICATION_ACCESS = "local replication storyledger trust\n"


def primary() -> OwnServer:
    """Start a server that standbys may follow."""
    return OwnServer(access=REPLICATION_ACCESS)


class Standby(OwnServer):
    """A hot standby of `leader`, following it as soon as it is made."""

    def __init__(self, leader: OwnServer) -> None:
        self._leader = leader
        super().__init__(access=REPLICATION_ACCESS)

    def _prepare(self) -> None:
        """Copy the leader's cluster."""
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
        """Receive changes from the leader without applying them."""
        self.execute("SELECT pg_wal_replay_pause()")
        eventually(lambda: self._query("SELECT pg_get_wal_replay_pause_state() = 'paused'"), 10)

    def resume(self) -> None:
        self.execute("SELECT pg_wal_replay_resume()")

    def catch_up(self) -> None:
        """Wait until all changes of the leader are applied."""
        with psycopg.connect(self._leader.url, autocommit=True) as connection:
            row = connection.execute("SELECT pg_current_wal_flush_lsn()::text").fetchone()
        assert row is not None
        eventually(lambda: self._query(f"SELECT pg_last_wal_replay_lsn() >= '{row[0]}'::pg_lsn"), 10)

    def promote(self) -> None:
        """Stop following the leader and accept writes."""
        self.execute("SELECT pg_promote()")

    def looked_up(self) -> int:
        """Return how often tables of read models were scanned so far; PostgreSQL reports it with a delay."""
        return self._query(
            "SELECT coalesce(sum(idx_scan + seq_scan), 0) FROM pg_stat_user_tables WHERE schemaname LIKE 'read%'"
        )

    def _query(self, statement: str) -> int:
        with psycopg.connect(self.url, autocommit=True) as connection:
            row = connection.execute(statement.encode()).fetchone()
        assert row is not None
        return int(row[0])
