"""A fault found at the start is reported in one line with exit code 1 before the port is bound."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from entrypoints.composition import startup_checks
from tests.commands import run_here
from tests.postgres import OwnServer

STORYLEDGER = Path(sys.executable).parent / "storyledger"
MOST_SECONDS = 10

SECRET = "x7Jq2vLm9Rt4Wz8Kp3Nd6Yb1Hc5Gf0Sa"
PRODUCTION = {
    "APP_ENV": "production",
    "MASTER_KEY": SECRET + "a",
    "CHECKPOINT_KEY": SECRET + "c",
    "EMAIL_PEPPER": SECRET + "b",
    "STRIPE_SECRET_KEY": "sk_live_" + SECRET,
    "STRIPE_WEBHOOK_SECRET": "whsec_" + SECRET,
    "DATABASE_URL": "postgresql://127.0.0.1:1/x",
    "BASE_URL": "https://stories.example.org",
    "MAIL": "off",
}


def refusal(settings: dict[str, str]) -> str:
    """Return the one line that the service prints when it refuses to start."""
    # Services of other tests may write to the log in this process meanwhile.
    ran = run_here("serve", "--processes", "1", **settings | {"LOG_LEVEL": "CRITICAL"})
    assert (ran.returncode, ran.stdout) == (1, "")
    [line] = ran.stderr.splitlines()
    return line


# Settings, which are checked before any connection.


@pytest.mark.parametrize(
    ("invalid_settings", "expected_message"),
    [
        ({"DATABASE_URL": ""}, "DATABASE_URL: missing"),
        ({"DATABASE_URL": "  "}, "DATABASE_URL: missing"),
        ({"DATABASE_URL": "somewhere"}, "DATABASE_URL: "),
        ({"DATABASE_URL": "postgresql://[::1/x"}, "DATABASE_URL: "),
        ({"DATABASE_URL": "postgresql://127.0.0.1:five/x"}, "DATABASE_URL: "),
        ({"DATABASE_URL": "postgresql://127.0.0.1:70000/x"}, "DATABASE_URL: "),
        ({"DATABASE_URL": "postgresql://127.0.0.1/x?no_such_option=1"}, "DATABASE_URL: "),
        ({"DATABASE_URL": "sqlite:///x.db"}, "DATABASE_URL: "),
        ({"DATABASE_URL": "mysql://root@127.0.0.1/x"}, "DATABASE_URL: "),
        ({"READ_DATABASE_URL": "somewhere"}, "READ_DATABASE_URL: "),
        ({"READ_DATABASE_URL": "postgresql://127.0.0.1:five/x"}, "READ_DATABASE_URL: "),
        ({"READ_DATABASE_URL": "mysql://root@127.0.0.1/x"}, "READ_DATABASE_URL: "),
        ({"STRIPE_SECRET_KEY": ""}, "STRIPE_SECRET_KEY: missing"),
        *(
            ({name: value}, f"{name}: {reason}")
            for name in ("MASTER_KEY", "EMAIL_PEPPER", "CHECKPOINT_KEY", "STRIPE_WEBHOOK_SECRET")
            for value, reason in (
                ("", "missing"),
                ("   ", "missing"),
                ("changeme", "a default"),
                ("ChangeMe-changeme-changeme-changeme", "a default"),
                ("a" * 40, "a default"),
                ("x7Jq2vLm9Rt4Wz8", "shorter than 32 bytes"),
                (f"{SECRET},short-one", "shorter than 32 bytes"),
            )
        ),
        ({"ADMIN_DIAGNOSTICS_TOKEN": "changeme"}, "ADMIN_DIAGNOSTICS_TOKEN: a default"),
        ({"ADMIN_DIAGNOSTICS_TOKEN": "x7Jq2vLm9Rt4Wz8"}, "ADMIN_DIAGNOSTICS_TOKEN: shorter than 32 bytes"),
        ({"DB_OUTAGE_EXIT_SECONDS": "-1"}, "DB_OUTAGE_EXIT_SECONDS: "),
        ({"DB_OUTAGE_EXIT_SECONDS": "soon"}, "DB_OUTAGE_EXIT_SECONDS: "),
        ({"PORT": "http"}, "PORT: "),
    ],
    ids=str,
)
def test_invalid_production_settings_are_named_but_never_shown(
    invalid_settings: dict[str, str], expected_message: str, tmp_path: Path
):
    line = refusal(PRODUCTION | {"DATA_DIR": str(tmp_path)} | invalid_settings)
    assert expected_message in line
    assert not [value for value in invalid_settings.values() if len(value.strip()) > 5 and value in line]
    assert SECRET not in line


# The database, the storage and the port.


@pytest.fixture
def taken_port() -> Iterator[int]:
    """Return a port in use, which the service would report if it got that far."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def refused(tmp_path: Path, taken_port: int) -> Callable[..., str]:
    def run(database_url: str, **more: str) -> str:
        place = {"DATA_DIR": str(tmp_path / "var"), "PORT": str(taken_port), "DATABASE_URL": database_url}
        line = refusal(place | more)
        assert "PORT" not in line
        return line

    return run


