"""The secrets are rotated while the service runs, and after a restart the new ones alone are enough."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from adapters.encryption.epochs import EPOCH_LOCK
from adapters.postgres.database import connect
from domain.values import Role
from tests.client import LiveService
from tests.commands import run_here

OLD, NEW = "old-" * 10, "new-" * 10


class Operator:
    """Starts the service on one database and one data folder with different secrets, and runs commands beside it."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.data = url, folder / "var"

    def serving(self, secrets: str) -> LiveService:
        return LiveService(self.url, self.data, master_key=secrets, email_pepper=secrets)

    def run(self, *arguments: str, secrets: str = OLD) -> tuple[int, str, str]:
        """Return the exit code and the output of a command."""
        settings = {"database_url": self.url, "data_dir": self.data, "master_key": secrets, "email_pepper": secrets}
        ran = run_here(*arguments, **settings)
        return ran.returncode, ran.stdout, ran.stderr

    def run_json(self, *arguments: str, secrets: str = OLD) -> Any:
        """Return the JSON output of a command. Fail if the command fails."""
        code, output, errors = self.run(*arguments, "--json", secrets=secrets)
        assert code == 0, errors
        return json.loads(output)

    def refusal(self, secrets: str) -> str:
        """Return the line with which a start with these secrets is refused."""
        code, _, errors = self.run("serve", "--processes", "1", secrets=secrets)
        assert code == 1
        [line] = errors.splitlines()
        return line


def open_ticket(live: LiveService, name: str) -> None:
    with live.client() as visitor:
        visitor.open_ticket(contactValue="ada@example.com", displayName=name)


def names(live: LiveService) -> set[str]:
    """Return the display names of the tickets that an admin finds by this contact."""
    with live.client_with_key(Role.ADMIN) as admin:
        answer = admin.get("/api/tickets/search", params={"contact": "ada@example.com"})
        assert answer.status_code == 200, answer.text
        return {ticket["displayName"] for ticket in answer.json()["tickets"]}


def test_secrets_are_rotated_while_the_service_runs_and_the_old_ones_are_dropped(migrated_url: str, tmp_path: Path):
    operator = Operator(migrated_url, tmp_path)
    with operator.serving(OLD) as live:
        open_ticket(live, "Ada")
    both = f"{NEW},{OLD}"
    with operator.serving(both) as live:
        open_ticket(live, "Grace")
        assert names(live) == {"Ada", "Grace"}
        assert "MASTER_KEY: " in operator.refusal(NEW)
        assert "keys rewrap" in operator.refusal(NEW)
        rewrapped = {rows["name"]: rows for rows in operator.run_json("keys", "rewrap", secrets=both)["rewrapped"]}
        assert (rewrapped["ticketKeys"]["done"], rewrapped["contacts"]["done"]) == (1, 1)
        assert all(rows["left"] == 0 for rows in rewrapped.values())
        open_ticket(live, "Emmy")
        assert names(live) == {"Ada", "Grace", "Emmy"}
    with operator.serving(NEW) as live:
        assert names(live) == {"Ada", "Grace", "Emmy"}
        assert "MASTER_KEY: " in operator.refusal(OLD)
        assert operator.run_json("audit", "verify", secrets=NEW)["ok"]


def test_the_epoch_key_is_replaced_while_the_service_runs_and_recovered_keys_open_everything(
    migrated_url: str, tmp_path: Path
):
    operator = Operator(migrated_url, tmp_path)
    with operator.serving(OLD) as live:
        # The first requests find an epoch that has begun.
        with connect(migrated_url) as connection:
            assert connection.execute("SELECT count(*) FROM epochs").fetchone() == (1,)
        open_ticket(live, "Ada")
        rotated = operator.run_json("keys", "rotate-epoch")
        assert (rotated["resealed"] >= 1, rotated["destroyed"]) == (True, 1)
        [key] = (operator.data / "epoch" / "objects" / "keys").iterdir()
        assert key.name == rotated["epoch"]
        open_ticket(live, "Grace")
        assert names(live) == {"Ada", "Grace"}
    with connect(migrated_url) as connection, connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (EPOCH_LOCK,))
        for command in ("rewrap", "recover"):
            code, _, errors = operator.run("keys", command)
            assert (code, "another process is replacing the epoch key" in errors) == (1, True)
    assert operator.run_json("keys", "recover")["keyless"] == 0
    with operator.serving(OLD) as live:
        assert names(live) == {"Ada", "Grace"}
    key.parent.rename(tmp_path / "lost")
    code, _, errors = operator.run("keys", "recover")
    assert (code, "EPOCH_KEY_URL: " in errors) == (1, True)
    assert "EPOCH_KEY_URL: " in operator.refusal(OLD)


def test_an_operator_sets_and_clears_the_retention_of_a_workspace(migrated_url: str, tmp_path: Path):
    operator = Operator(migrated_url, tmp_path)
    operator.run_json("keys", "create", "--role", "client", "--workspace", "shelter")
    assert operator.run_json("workspaces", "retention", "shelter", "90") == {
        "workspace": "shelter",
        "retentionDays": 90,
    }
    assert operator.run_json("workspaces", "retention", "shelter", "--donors", "3650") == {
        "workspace": "shelter",
        "donorRetentionDays": 3650,
    }
    shelter = {"workspace": "shelter", "retentionDays": 90, "donorRetentionDays": 3650}
    assert shelter in operator.run_json("workspaces", "list")
    operator.run_json("workspaces", "retention", "shelter", "none", "--donors", "none")
    shelter |= {"retentionDays": None, "donorRetentionDays": None}
    assert shelter in operator.run_json("workspaces", "list")
    assert operator.run("workspaces", "retention", "shelter")[0] == 2
    assert operator.run("workspaces", "retention", "shelter", "--donors", "0")[0] == 2
    code, _, errors = operator.run("workspaces", "retention", "shelter", "--", "-3")
    assert code == 2, errors
