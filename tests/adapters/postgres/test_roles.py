"""The service runs with a role that cannot alter the history, set up with the documented SQL."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
import structlog

from adapters.postgres.database import connect
from adapters.postgres.roles import APPEND_ONLY, powers_over_history
from adapters.privacy.epoch_rotation import EpochRotation
from domain.values import Role
from entrypoints.cli.serving import warn_of_powers
from tests.client import LiveService
from tests.commands import run_here
from tests.postgres import at

ROOT = Path(__file__).parents[3]
OPERATING = (ROOT / "docs" / "operating.md").read_text()
COMPOSE = (ROOT / "docker-compose.yml").read_text()


@dataclass(frozen=True)
class Roles:
    """URLs of one database with the owner's role, the service's role and a superuser."""

    owner: str
    service: str
    superuser: str

    def run(self, data: Path, *arguments: str | Path, **more: Any) -> None:
        ran = run_here(*arguments, database_url=self.service, data_dir=data, **more)
        assert ran.returncode == 0, ran.stderr


def own_name(statement: str) -> str:
    """Return the documented statement with names of roles and database that no other test run uses."""
    names = {"storyledger_service": f"service_{os.getpid()}", "storyledger": f"owner_{os.getpid()}"}
    named = re.sub(r"DATABASE storyledger\b", f"DATABASE test_{os.getpid()}_0000", statement)
    return re.sub(r"\bstoryledger(_service)?\b", lambda match: names[match[0]], named)


@pytest.fixture(scope="module")
def roles(server_url: str) -> Iterator[Roles]:
    [documented] = re.findall(r"## Database roles.*?```sql\n(.*?)```", OPERATING, re.DOTALL)
    database = own_name("DATABASE storyledger")
    undo = [f"DROP {database} WITH (FORCE)", own_name("DROP ROLE storyledger_service, storyledger")]
    with psycopg.connect(server_url, autocommit=True) as connection:
        for statement in documented.split(";")[:-1]:
            connection.execute(own_name(statement).encode())
        url = at(server_url, database.removeprefix("DATABASE "))
        # The test server lets only one account in, which then takes the role.
        owner, service = (
            f"{url}{'&' if '?' in url else '?'}pgbouncer=true&options={quote('--role=' + own_name(role))}"
            for role in ("storyledger", "storyledger_service")
        )
        yield Roles(owner, service, url)
        for statement in undo:
            connection.execute(statement.encode())


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("roles") / "var"


@pytest.fixture(scope="module")
def migrated(roles: Roles, data: Path) -> Roles:
    for _ in range(2):
        roles.run(data, "migrate", migrate_database_url=roles.owner)
    return roles


def test_the_service_does_all_its_work_with_its_role(migrated: Roles, data: Path, tmp_path: Path):
    with LiveService(migrated.service, data) as live, live.client() as visitor:
        ticket = visitor.open_ticket()
        ticket.write_draft()
        assert ticket.http.delete(ticket.path).status_code == 202
        migrated.run(data, "rebuild-projections")
        EpochRotation(live.service.database, live.service.epochs, 24, lambda _: None).rotate()
        migrated.run(data, "audit", "verify", "--checkpoint", tmp_path / "checkpoint")
        migrated.run(data, "backup", tmp_path / "backup")
        with live.client_with_key(Role.ADMIN) as admin:
            assert admin.post("/admin/db/self-test").json()["overall"] == "PASS"


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("change", ["SELECT FROM {} FOR UPDATE", "DELETE FROM {}", "TRUNCATE {}", "DROP TABLE {}"])
def test_the_service_has_no_right_to_change(migrated: Roles, table: str, change: str):
    with (
        connect(migrated.service) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match=r"denied|owner"),
    ):
        connection.execute(change.format(table).encode())


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET state = ''",
        "ALTER TABLE events DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
        "CREATE OR REPLACE FUNCTION refuse_rewriting_history() RETURNS trigger LANGUAGE sql RETURN NULL",
    ],
)
def test_the_service_cannot_get_around_the_triggers(migrated: Roles, statement: str):
    with connect(migrated.service) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.encode())


def test_every_table_whose_changes_a_trigger_refuses_is_append_only_for_the_service(migrated: Roles):
    refuses_every_update = (
        "SELECT array_agg(tgrelid::regclass::text) FROM pg_trigger t JOIN pg_proc p ON p.oid = tgfoid"
        " WHERE proname LIKE 'refuse%' AND tgtype & 1 = 0 AND tgtype & 16 <> 0"
    )
    with connect(migrated.superuser) as connection:
        row = connection.execute(refuses_every_update.encode()).fetchone()
    assert row is not None
    assert set(row[0]) == set(APPEND_ONLY)


def test_the_powers_of_a_role_over_the_history_are_named(migrated: Roles):
    def powers(url: str) -> list[str]:
        with connect(url) as connection:
            return powers_over_history(connection)

    assert powers(migrated.service) == []
    assert powers(migrated.owner)[:2] == ["owns the table events", "owns the schema of the table events"]
    assert powers(migrated.superuser) == ["is a superuser"]
    with connect(migrated.superuser) as connection, connection.transaction(force_rollback=True):
        for right in ("UPDATE ON events", "TRIGGER ON events", "SET ON PARAMETER session_replication_role"):
            connection.execute(own_name(f"GRANT {right} TO storyledger_service").encode())
        connection.execute(own_name("SET LOCAL ROLE storyledger_service").encode())
        assert powers_over_history(connection) == [
            "may change or delete events",
            "may add triggers to the table events",
            "may switch triggers off",
        ]


def test_production_warns_of_a_role_that_could_alter_the_history(migrated: Roles):
    with structlog.testing.capture_logs() as lines:
        warn_of_powers(migrated.service)
        warn_of_powers(migrated.owner)
    [line] = lines
    assert line["log_level"] == "warning"
    assert "owns the table events" in line["powers"]


def test_the_compose_file_runs_the_service_with_the_documented_role():
    [configured] = re.findall(r"service-role:\n +content: \|\n((?: {6}.*\n)+)", COMPOSE)
    for statement in configured.split("\n")[1:-1]:
        assert re.sub("PASSWORD .*", "", statement.strip()) in re.sub("PASSWORD .*", "", OPERATING)
    [service] = re.findall(r"^x-service:.*?\n\n", COMPOSE, re.DOTALL | re.MULTILINE)
    assert "postgresql://storyledger_service:${POSTGRES_SERVICE_PASSWORD:?}@" in service
    assert 'POSTGRES_PASSWORD: ""' in service
    assert COMPOSE.count("MIGRATE_DATABASE_URL") == 1
