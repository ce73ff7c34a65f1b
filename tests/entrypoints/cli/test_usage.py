"""Wrong arguments and failures of the environment are one line with an exit code and leave nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.main import get_command

from adapters.identity.access_log import AccessLog
from adapters.identity.credentials import SCOPES
from adapters.postgres.database import Database, connect
from entrypoints.cli import key_commands, main
from entrypoints.cli.app import app
from entrypoints.cli.console import print_table
from entrypoints.composition.generated_secrets import GeneratedSecrets
from entrypoints.composition.service import VERSION
from tests.client import WAIT_SECONDS, eventually
from tests.money import Ledger

STORYLEDGER = Path(sys.executable).parent / "storyledger"
Run = Callable[..., tuple[int, str, str]]
TICKET = "01a1fcb7-cf92-7d3a-94a6-7b128ee46f25"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a command and returns its exit code, standard output and standard error."""
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)

    def run(*words: str) -> tuple[int, str, str]:
        capfd.readouterr()
        monkeypatch.setattr("sys.argv", ["storyledger", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capfd.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """Make standard output a terminal without styles."""
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda _: True)


@pytest.fixture
def run_here(run: Run, migrated_url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs a command on this test's database."""
    monkeypatch.setenv("DATABASE_URL", migrated_url)
    return run


@pytest.mark.parametrize(
    "words",
    [
        ("export", "donations", "--to", "9999-12-31"),
        ("export", "donations", "--from", "0001-01-01"),
        ("export", "donations", "--from", "2026-12-01", "--to", "2026-11-30"),
        ("export", "donations", "--format", "movements", "--by", "paid"),
        ("export", "donations", "--format", "journal", "--unpaid"),
        ("reconcile", "--since", "1969-12-31"),
        ("keys", "create", "--role", "admin", "--expires", "2020-01-01"),
        ("keys", "create", "--role", "admin", "--scope", "tickets:read"),
        ("dead-letters", "retry", "evt_\udc80"),
        ("erase", "\udc80"),
        ("serve", "--only", ""),
        ("serve", "--only", "web,"),
        ("serve", "--only", "web", "--processes", "2"),
    ],
    ids=" ".join,
)
def test_wrong_arguments_are_one_line_and_exit_2_without_a_database(run: Run, words: tuple[str, ...]):
    code, out, err = run(*words)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert err.startswith("storyledger: ")


def test_a_wrong_choice_is_answered_with_the_choices(run: Run):
    code, out, err = run("export", "donations", "--format", "xml")
    assert (code, out) == (2, "")
    assert "Invalid value for '--format': 'xml' is not one of 'csv', 'json', 'movements', 'journal'." in err


@pytest.mark.parametrize("number", ["0", "33", "-1", "two"])
def test_a_wrong_number_of_processes_is_refused(run: Run, number: str):
    code, out, err = run("serve", "--processes", number)
    assert (code, out) == (2, "")
    assert "Invalid value for '--processes'" in err


@pytest.mark.parametrize("name", ["", " ", "a\nb", " ngo", "x" * 101])
def test_an_unreadable_workspace_name_is_refused(run_here: Run, name: str):
    code, out, err = run_here("keys", "create", "--role", "client", "--workspace", name)
    assert (code, out, len(err.splitlines())) == (2, "", 1)


def test_retention_of_an_unknown_workspace_is_refused_and_of_a_known_one_logged(run_here: Run, database: Database):
    assert run_here("workspaces", "retention", "typo", "30")[::2] == (1, "storyledger: the workspace does not exist\n")
    assert run_here("keys", "create", "--role", "client", "--workspace", "shelter")[0] == 0
    assert run_here("workspaces", "retention", "shelter", "30")[0] == 0
    last = AccessLog(database).page(1)[0]
    assert (last.operation, last.object, last.outcome) == ("workspaces retention", "shelter", "done")


def test_settings_of_an_unknown_workspace_are_neither_shown_nor_changed(run_here: Run):
    for words in (("show", "typo"), ("set", "typo", "--title", "Typo")):
        assert run_here("workspaces", *words)[::2] == (1, "storyledger: the workspace does not exist\n")


def test_options_change_the_settings_of_a_workspace_and_are_logged(run_here: Run, database: Database):
    assert run_here("keys", "create", "--role", "client", "--workspace", "shelter")[0] == 0
    code, out, _ = run_here("workspaces", "show", "shelter", "--json")
    before = json.loads(out)
    assert (code, before["name"], before["retention"]) == (0, "shelter", {"ticketDays": None, "donorDays": None})
    organisation = (
        "--legal-name",
        "Shelter e.V.",
        "--address",
        "Uferweg 3\nKöln",
        "--contact",
        "office@shelter.example",
    )
    rules = ("--intake", "invited", "--currency", "eur", "--language", "es", "--keep-tickets", "365")
    code, out, _ = run_here("workspaces", "set", "shelter", *organisation, *rules, "--json")
    changed = json.loads(out)
    assert (code, changed["intake"], changed["currency"], changed["language"]) == (0, "invited", "EUR", "es")
    assert changed["organisation"]["address"] == "Uferweg 3\nKöln"
    assert changed["retention"] == {"ticketDays": 365, "donorDays": None}
    assert run_here("workspaces", "set", "shelter", "--contact", "none", "--keep-tickets", "none")[0] == 0
    code, out, _ = run_here("workspaces", "show", "shelter")
    lines = out.splitlines()
    assert "legal name\tShelter e.V." in lines
    assert "contact\t" in lines
    assert "keep tickets\t" in lines
    last = AccessLog(database).page(1)[0]
    assert (last.operation, last.object, last.outcome) == ("workspaces set", "shelter", "done")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "give at least one of --title, --legal-name"),
        (("--currency", "XXX"), "--currency "),
        (("--title", "none"), "--title "),
        (("--reply-to", "office"), "--reply-to is not an e-mail address"),
        (("--keep-tickets", "0"), "--keep-tickets must be at least 1"),
        (("--keep-donors", "-3"), "--keep-donors must be a number of days, or none"),
        (("--keep-donors", "40000"), "--keep-donors must be at most 36500"),
    ],
)
def test_a_wrong_setting_is_one_line_and_exit_2(run: Run, options: tuple[str, ...], message: str):
    code, out, err = run("workspaces", "set", "public", *options)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert err.startswith(f"storyledger: {message}")