@pytest.mark.parametrize(
    ("statement", "expected_message"),
    [
        ("DROP TABLE schema_steps", "schema is behind (0001_history, "),
        (
            "DELETE FROM schema_steps WHERE name = '0008_health'",
            "schema is behind (0008_health): run `storyledger migrate`",
        ),
        ("INSERT INTO schema_steps (name) VALUES ('9999_future')", "schema is ahead of this version (9999_future)"),
        ("ALTER TABLE stripe_inbox RENAME TO inbox", "schema is damaged: no table stripe_inbox"),
        ("ALTER TABLE events DISABLE TRIGGER USER", "schema is damaged: no trigger events_are_append_only"),
        (
            "CREATE OR REPLACE FUNCTION append_events(groups integer[], streams uuid[], versions integer[], topics"
            " text[], tickets uuid[], states bytea[]) RETURNS bigint[] LANGUAGE sql AS 'SELECT NULL::bigint[]'",
            "schema is damaged: not our function append_events",
        ),
    ],
    ids=lambda value: value[:40],
)
def test_a_schema_that_is_not_exactly_ours_is_refused(
    refused: Callable[..., str], migrated_url: str, statement: str, expected_message: str
):
    with psycopg.connect(migrated_url, autocommit=True) as connection:
        connection.execute(statement.encode())
    assert expected_message in refused(migrated_url)


def test_a_process_that_refuses_to_start_prints_one_line_and_ends(database_url: str, tmp_path: Path, taken_port: int):
    """The other tests here start the service inside this process."""
    place = {"DATA_DIR": str(tmp_path), "PORT": str(taken_port), "DATABASE_URL": database_url}
    ran = subprocess.run([STORYLEDGER, "serve"], env=os.environ | place, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout) == (1, "")
    [line] = ran.stderr.splitlines()
    assert "run `storyledger migrate`" in line


def test_a_database_that_takes_no_writes_is_refused(refused: Callable[..., str], migrated_url: str):
    with psycopg.connect(migrated_url, autocommit=True) as connection:
        connection.execute("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on',"
                           " current_database()); END $$")  # fmt: skip
    assert "database: it is read-only" in refused(migrated_url)


def test_a_missing_database_is_reported(refused: Callable[..., str], migrated_url: str):
    assert "database: refuses connections" in refused("postgresql://127.0.0.1:1/x")
    missing = migrated_url.replace(psycopg.conninfo.conninfo_to_dict(migrated_url)["dbname"], "nowhere")
    assert "database: no such database" in refused(missing)


def test_a_database_that_hangs_is_given_up_after_a_timeout(
    refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
):
    assert startup_checks.REACH_SECONDS < MOST_SECONDS
    monkeypatch.setattr(startup_checks, "REACH_SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        assert "database: does not answer" in refused(f"postgresql://127.0.0.1:{hanging.getsockname()[1]}/x")


@pytest.fixture(scope="module")
def careless() -> Iterator[OwnServer]:
    """Return a server that may lose acknowledged commits, and that asks one of its users for a password."""
    server = OwnServer({"fsync": "off", "full_page_writes": "off"}, access="local all guest scram-sha-256\n")
    server.execute("CREATE ROLE guest LOGIN PASSWORD 'right'")
    yield server
    server.close()


def test_a_wrong_password_is_reported_and_not_shown(refused: Callable[..., str], careless: OwnServer):
    line = refused(careless.url.replace("storyledger@", "guest:" + quote("wr:ng") + "@", 1))
    assert "database: wrong user or password" in line
    assert not {"guest", "wr:ng"} & set(line.split())


def test_production_refuses_a_database_that_may_lose_acknowledged_commits(
    refused: Callable[..., str], careless: OwnServer, migrated_url: str
):
    assert "fsync, full_page_writes off" in refused(careless.url, **PRODUCTION | {"DATABASE_URL": careless.url})
    with psycopg.connect(migrated_url, autocommit=True) as connection:
        connection.execute("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off',"
                           " current_database()); END $$")  # fmt: skip
    assert "synchronous_commit off" in refused(migrated_url, **PRODUCTION | {"DATABASE_URL": migrated_url})


def test_a_storage_that_cannot_be_written_is_refused(refused: Callable[..., str], migrated_url: str, tmp_path: Path):
    file = tmp_path / "file"
    file.write_text("no folder")
    line = refused(migrated_url, STORAGE_URL=f"file://{file}/storage")
    assert "storage: " in line
    assert str(file) not in line


def test_a_port_in_use_is_reported(migrated_url: str, taken_port: int, tmp_path: Path):
    place = {"DATA_DIR": str(tmp_path), "PORT": str(taken_port), "DATABASE_URL": migrated_url}
    line = refusal(place)
    assert f"PORT: 127.0.0.1:{taken_port}: " in line
