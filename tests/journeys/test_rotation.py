"""The secrets are rotated while the service runs, and after a restart the new ones alone are enough."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.client import Client
from tests.journeys.house import STORYLEDGER, House
from tests.postgres import fresh_database

OLD, NEW = "old-" * 10, "new-" * 10


@contextmanager
def serving(url: str, folder: Path, master: str, pepper: str) -> Iterator[House]:
    house = House(url, folder, MASTER_KEY=master, EMAIL_PEPPER=pepper)
    try:
        yield house
    finally:
        house.stop()


@pytest.fixture
def url(server_url: str, migrated_template: str) -> Iterator[str]:
    with fresh_database(server_url, migrated_template) as made:
        yield made


def opened(house: House, name: str) -> tuple[str, str]:
    with Client(base_url=house.base_url, timeout=30) as visitor:
        ticket = visitor.open_ticket(contactValue="ada@example.com", displayName=name)
        return ticket.id, ticket.token


def names(house: House) -> set[str]:
    """Whom the contact finds, readable."""
    with Client(base_url=house.base_url, timeout=30) as admin:
        admin.headers["Authorization"] = f"Bearer {house.secrets['admin_key']}"
        found = admin.get("/api/tickets/search", params={"contact": "ada@example.com"})
        assert found.status_code == 200, found.text
        return {ticket["displayName"] for ticket in found.json()["tickets"]}


def refused(house: House, master: str) -> str:
    env = house.env | {"MASTER_KEY": master, "PORT": "0"}
    ran = subprocess.run([STORYLEDGER, "serve"], env=env, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 1
    [line] = ran.stderr.splitlines()
    return line


def test_secrets_are_rotated_in_full_service_and_the_old_ones_dropped(url: str, tmp_path: Path):
    with serving(url, tmp_path, OLD, OLD) as house:
        opened(house, "Ada")
    with serving(url, tmp_path, f"{NEW},{OLD}", f"{NEW},{OLD}") as house:
        opened(house, "Grace")
        assert names(house) == {"Ada", "Grace"}
        assert "MASTER_KEY: " in refused(house, NEW)
        assert "keys rewrap" in refused(house, NEW)
        told = {one["name"]: one for one in house.run("keys", "rewrap")["rewrapped"]}
        assert (told["ticketKeys"]["done"], told["contacts"]["done"]) == (1, 1)
        assert all(one["left"] == 0 for one in told.values())
        opened(house, "Emmy")
        assert names(house) == {"Ada", "Grace", "Emmy"}
    with serving(url, tmp_path, NEW, NEW) as house:
        assert names(house) == {"Ada", "Grace", "Emmy"}
        assert "MASTER_KEY: " in refused(house, OLD)
        assert house.run("audit", "verify")["ok"]


def test_a_workspace_is_told_how_long_to_keep_its_tickets(url: str, tmp_path: Path):
    house = House.__new__(House)
    house.env = os.environ | {"DATABASE_URL": url, "DATA_DIR": str(tmp_path)}
    house.run("keys", "create", "--role", "client", "--workspace", "shelter")
    assert house.run("workspaces", "retention", "shelter", "90") == {"workspace": "shelter", "retentionDays": 90}
    assert {"workspace": "shelter", "retentionDays": 90} in house.run("workspaces", "list")
    house.run("workspaces", "retention", "shelter", "none")
    assert {"workspace": "shelter", "retentionDays": None} in house.run("workspaces", "list")
    for days in ("0", "many", "-3", "99999"):
        command = [STORYLEDGER, "workspaces", "retention", "shelter", "--", days]
        ran = subprocess.run(command, env=house.env, capture_output=True, text=True, timeout=60)
        assert ran.returncode == 2, ran.stderr