def test_a_comparison_until_a_future_position_ends_with_the_history(run_here: Run):
    code, out, _ = run_here("rebuild-projections", "--until", "9" * 30, "fee_ledger", "fee_ledger", "--json")
    [comparison] = json.loads(out)["projections"]
    assert (code, comparison["name"], comparison["events"], comparison["differences"]) == (0, "fee_ledger", 0, [])


def test_a_day_may_be_written_in_both_iso_forms(run_here: Run, service, database: Database):
    ledger = Ledger(service)
    payment = ledger.payment()
    ledger.follow()
    with database.connection() as connection:
        row = connection.execute("SELECT created_at::date FROM read.donation_ledger").fetchone()
    assert row is not None
    for day in (row[0].isoformat(), row[0].strftime("%Y%m%d")):
        _, out, _ = run_here("export", "donations", "--from", day, "--to", day, "--unpaid")
        assert str(payment.donation_id) in out


def test_an_export_of_an_unknown_workspace_is_no_empty_export(run_here: Run):
    message = "storyledger: there is no workspace nobody\n"
    assert run_here("export", "donations", "--workspace", "nobody") == (1, "", message)
    code, out, _ = run_here("export", "donations", "--workspace", "public", "--format", "movements")
    assert (code, out.count("\n")) == (0, 1)


def test_a_comparison_prints_every_difference_as_json_and_their_number_for_people(
    run_here: Run, service, database: Database
):
    ledger = Ledger(service)
    payment = ledger.payment()
    ledger.take(payment.completed())
    with database.connection() as connection:
        connection.execute(
            "INSERT INTO read.ledger_entries SELECT position, kind, ticket_id, donation_id, currency, amount,"
            " occurred_at, recorded_at, source_id, n FROM read.ledger_entries, generate_series(1, 30) AS n"
        )
    code, out, err = run_here("rebuild-projections", "--verify", "donation_ledger", "--json")
    [comparison] = json.loads(out)["projections"]
    assert (code, len(comparison["differences"])) == (1, 30)
    code, out, _ = run_here("rebuild-projections", "--verify", "donation_ledger")
    assert (code, _) == (1, err)
    assert "(30 rows)" in err


@pytest.mark.usefixtures("terminal")
def test_a_table_on_a_terminal_is_not_wider_than_it(run: Run, capfd: pytest.CaptureFixture[str]):
    print_table("Names", ("id", "name"), [["1", "long " * 50]])
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].strip() == "Names"
    assert max(map(len, lines)) <= 80


def test_elsewhere_each_row_is_one_line_with_tabs_between_its_cells(capfd: pytest.CaptureFixture[str]):
    print_table("Names", ("id", "name", "age"), [["1", "Ada\tL.\nB.", None], ["2", "long " * 50, 3]])
    assert capfd.readouterr().out == f"1\tAda L. B.\t\n2\t{'long ' * 50}\t3\n"


