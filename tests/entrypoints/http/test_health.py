"""Health and readiness report the service's state, and the self-test leaves nothing behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.health.self_test import SelfTest
from adapters.health.self_test.context import SelfTestContext, expect
from adapters.postgres import watchdog
from adapters.postgres.database import connect
from domain.values import Role
from entrypoints.composition.service import Parts
from tests.client import WAIT_SECONDS, Client, LiveService, eventually
from tests.entrypoints.conftest import donate_in_sandbox
from tests.entrypoints.http.contract import Contract, problem
from tests.postgres import fresh_database

TOKEN = "diagnostics-" + "0123456789abcdef" * 2
GROUPS = {
    "HealthCheckRun",
    "SupportTicket",
    "ProfileTicket",
    "SpeechIntelligence",
    "RecordingTicket",
    "DonationPipeline",
    "KnowledgeBase",
}


@pytest.fixture(scope="module")
def diagnosed(
    server_url: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveService]:
    """Run a service with a diagnostics token. A test that damages it or its database repairs it again."""
    folder = tmp_path_factory.mktemp("health") / "var"
    with fresh_database(server_url, migrated_template) as url, pytest.MonkeyPatch.context() as patch:
        patch.setattr(watchdog, "SCHEMA_CHECK_SECONDS", 0.0)
        with LiveService(url, folder, frozenset({Parts.WEB}), admin_diagnostics_token=TOKEN) as running:
            contract = Contract(running.openapi)
            running.watchers.append(lambda answer: contract.check(answer) if answer.status_code != 500 else None)
            yield running


@contextmanager
def renamed(url: str, table: str) -> Iterator[None]:
    """Give a table another name within the block."""
    with connect(url) as connection:
        connection.execute(f"ALTER TABLE {table} RENAME TO renamed".encode())
        try:
            yield
        finally:
            connection.execute(f"ALTER TABLE renamed RENAME TO {table}".encode())


def test_the_database_health_does_not_show_the_database_url(client: Client):
    body = client.get("/health/db").json()
    assert body.pop("lastPingAt") > (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
    assert body == {
        "ready": True,
        "lastError": None,
        "failureCount": 0,
        "databaseUrl": "configured",
        "message": "The database answers.",
    }


def test_health_answers_as_liveness_and_also_without_the_database(live: LiveService, client: Client):
    answers = [client.get("/health"), client.get("/health/live")]
    live.service.database.shut()
    try:
        answers += [client.get("/health"), client.get("/health/live")]
    finally:
        live.service.database.reopen()
    bodies = [answer.json() for answer in answers]
    assert {answer.status_code for answer in answers} == {200}
    assert {(*body, body["status"], body["version"]) for body in bodies} == {
        ("status", "timestamp", "uptime", "version", "alive", live.service.version)
    }


def test_readiness_reports_projections_inbox_and_jobs(live: LiveService, client: Client):
    ticket = client.open_ticket()
    assert ticket.get().status_code == 200
    body = client.get("/health/ready").json()
    assert (body["ready"], body["database"]) == (True, True)
    assert set(body["projections"]) == set(live.service.queries.projection_lags())
    head = live.service.history.log.head()
    assert {projection["head"] for projection in body["projections"].values()} == {head}
    # Also projections that ignore the last event.
    assert eventually(
        lambda: (
            {projection["position"] for projection in client.get("/health/ready").json()["projections"].values()}
            == {head}
        )
    )
    assert set(body["inbox"]) == {"waiting", "deadLetters", "oldestSeconds"}
    assert set(body["jobs"]) == {"waiting", "running", "failed"}


def test_lag_is_reported_in_seconds_and_does_not_make_the_service_unready(diagnosed: LiveService):
    """No follower runs for the read models of this service."""
    diagnosed.service.history.barrier.patience_seconds = 0
    with diagnosed.client() as client:
        started = datetime.now(UTC)
        client.open_ticket()

        def lag_seconds() -> float:
            answer = client.get("/health/ready")
            assert answer.status_code == 200
            body = answer.json()["projections"]["ticket_status"]
            assert body["position"] < body["head"]
            return float(body["lagSeconds"])

        eventually(lambda: lag_seconds() > 0)
        assert lag_seconds() <= (datetime.now(UTC) - started).total_seconds() + 1


def test_health_answers_while_all_connections_and_threads_are_busy(diagnosed: LiveService):
    """An answer that arrives before the connections are released needed none of them."""
    release = threading.Event()
    service = diagnosed.service

    def hold() -> None:
        with service.database.connection():
            release.wait(WAIT_SECONDS)

    # First the connections are released, then all requests end, and then their clients are closed.
    with (
        ExitStack() as clients,
        ThreadPoolExecutor(24) as holders,
        ThreadPoolExecutor(60) as askers,
        ExitStack() as held,
    ):
        held.callback(release.set)
        for _ in range(24):
            holders.submit(hold)
        stuck = [diagnosed.client() for _ in range(60)]
        for client_on_a_connection in stuck:
            clients.enter_context(client_on_a_connection)
            askers.submit(
                client_on_a_connection.get, "/api/tickets/search", headers={"Authorization": "Bearer slk_" + "x" * 43}
            )
        # The server has 40 threads.
        eventually(lambda: service.database.occupancy().waiting >= 40)
        with diagnosed.client() as client:
            for path in ("/health/live", "/health/db", "/health/ready"):
                assert client.get(path).status_code == 200


def test_an_unexpected_schema_makes_the_service_unready(diagnosed: LiveService):
    with diagnosed.client() as client:
        with renamed(diagnosed.service.url, "step_progress"):
            eventually(lambda: client.get("/health/ready").status_code == 503)
            body = client.get("/health/ready").json()
            assert (body["ready"], body["database"]) == (False, True)
            assert client.get("/health/db").status_code == 200
        eventually(lambda: client.get("/health/ready").status_code == 200)


def test_a_stopping_service_is_unready_and_closes_its_connections(migrated_url: str, tmp_path: Path):
    with LiveService(migrated_url, tmp_path / "var", frozenset({Parts.WEB})) as stopping, stopping.client() as client:
        assert "connection" not in client.get("/health/live").headers
        stopping.service.finish()
        for path, status in (("/health/ready", 503), ("/health/live", 200), ("/health/db", 200)):
            answer = client.get(path)
            assert (answer.status_code, answer.headers["connection"]) == (status, "close")


# The self-test.


def everything(url: str) -> dict[str, Any]:
    """Return the number of rows of each table and the value of each sequence, without the log of callers."""
    with connect(url) as connection:
        tables = connection.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
            " AND tablename <> 'access_log' ORDER BY 1"
        ).fetchall()
        counts = {
            name: connection.execute(
                f"SELECT count(*), md5(string_agg(t::text, '' ORDER BY t::text)) FROM {name} t".encode()
            ).fetchone()
            for (name,) in tables
        }
        sequences = connection.execute(
            "SELECT schemaname, sequencename, last_value FROM pg_sequences ORDER BY 1, 2"
        ).fetchall()
    return counts | {"sequences": sequences}


def test_the_self_test_writes_and_reads_everything_and_leaves_nothing_behind(migrated_url: str, tmp_path: Path):
    with (
        LiveService(migrated_url, tmp_path / "var") as service_with_all_parts,
        service_with_all_parts.client() as client,
    ):
        donate_in_sandbox(service_with_all_parts, client.open_ticket())
    # Nothing else writes, because the service with background work has ended.
    with LiveService(migrated_url, tmp_path / "var", frozenset({Parts.WEB})) as live:
        live.service.history.barrier.patience_seconds = 0
        with live.client_with_key(Role.ADMIN) as admin:
            assert admin.get("/admin/projections").status_code == 200
            before = everything(live.service.url)
            body = admin.post("/admin/db/self-test", json={}).json()
            assert (body["overall"], set(body["tests"]), set(body["tests"].values())) == ("PASS", GROUPS, {"PASS"})
            # No row is left in any table, and no position of a follower has changed.
            assert everything(live.service.url) == before
            head = live.service.history.log.head()
            admin.open_ticket()
            assert live.service.history.log.head() == head + 1


def test_the_diagnostics_token_gives_access_to_the_self_test_only(diagnosed: LiveService):
    with diagnosed.client(TOKEN) as operator:
        assert operator.post("/admin/db/self-test").json()["overall"] == "PASS"
        for method, path in (("GET", "/admin/projections"), ("GET", "/admin/dead-letters")):
            problem(operator.request(method, path), 401, "unauthenticated")
    with diagnosed.client(TOKEN[:-1]) as almost:
        problem(almost.post("/admin/db/self-test"), 401, "unauthenticated")


def test_a_failed_group_is_named_and_the_others_continue(diagnosed: LiveService):
    with renamed(diagnosed.service.url, "stripe_links"), diagnosed.client(TOKEN) as operator:
        answer = operator.post("/admin/db/self-test")
    assert answer.status_code == 500
    failed = [name for name, verdict in answer.json()["tests"].items() if verdict == "FAIL"]
    assert (answer.json()["overall"], failed) == ("FAIL", ["DonationPipeline"])
    assert "links" not in answer.text


def test_a_group_with_an_unexpected_result_fails(migrated_url: str):
    def disappointed(_: SelfTestContext) -> None:
        expect(False, "something else")

    def pleased(_: SelfTestContext) -> None:
        expect(True, "just this")

    tested = SelfTest(migrated_url, ("m" * 32,), {"Disappointed": disappointed, "Pleased": pleased})
    assert tested.run() == {"Disappointed": False, "Pleased": True}
