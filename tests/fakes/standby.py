"""A hot standby of a test's own server, which can be paused, frozen, stopped and promoted."""

from __future__ import annotations

import os
import subprocess
from urllib.parse import parse_qs, urlsplit

import psycopg

from tests.client import eventually
from tests.postgres import OwnServer

# Line of `pg_hba.conf` that admits a standby. The permissions of the socket keep other users out.
REPLICATION_ACCESS = "local replication storyledger trust\n"


def primary() -> OwnServer:
    """Return a server that standbys may replicate."""
    return OwnServer(access=REPLICATION_ACCESS)


class Standby(OwnServer):
    """A hot standby of `leader`, which replicates it from the start."""

    def __init__(self, leader: OwnServer) -> None:
        self._leader = leader
        super().__init__(access=REPLICATION_ACCESS)

    def _prepare(self) -> None:
        """Start with a copy of the leader's cluster instead of an empty one."""
        query = parse_qs(urlsplit(self._leader.url).query)
        cluster = self.folder / "postgres" / "cluster"
        cluster.parent.mkdir(mode=0o711)
        leader_address = ["--host", query["host"][0], "--port", query["port"][0], "--username", "storyledger"]
        options = ["--write-recovery-conf", "--no-sync", "--checkpoint=fast"]
        program = self._server.binary("pg_basebackup")
        subprocess.run([program, "--pgdata", cluster, *leader_address, *options], check=True, capture_output=True)
        if os.geteuid() == 0:
            owner = (self._leader.folder / "postgres" / "cluster").stat()
            for path in (cluster, *cluster.rglob("*")):
                os.chown(path, owner.st_uid, owner.st_gid)

    def pause(self) -> None:
        """Receive changes from the primary without replaying them."""
        self.execute("SELECT pg_wal_replay_pause()")
        eventually(lambda: self._scalar("SELECT pg_get_wal_replay_pause_state() = 'paused'"))

    def resume(self) -> None:
        self.execute("SELECT pg_wal_replay_resume()")

    def catch_up(self) -> None:
        """Wait until the standby has replayed everything that the leader has written."""
        with psycopg.connect(self._leader.url, autocommit=True) as connection:
            row = connection.execute("SELECT pg_current_wal_flush_lsn()::text").fetchone()
        assert row is not None
        eventually(lambda: self._scalar(f"SELECT pg_last_wal_replay_lsn() >= '{row[0]}'::pg_lsn"))

    def promote(self) -> None:
        """End the replication and accept writes."""
        self.execute("SELECT pg_promote()")

    def read_model_scans(self) -> int:
        """Return how many scans of read model tables its statistics count so far. They lag behind the queries."""
        return self._scalar(
            "SELECT coalesce(sum(idx_scan + seq_scan), 0) FROM pg_stat_user_tables WHERE schemaname LIKE 'read%'"
        )

    def _scalar(self, statement: str) -> int:
        with psycopg.connect(self.url, autocommit=True) as connection:
            row = connection.execute(statement.encode()).fetchone()
        assert row is not None
        return int(row[0])
