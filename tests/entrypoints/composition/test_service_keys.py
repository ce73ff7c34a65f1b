"""The key of network addresses is read at the start of the web part, and keeps no process from starting."""

from __future__ import annotations

from pathlib import Path

import pytest
import structlog

from adapters.observability.counters import REGISTRY
from adapters.postgres.database import Database
from domain.members import MemberRole
from domain.values import Role
from entrypoints.composition.service import Parts
from tests.client import LiveService
from tests.members import joined_member


def stored_keys(database: Database) -> list[str]:
    return [name for (name,) in database.rows("SELECT name FROM service_keys ORDER BY name")]


def unsealed_addresses() -> float:
    return REGISTRY.get_sample_value("storyledger_unsealed_addresses_total") or 0


@pytest.mark.parametrize(
    ("part", "expected_keys"), [(Parts.WEB, ["network addresses"]), (Parts.WORKER, []), (Parts.PROJECTIONS, [])]
)
def test_only_the_web_part_makes_the_key(
    part: str, expected_keys: list[str], database: Database, migrated_url: str, tmp_path: Path
):
    with LiveService(migrated_url, tmp_path, frozenset({part})):
        assert stored_keys(database) == expected_keys


@pytest.mark.parametrize("fault", ["damaged", "without its epoch key"])
def test_the_web_part_starts_without_the_key(fault: str, database: Database, migrated_url: str, tmp_path: Path):
    web, secrets = frozenset({Parts.WEB}), {"master_key": "starts-0123456789-abcdefghijklmnopqrstuvwxyz"}
    with LiveService(migrated_url, tmp_path / "first", web, **secrets):
        pass
    place = tmp_path / "first" / "epoch"
    if fault == "without its epoch key":
        place = tmp_path / "other"
    else:
        database.execute("UPDATE service_keys SET wrapped = set_byte(wrapped, 30, get_byte(wrapped, 30) # 1)")
    with (
        LiveService(migrated_url, tmp_path / "second", web, epoch_key_url=f"file://{place}", **secrets) as live,
        live.client() as visitor,
    ):
        assert visitor.get("/health/ready").status_code == 200


def test_acts_are_recorded_without_their_address_if_the_key_is_damaged(
    database: Database, migrated_url: str, tmp_path: Path
):
    parts = frozenset({Parts.WEB, Parts.PROJECTIONS})
    secrets = {"master_key": "acts-0123456789-abcdefghijklmnopqrstuvwxyz"}
    place = f"file://{tmp_path / 'epoch'}"
    with LiveService(migrated_url, tmp_path / "first", parts, epoch_key_url=place, **secrets):
        pass
    database.execute("UPDATE service_keys SET wrapped = set_byte(wrapped, 30, get_byte(wrapped, 30) # 1)")
    before = unsealed_addresses()
    with (
        structlog.testing.capture_logs() as logged,
        LiveService(migrated_url, tmp_path / "second", parts, epoch_key_url=place, **secrets) as live,
    ):
        owner, credentials = joined_member(live, "shelter", MemberRole.OWNER), live.service.access.credentials
        key, secret = credentials.create(Role.CLIENT, "shelter")
        credentials.revoke(key.id)
        with live.client(secret) as program, owner:
            assert owner.patch("/api/workspaces/shelter", json={"name": "Shelter"}).status_code == 200
            assert program.get("/api/donations").status_code == 401
            acts = owner.get("/api/workspaces/shelter/audit-log").json()["auditLog"]
            events = owner.get("/api/workspaces/shelter/security-events").json()["securityEvents"]
    assert [(act["outcome"], act["address"]) for act in acts] == [("answered 200", None), ("begun", None)]
    assert [(event["kind"], event["address"]) for event in events] == [("revoked_key", None)]
    assert unsealed_addresses() - before == 3
    assert len([entry for entry in logged if "network address" in entry["event"]]) == 1
