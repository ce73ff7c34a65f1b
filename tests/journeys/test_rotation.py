"""The secrets are rotated while the service runs, and after a restart the new ones alone are enough."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client import Client
from tests.journeys.observed_service import ObservedService
from tests.postgres import fresh_database
from tests.processes import run

OLD, NEW = "old-" * 10, "new-" * 10


def serving(url: str, folder: Path, secret: str) -> ObservedService:
    return ObservedService(url, folder, master_key=secret, email_pepper=secret)


@pytest.fixture
def url(server_url: str, migrated_template: str) -> Iterator[str]:
    with fresh_database(server_url, migrated_template) as made:
        yield made


def open_ticket(service: ObservedService, name: str) -> None:
    with service.client() as visitor:
        visitor.open_ticket(contactValue="ada@example.com", displayName=name)


def names(service: ObservedService) -> set[str]:
    """Return the names of those whom the contact finds, as an admin reads them."""
    with Client(base_url=service.url, timeout=60) as admin:
        admin.headers["Authorization"] = f"Bearer {service.secrets['admin_key']}"
        answer = admin.get("/api/tickets/search", params={"contact": "ada@example.com"})
        assert answer.status_code == 200, answer.text
        return {ticket["displayName"] for ticket in answer.json()["tickets"]}


def refusal(service: ObservedService, master_key: str) -> str:
    """Return the line with which a start with this master key is refused."""
    ran = run("serve", **(service.settings | {"master_key": master_key, "port": 0}))
    assert ran.returncode == 1
    [line] = ran.stderr.splitlines()
    return line


def test_secrets_are_rotated_while_the_service_runs_and_the_old_ones_are_dropped(url: str, tmp_path: Path):
    with serving(url, tmp_path, OLD) as service:
        open_ticket(service, "Ada")
    with serving(url, tmp_path, f"{NEW},{OLD}") as service:
        open_ticket(service, "Grace")
        assert names(service) == {"Ada", "Grace"}
        assert "MASTER_KEY: " in refusal(service, NEW)
        assert "keys rewrap" in refusal(service, NEW)
        rewrapped = {rows["name"]: rows for rows in service.run_json("keys", "rewrap")["rewrapped"]}
        assert (rewrapped["ticketKeys"]["done"], rewrapped["contacts"]["done"]) == (1, 1)
        assert all(rows["left"] == 0 for rows in rewrapped.values())
        open_ticket(service, "Emmy")
        assert names(service) == {"Ada", "Grace", "Emmy"}
    with serving(url, tmp_path, NEW) as service:
        assert names(service) == {"Ada", "Grace", "Emmy"}
        assert "MASTER_KEY: " in refusal(service, OLD)
        assert service.run_json("audit", "verify")["ok"]


def test_an_operator_sets_and_clears_the_retention_of_a_workspace(url: str, tmp_path: Path):
    service = ObservedService(url, tmp_path)
    service.run_json("keys", "create", "--role", "client", "--workspace", "shelter")
    assert service.run_json("workspaces", "retention", "shelter", "90") == {
        "workspace": "shelter",
        "retentionDays": 90,
    }
    assert {"workspace": "shelter", "retentionDays": 90} in service.run_json("workspaces", "list")
    service.run_json("workspaces", "retention", "shelter", "none")
    assert {"workspace": "shelter", "retentionDays": None} in service.run_json("workspaces", "list")
    ran = run("workspaces", "retention", "shelter", "--", "-3", **service.settings)
    assert ran.returncode == 2, ran.stderr
