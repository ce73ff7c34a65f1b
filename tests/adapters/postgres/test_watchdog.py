"""The watchdog distinguishes a slow server from dead connections. The server and the clock are fakes."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from adapters.postgres import schema_check, watchdog
from adapters.postgres.watchdog import CHECK_SECONDS, SILENT_SECONDS, Watchdog

ANSWER_SECONDS = 2


class Server:
    """A server whose clock advances only during waits for an answer and when a test advances it."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.connections: list[FakeConnection] = []

    def connect(self, *_: Any, **__: Any) -> FakeConnection:
        self.connections.append(FakeConnection(self))
        return self.connections[-1]


class FakeConnection:
    """Answers at once, or not within the watchdog's timeout."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._ours, self._theirs = socket.socketpair()
        self.pgconn = SimpleNamespace(socket=self._ours.fileno())
        self.silent = False

    def execute(self, _: str) -> None:
        if self.silent:
            self._server.now += ANSWER_SECONDS
            raise psycopg.OperationalError("timeout expired")

    def answer_late(self) -> None:
        self._theirs.send(b"an answer")

    def close(self) -> None:
        self._ours.close()
        self._theirs.close()


class FakeDatabase:
    """A pool that counts how often all of its connections were disconnected."""

    def __init__(self) -> None:
        self.disconnected = 0

    def reopen(self, *, disconnect: bool = False) -> None:
        self.disconnected += disconnect


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    server = Server()
    monkeypatch.setattr(watchdog, "time", SimpleNamespace(monotonic=lambda: server.now))
    monkeypatch.setattr(watchdog, "ANSWER_SECONDS", ANSWER_SECONDS)
    monkeypatch.setattr(watchdog, "ShortTimeoutConnection", SimpleNamespace(to=server.connect))
    monkeypatch.setattr(schema_check, "schema_fault", lambda _: None)
    return server


@pytest.fixture
def database() -> FakeDatabase:
    return FakeDatabase()


@pytest.fixture
def checked_watchdog(server: Server, database: FakeDatabase) -> Watchdog:
    new_watchdog = Watchdog("", [database], patience_seconds=0, give_up=lambda: None)  # type: ignore[list-item]
    new_watchdog._check()
    return new_watchdog


def seconds_until_disconnected(checked_watchdog: Watchdog, server: Server, database: FakeDatabase) -> float | None:
    """Check repeatedly for a minute. Return when the pool's connections were disconnected, or None."""
    started = server.now
    while server.now < started + 60:
        checked_watchdog._check()
        if database.disconnected:
            return server.now - started
        server.now += CHECK_SECONDS
    return None


def test_a_connection_that_stays_silent_while_new_ones_are_answered_disconnects_all(
    checked_watchdog: Watchdog, server: Server, database: FakeDatabase
):
    server.connections[-1].silent = True
    seconds = seconds_until_disconnected(checked_watchdog, server, database)
    assert seconds == pytest.approx(SILENT_SECONDS, abs=CHECK_SECONDS)
    assert checked_watchdog.health.available


def test_a_connection_that_is_answered_late_disconnects_nobody(
    checked_watchdog: Watchdog, server: Server, database: FakeDatabase
):
    server.connections[-1].silent = True
    checked_watchdog._check()
    server.connections[0].answer_late()
    assert seconds_until_disconnected(checked_watchdog, server, database) is None


def test_a_connection_that_falls_silent_while_another_one_is_answered_late_disconnects_all(
    checked_watchdog: Watchdog, server: Server, database: FakeDatabase
):
    slow = server.connections[-1]
    slow.silent = True
    checked_watchdog._check()
    slow.answer_late()
    server.connections[-1].silent = True
    seconds = seconds_until_disconnected(checked_watchdog, server, database)
    assert seconds == pytest.approx(SILENT_SECONDS, abs=CHECK_SECONDS)


def test_connections_that_fall_silent_one_after_the_other_disconnect_all(
    checked_watchdog: Watchdog, server: Server, database: FakeDatabase
):
    started = server.now
    while not database.disconnected and server.now < started + 60:
        server.connections[-1].silent = True
        checked_watchdog._check()
        server.now += CHECK_SECONDS
    assert server.now - started < SILENT_SECONDS + ANSWER_SECONDS + 2 * CHECK_SECONDS
