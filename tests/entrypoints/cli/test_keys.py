"""`storyledger keys` creates, replaces, lists and revokes API keys."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.identity.access_log import AccessLog, AuditSelection
from adapters.identity.credentials import Credentials
from adapters.postgres.database import Database
from entrypoints.cli import main

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(migrated_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a command on this test's database and returns its exit code and output."""
    monkeypatch.setenv("DATABASE_URL", migrated_url)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "var"))

    def run(*words: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["storyledger", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), capsys.readouterr().out

    return run


def created(run: Run, *words: str) -> dict[str, Any]:
    code, printed = run("keys", "create", *words, "--json")
    assert code == 0
    key: dict[str, Any] = json.loads(printed)
    assert list(key) == ["id", "key", "role", "workspace", "scopes", "expiresAt"]
    return key


def test_a_replaced_key_works_until_it_is_revoked(run: Run, database: Database):
    old = created(run, "--role", "client", "--workspace", "ngo", "--scope", "tickets:read", "--expires", "2040-01-01")
    new = created(run, "--replaces", old["id"], "--overlap", "1.5")
    assert (new["role"], new["workspace"], new["scopes"]) == ("client", "ngo", ["tickets:read"])
    credentials = Credentials(database)
    assert credentials.principal(old["key"])
    assert credentials.principal(new["key"])
    code, printed = run("keys", "list", "--json")
    listed = {key["id"]: key for key in json.loads(printed)}
    assert code == 0
    assert listed[old["id"]]["replacedBy"] == new["id"]
    assert listed[new["id"]]["replacedBy"] is None
    assert listed[old["id"]]["expiresAt"] < new["expiresAt"]
    assert run("keys", "revoke", old["id"])[0] == 0
    assert credentials.principal(old["key"]) is None


def test_a_key_may_have_limits_of_its_own(run: Run, database: Database):
    key = created(run, "--role", "client", "--rate-limit", "1000/minute", "--rate-limit", "payment=99/hour")

    def limits() -> dict[str, str]:
        [listed] = json.loads(run("keys", "list", "--json")[1])
        shown: dict[str, str] = listed["rateLimits"]
        principal = Credentials(database).principal(key["key"])
        assert principal is not None
        assert principal.rate_limits == shown
        return shown

    assert limits() == {"default": "1000/minute", "payment": "99/hour"}
    code, printed = run("keys", "limit", key["id"], "--rate-limit", "create=5/day", "--json")
    assert (code, json.loads(printed)) == (0, {"id": key["id"], "rateLimits": {"create": "5/day"}})
    assert limits() == {"create": "5/day"}
    code, printed = run("keys", "limit", key["id"])
    assert (code, printed) == (0, f"Key {key['id']} has the general limits.\n")
    assert limits() == {}


def test_invalid_arguments_of_keys_create_are_refused(run: Run):
    old = created(run, "--role", "admin")
    assert run("keys", "create")[0] == 2
    assert run("keys", "create", "--role", "king")[0] == 2
    assert run("keys", "create", "--role", "client", "--scope", "tickets:burn")[0] == 2
    for rate in ("many", "0/minute", "page=5/minute", "payment=", "=", "payment=5/fortnight"):
        assert run("keys", "create", "--role", "client", "--rate-limit", rate)[0] == 2
        assert run("keys", "limit", old["id"], "--rate-limit", rate)[0] == 2
    assert run("keys", "create", "--replaces", old["id"], "--rate-limit", "5/minute")[0] == 2
    assert run("keys", "limit", "no-id")[0] == 2
    assert run("keys", "limit", "00000000-0000-4000-8000-000000000000")[0] == 1
    assert run("keys", "create", "--replaces", "no-id")[0] == 2
    assert run("keys", "create", "--replaces", old["id"], "--role", "admin")[0] == 2
    assert run("keys", "create", "--replaces", old["id"], "--overlap", "-1")[0] == 2
    assert run("keys", "create", "--replaces", "00000000-0000-4000-8000-000000000000")[0] == 1
    created(run, "--replaces", old["id"])
    assert run("keys", "create", "--replaces", old["id"])[0] == 1


def test_a_secret_is_printed_once_and_never_listed(run: Run):
    old = created(run, "--role", "auditor")
    code, printed = run("keys", "create", "--replaces", old["id"])
    assert code == 0
    assert "slk_" in printed
    assert "slk_" not in run("keys", "list")[1]


def test_creating_replacing_and_revoking_keys_is_in_the_access_log(run: Run, database: Database):
    old = created(run, "--role", "admin")
    new = created(run, "--replaces", old["id"])
    run("keys", "revoke", old["id"])
    run("keys", "revoke", "00000000-0000-4000-8000-000000000000")
    run("keys", "list")
    entries = list(reversed(AccessLog(database).page(20)))
    assert {entry.actor for entry in entries} == {"admin:command line"}
    assert [(entry.operation, entry.object, entry.outcome) for entry in entries] == [
        ("keys create", "", "begun"),
        ("keys create", old["id"], "done"),
        ("keys create --replaces", old["id"], "begun"),
        ("keys create --replaces", f"{old['id']}/{new['id']}", "done"),
        ("keys revoke", old["id"], "begun"),
        ("keys revoke", old["id"], "done"),
        ("keys revoke", "00000000-0000-4000-8000-000000000000", "begun"),
        ("keys revoke", "00000000-0000-4000-8000-000000000000", "failed"),
    ]


def test_acts_on_a_clients_key_are_in_the_audit_log_of_its_workspace(run: Run, database: Database):
    key = created(run, "--role", "client", "--workspace", "ngo", "--scope", "tickets:read")
    run("keys", "limit", key["id"], "--rate-limit", "5/minute")
    created(run, "--replaces", key["id"])
    run("keys", "revoke", key["id"])
    created(run, "--role", "admin")
    records = AccessLog(database).page_of_workspace(AuditSelection("ngo"), 100)
    assert [(record.actor, record.operation) for record in records[::-2]] == [
        ("admin:command line", operation)
        for operation in ("keys create", "keys limit", "keys create --replaces", "keys revoke")
    ]
    assert {record.address for record in records} == {None}