@pytest.mark.usefixtures("terminal")
def test_a_table_shows_markup_as_text_and_no_control_characters(capfd: pytest.CaptureFixture[str]):
    print_table("Names", ("name",), [["[erased]"], ["[/b][link=x]y"], ["\x1b[31mred\x9b2J"]])
    output = capfd.readouterr().out
    assert "[erased]" in output
    assert "[/b][link=x]y" in output
    assert output.replace("\n", "").isprintable()


@pytest.mark.usefixtures("terminal")
def test_ids_in_tables_are_never_wrapped(run_here: Run):
    key = json.loads(run_here("keys", "create", "--role", "client", "--scope", "tickets:read", "--json")[1])
    assert key["id"] in run_here("keys", "list")[1]


def test_erasing_an_unknown_ticket_fails(run_here: Run):
    assert run_here("erase", TICKET) == (1, "", "storyledger: the ticket does not exist\n")


def test_history_is_one_line_for_each_event_and_shows_their_data_with_details(run_here: Run, service):
    payment = Ledger(service).payment(amount=1_234, currency="kwd")
    lines = run_here("history", str(payment.ticket_id))[1].splitlines()
    assert lines[0].split("\t")[2] == "TicketOpened"
    assert {line.count("\t") for line in lines} == {3}
    detailed = run_here("history", str(payment.ticket_id), "--details")[1].splitlines()
    assert [line.rpartition("\t")[0] for line in detailed] == lines
    assert any("1.234 KWD" in line for line in detailed)


def test_a_client_key_without_scopes_is_made_with_a_warning(run_here: Run):
    code, out, err = run_here("keys", "create", "--role", "client", "--json")
    assert (code, json.loads(out)["scopes"]) == (0, [])
    assert err == "storyledger: warning: a client without --scope may call nothing that needs a key\n"


def test_the_version_is_printed(run: Run):
    assert run("--version") == (0, f"storyledger {VERSION}\n", "")


def test_a_command_whose_reader_has_ended_exits_as_other_programs_do():
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run([STORYLEDGER, "--help"], stdout=writer, stderr=subprocess.PIPE, timeout=WAIT_SECONDS)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (128 + signal.SIGPIPE, b"")


@pytest.mark.parametrize(
    ("words", "choices"),
    [
        (("keys", "create", "--role", "king"), "'client', 'admin', 'auditor'"),
        (("export", "donations", "--format", "pdf"), "'csv', 'json', 'movements', 'journal'"),
    ],
)
def test_a_wrong_choice_is_refused_with_the_right_ones(run: Run, words: tuple[str, ...], choices: str):
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert choices in " ".join(err.replace("│", " ").split())


def test_the_help_names_every_scope():
    assert ", ".join(SCOPES) == key_commands.SCOPES


# The library `tempfile` first tries whether it can write to the folder, with a file of its own.
FOLDER = "storyledger-simulate-*"


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param(FOLDER, marks=pytest.mark.soak),
        pytest.param(f"{FOLDER}/postgres/*", marks=pytest.mark.soak),
        f"{FOLDER}/secrets.json",
    ],
)
def test_a_terminated_simulation_leaves_no_files(pattern: str, tmp_path: Path):
    words = [STORYLEDGER, "simulate", "--seed", "1", "--donations", "2000"]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(words, env=os.environ | {"TMPDIR": str(tmp_path)}, stdout=quiet, stderr=quiet) as simulation:
        eventually(lambda: list(tmp_path.glob(pattern)))
        simulation.terminate()
        assert simulation.wait(WAIT_SECONDS) == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


TERMINATED_IN_A_FINALIZER = """
import os, signal, sys
from entrypoints.cli import program

class Finalized:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)

def command(standalone_mode):
    Finalized()
    signal.pause()

program.app = command
sys.argv = ["storyledger", "status"]
program.main()
"""


def test_a_command_ends_if_the_signal_to_terminate_comes_during_a_finalizer():
    ended = subprocess.run([sys.executable, "-c", TERMINATED_IN_A_FINALIZER], capture_output=True, timeout=WAIT_SECONDS)
    assert (ended.returncode, ended.stderr) == (128 + signal.SIGTERM, b"")


NEEDING_DATA = [
    ("audit", "verify"),
    ("audit", "key"),
    ("audit", "export", TICKET, "proof.json"),
    ("backup", "storyledger.backup"),
    ("dead-letters", "list"),
    ("dead-letters", "dismiss", "evt_1"),
    ("dead-letters", "retry"),
    ("doctor",),
    ("erase", TICKET),
    ("export", "donations"),
    ("history", TICKET),
    ("keys", "create", "--role", "admin"),
    ("members", "invite", "ada@example.org", "--role", "owner"),
    ("members", "list"),
    ("members", "remove", TICKET),
    ("members", "erase", TICKET),
    ("keys", "limit", TICKET, "--rate-limit", "payment=99/minute"),
    ("keys", "list"),
    ("keys", "recover"),
    ("keys", "revoke", TICKET),
    ("keys", "rewrap"),
    ("keys", "rotate-epoch"),
    ("rebuild-projections",),
    ("rebuild-projections", "--verify"),
    ("reconcile",),
    ("reinstate", TICKET),
    ("stripe", "check"),
    ("suspend", TICKET, "--reason", "a complaint"),
    ("workspaces", "list"),
    ("workspaces", "retention", "public", "30"),
    ("workspaces", "set", "public", "--title", "Shelter"),
    ("workspaces", "show", "public"),
]


