"""`storyledger rebuild-projections` logs rebuilds."""

from __future__ import annotations

import pytest

from adapters.identity.access_log import AccessLog
from adapters.postgres.database import Database
from adapters.read_models import rebuild
from adapters.read_models.builds import Build, BuildReplaced
from adapters.worker_process import WorkerEnded
from entrypoints.cli import main
from projections import contact_index

BUILD = Build(contact_index, 7)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (BuildReplaced(BUILD), "read_contact_index_7 was replaced meanwhile: please try again"),
        (
            WorkerEnded("filled read_contact_index_7"),
            "a process that filled read_contact_index_7 ended before it was complete: please try again",
        ),
    ],
)
def test_a_rebuild_that_cannot_finish_says_so_in_one_line(
    error: Exception, message: str, migrated_url: str, tmp_path, monkeypatch: pytest.MonkeyPatch, capsys
):
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setenv("DATABASE_URL", migrated_url)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "var"))
    monkeypatch.setattr(rebuild, "rebuild_all", fail)
    monkeypatch.setattr("sys.argv", ["storyledger", "rebuild-projections", "contact_index"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert (ended.value.code, capsys.readouterr().err) == (1, f"storyledger: {message}\n")


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
