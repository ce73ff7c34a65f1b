"""The key of network addresses is read at the start of the web part, and keeps no process from starting."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.postgres.database import Database
from entrypoints.composition.service import Parts
from tests.client import LiveService


def stored_keys(database: Database) -> list[str]:
    return [name for (name,) in database.rows("SELECT name FROM service_keys ORDER BY name")]


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