@pytest.mark.parametrize("words", NEEDING_DATA, ids=" ".join)
def test_a_command_on_a_folder_without_data_says_so_and_creates_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
):
    monkeypatch.chdir(tmp_path)
    message = f"storyledger: DATA_DIR: {tmp_path / 'var'} holds no data; `storyledger serve` creates it\n"
    assert run(*words) == (1, "", message)
    (tmp_path / "var").mkdir()
    assert run(*words) == (1, "", message)
    assert list(tmp_path.rglob("*")) == [tmp_path / "var"]


def test_the_audit_of_another_database_creates_no_signing_key(run_here: Run, tmp_path: Path):
    for command in ("verify", "key"):
        code, out, err = run_here("audit", command)
        assert (code, out, "holds no data" in err) == (1, "", True)
    assert list(tmp_path.iterdir()) == []


def test_every_command_needs_data_or_is_known_to_need_none():
    needing_none = {"serve", "migrate", "demo", "restore", "simulate", "audit check"} | {
        "evaluate stories",
        "evaluate speech",
    }
    names = set()
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        names |= {f"{name} {inner}" for inner in getattr(command, "commands", ())} or {name}
    needing_data = {" ".join(words) for words in NEEDING_DATA}
    assert {name for name in names if not any(call.startswith(name) for call in needing_data)} == needing_none


# Failures of the environment.


@pytest.mark.parametrize("damage", ["{", "[]", '{"master_key": 5}', ""])
def test_a_damaged_secrets_file_is_named_and_not_replaced(run: Run, tmp_path: Path, damage: str):
    file = tmp_path / "var" / "secrets.json"
    file.parent.mkdir()
    file.write_text(damage)
    assert run("audit", "key") == (1, "", f"storyledger: DATA_DIR: {file} is damaged: bring it back from a copy\n")
    assert file.read_text() == damage


def test_a_data_folder_that_is_a_file_is_reported_in_one_line(run: Run, tmp_path: Path):
    (tmp_path / "var").write_text("")
    code, out, err = run("audit", "key")
    assert (code, out) == (1, "")
    assert err.startswith("storyledger: DATA_DIR: ")
    assert len(err.splitlines()) == 1


def test_an_empty_data_dir_means_the_default_folder(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATA_DIR", "")
    monkeypatch.chdir(tmp_path)
    GeneratedSecrets(Path("var"))
    assert run("audit", "key")[0] == 0
    assert [path.name for path in tmp_path.iterdir()] == ["var"]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("LOG_LEVEL", "loud", "LOG_LEVEL: must be DEBUG, "),
        ("DATABASE_URL", "mysql://x", "DATABASE_URL: must be a "),
        ("STRIPE_API_BASE", "api.stripe.com", "STRIPE_API_BASE: must be an http"),
        ("OPENAI_BASE_URL", "localhost:8080", "OPENAI_BASE_URL: must be an http"),
    ],
)
def test_an_invalid_setting_is_named_with_its_reason(
    run: Run, monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
):
    monkeypatch.setenv(name, value)
    code, _, err = run("audit", "key")
    assert code == 1
    assert err.startswith(f"storyledger: {message}")


def test_a_read_only_database_is_reported_in_one_line(run: Run, database_url: str, monkeypatch: pytest.MonkeyPatch):
    with connect(database_url) as connection:
        connection.execute(
            "DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on',"
            " current_database()); END$$"
        )
    monkeypatch.setenv("DATABASE_URL", database_url)
    assert run("migrate") == (1, "", "storyledger: database: it is read-only\n")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("INSERT INTO schema_steps (name) VALUES ('9999_future')", "schema is ahead of this version (9999_future)"),
        ("ALTER TABLE stripe_inbox RENAME TO inbox", "schema is damaged: no table stripe_inbox"),
    ],
)
def test_migrating_a_newer_or_damaged_schema_is_refused(run_here: Run, database: Database, damage: str, message: str):
    with database.connection() as connection:
        connection.execute(damage.encode())
    assert run_here("migrate") == (1, "", f"storyledger: database: {message}\n")
