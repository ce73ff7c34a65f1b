"""What an operator types wrongly is said in one line, and what goes wrong outside too; nothing is left hanging."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.identity.access_log import AccessLog
from adapters.postgres.database import Database, connect
from entrypoints.cli import main
from entrypoints.cli.console import table
from tests.client import eventually
from tests.money import Ledger

STORYLEDGER = Path(sys.executable).parent / "storyledger"
Run = Callable[..., tuple[int, str, str]]
TICKET = "01a1fcb7-cf92-7d3a-94a6-7b128ee46f25"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs a command; its exit code, and what it said to programs and to people."""
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("COLUMNS", "80")

    def run(*words: str) -> tuple[int, str, str]:
        capfd.readouterr()
        monkeypatch.setattr("sys.argv", ["storyledger", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capfd.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


@pytest.fixture
def run_here(run: Run, migrated_url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs it on this test's database."""
    monkeypatch.setenv("DATABASE_URL", migrated_url)
    return run


@pytest.mark.parametrize(
    "words",
    [
        ("export", "donations", "--to", "9999-12-31"),
        ("export", "donations", "--from", "0001-01-01"),
        ("reconcile", "--since", "1969-12-31"),
        ("keys", "create", "--role", "admin", "--expires", "2020-01-01"),
        ("keys", "create", "--role", "admin", "--scope", "tickets:read"),
        ("dead-letters", "retry", "evt_\udc80"),
        ("erase", "\udc80"),
        ("serve", "--only", ""),
        ("serve", "--only", "web,"),
    ],
    ids=" ".join,
)
def test_bad_usage_is_one_line_and_exit_2_before_anything_is_asked_of_a_database(run: Run, words: tuple[str, ...]):
    code, out, err = run(*words)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert err.startswith("storyledger: ")


@pytest.mark.parametrize("name", ["", " ", "a\nb", " ngo", "x" * 101])
def test_a_workspace_has_a_name_that_people_can_read_and_type(run_here: Run, name: str):
    code, out, err = run_here("keys", "create", "--role", "client", "--workspace", name)
    assert (code, out, len(err.splitlines())) == (2, "", 1)


def test_how_long_an_unknown_workspace_keeps_its_tickets_cannot_be_said(run_here: Run, database: Database):
    assert run_here("workspaces", "retention", "typo", "30")[::2] == (1, "storyledger: there is no such workspace\n")
    assert run_here("keys", "create", "--role", "client", "--workspace", "shelter")[0] == 0
    assert run_here("workspaces", "retention", "shelter", "30")[0] == 0
    last = AccessLog(database).page(1)[0]
    assert (last.operation, last.object, last.outcome) == ("workspaces retention", "shelter", "done")


def test_a_comparison_until_a_position_to_come_ends_where_the_history_does(run_here: Run):
    code, out, _ = run_here("rebuild-projections", "--until", "9" * 30, "fee_ledger", "fee_ledger", "--json")
    [told] = json.loads(out)["projections"]
    assert (code, told["name"], told["events"], told["differences"]) == (0, "fee_ledger", 0, [])


def test_a_day_is_a_day_however_it_is_written(run_here: Run, service, database: Database):
    ledger = Ledger(service)
    payment = ledger.payment()
    ledger.follow()
    with database.connection() as connection:
        row = connection.execute("SELECT created_at::date FROM read.donation_ledger").fetchone()
    assert row is not None
    for day in (row[0].isoformat(), row[0].strftime("%Y%m%d")):
        _, out, _ = run_here("export", "donations", "--from", day, "--to", day)
        assert str(payment.donation_id) in out


def test_a_comparison_reports_every_difference_to_programs_and_how_many_there_are_to_people(
    run_here: Run, service, database: Database
):
    ledger = Ledger(service)
    payment = ledger.payment()
    ledger.take(payment.completed())
    with database.connection() as connection:
        connection.execute(
            "INSERT INTO read.ledger_entries SELECT position + n, kind, ticket_id, donation_id, currency, amount,"
            " occurred_at, recorded_at FROM read.ledger_entries, generate_series(1, 30) AS n"
        )
    code, out, err = run_here("rebuild-projections", "--verify", "donation_ledger", "--json")
    [told] = json.loads(out)["projections"]
    assert (code, len(told["differences"])) == (1, 30)
    code, out, _ = run_here("rebuild-projections", "--verify", "donation_ledger")
    assert (code, _) == (1, err)
    assert "(30 rows)" in err
    assert max(map(len, out.splitlines())) <= 80


def test_what_people_wrote_is_shown_as_they_wrote_it_and_steers_no_terminal(capfd: pytest.CaptureFixture[str]):
    table("Names", ("name",), [["[erased]"], ["[/b][link=x]y"], ["\x1b[31mred\x9b2J"]])
    shown = capfd.readouterr().out
    assert "[erased]" in shown
    assert "[/b][link=x]y" in shown
    assert shown.replace("\n", "").isprintable()


def test_what_is_copied_into_the_next_command_is_never_broken_over_lines(run_here: Run):
    key = json.loads(run_here("keys", "create", "--role", "client", "--scope", "tickets:read", "--json")[1])
    assert key["id"] in run_here("keys", "list")[1]


def test_who_is_to_be_erased_and_is_not_there_is_said_so(run_here: Run):
    assert run_here("erase", TICKET) == (1, "", "storyledger: there is no such ticket\n")


def test_amounts_are_told_to_people_as_they_write_them(run_here: Run, service, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "200")
    ledger = Ledger(service)
    payment = ledger.payment(amount=1_234, currency="kwd")
    out = run_here("history", str(payment.ticket_id))[1]
    assert "1.234 KWD" in out, out.replace("  ", "")


@pytest.mark.parametrize("come_to", ["*", "*/postgres/*", "*/secrets.json"])
def test_who_is_told_to_end_leaves_nothing_behind(come_to: str, tmp_path: Path):
    words = [STORYLEDGER, "simulate", "--seed", "1", "--donations", "2000"]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(words, env=os.environ | {"TMPDIR": str(tmp_path)}, stdout=quiet, stderr=quiet) as simulation:
        eventually(lambda: list(tmp_path.glob(come_to)), 60)
        simulation.terminate()
        assert simulation.wait(60) == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


def test_in_a_new_data_folder_every_command_finds_a_database_that_is_ready(run: Run):
    code, out, err = run("workspaces", "list", "--json")
    assert (code, json.loads(out), err) == (0, [], "")
    assert run("export", "donations")[0] == 0


# What is wrong outside.


@pytest.mark.parametrize("damage", ["{", "[]", '{"master_key": 5}', ""])
def test_damaged_secrets_are_named_and_never_made_anew(run: Run, tmp_path: Path, damage: str):
    file = tmp_path / "var" / "secrets.json"
    file.parent.mkdir()
    file.write_text(damage)
    assert run("audit", "key") == (1, "", f"storyledger: DATA_DIR: {file} is damaged: bring it back from a copy\n")
    assert file.read_text() == damage


def test_a_data_folder_that_cannot_be_one_is_said_in_a_line(run: Run, tmp_path: Path):
    (tmp_path / "var").write_text("")
    code, out, err = run("audit", "key")
    assert (code, out) == (1, "")
    assert err.startswith("storyledger: DATA_DIR: ")
    assert len(err.splitlines()) == 1


def test_a_blank_data_folder_is_the_usual_one_and_not_where_somebody_stands(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DATA_DIR", "")
    monkeypatch.chdir(tmp_path)
    assert run("audit", "key")[0] == 0
    assert [path.name for path in tmp_path.iterdir()] == ["var"]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("LOG_LEVEL", "loud", "LOG_LEVEL: must be DEBUG, "),
        ("DATABASE_URL", "mysql://x", "DATABASE_URL: must be a "),
        ("STRIPE_API_BASE", "api.stripe.com", "STRIPE_API_BASE: must be an http"),
        ("OPENAI_BASE_URL", "localhost:8080", "OPENAI_BASE_URL: must be an http"),
    ],
)
def test_a_setting_at_fault_is_named_without_the_words_of_a_library(
    run: Run, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
):
    monkeypatch.setenv(name, value)
    code, _, err = run("audit", "key")
    assert code == 1
    assert err.startswith(f"storyledger: {said}")


def test_a_database_that_takes_no_writes_is_said_in_a_line(
    run: Run, database_url: str, monkeypatch: pytest.MonkeyPatch
):
    with connect(database_url) as connection:
        connection.execute(
            "DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on',"
            " current_database()); END$$"
        )
    monkeypatch.setenv("DATABASE_URL", database_url)
    assert run("migrate") == (1, "", "storyledger: database: it is read-only\n")


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("INSERT INTO schema_steps (name) VALUES ('9999_future')", "schema is ahead of this version (9999_future)"),
        ("ALTER TABLE stripe_inbox RENAME TO inbox", "schema is damaged: no table stripe_inbox"),
    ],
)
def test_a_database_that_migrating_cannot_bring_to_this_version_is_said_to_be_so(
    run_here: Run, database: Database, harm: str, said: str
):
    with database.connection() as connection:
        connection.execute(harm.encode())
    assert run_here("migrate") == (1, "", f"storyledger: database: {said}\n")
