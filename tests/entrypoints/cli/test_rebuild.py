"""`storyledger rebuild-projections` logs rebuilds."""

from __future__ import annotations

import pytest

from adapters.identity.access_log import AccessLog
from adapters.postgres.database import Database
from entrypoints.cli import main


def test_a_rebuild_is_in_the_access_log_and_a_comparison_is_not(
    migrated_url: str, database: Database, tmp_path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DATABASE_URL", migrated_url)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "var"))
    for words in (["contact_index", "--verify"], ["contact_index"]):
        monkeypatch.setattr("sys.argv", ["storyledger", "rebuild-projections", *words, "--json"])
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
    entries = AccessLog(database).page(10)
    assert [(entry.operation, entry.object, entry.outcome) for entry in entries] == [
        ("rebuild-projections", "contact_index", "done"),
        ("rebuild-projections", "contact_index", "begun"),
    ]
