"""A running service is backed up, lost, and restored from one file, as its operator would."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from entrypoints.composition.database_url import DatabaseUrl
from entrypoints.composition.settings import Settings
from tests.client import RECORDING, LiveService, free_port
from tests.commands import run_here


@contextmanager
def serving(data_dir: Path, port: int) -> Iterator[LiveService]:
    """Run the service on the embedded PostgreSQL of its data folder."""
    with DatabaseUrl(Settings(data_dir=data_dir)) as url, LiveService(url, data_dir, port=port) as running:
        yield running


def test_a_lost_service_is_restored_from_its_backup(tmp_path: Path):
    old, new, file, port = tmp_path / "old", tmp_path / "new", tmp_path / "story.backup", free_port()
    with serving(old, port) as running:
        ticket = running.client().open_ticket()
        assert ticket.upload(RECORDING.read_bytes()).status_code == 200
        ticket.write_draft(title="Before")
        document = ticket.post("/generate-doc", {"docType": "GOFUNDME_DRAFT"}).json()
        content = ticket.http.get(document["filePath"]).content
        backup = run_here("backup", file, "--json", data_dir=old)
        assert (backup.returncode, backup.stderr) == (0, "")
        ticket.write_draft(title="After")
    summary = json.loads(backup.stdout)
    assert (summary["objects"], summary["missing"], summary["firstBad"]) == (2, [], None)

    # The file has no secrets. Without them the restore is refused and writes nothing.
    refused = run_here("restore", file, data_dir=new)
    assert (refused.returncode, refused.stderr.startswith("storyledger: MASTER_KEY: ")) == (1, True)
    shutil.copy(old / "secrets.json", new / "secrets.json")
    # The server runs on, so that restoring, serving and verifying do not start it each time.
    with DatabaseUrl(Settings(data_dir=new), migrate=False):
        restored = run_here("restore", file, "--json", data_dir=new)
        assert (restored.returncode, restored.stderr) == (0, "")
        report = json.loads(restored.stdout)
        assert (report["events"], report["authenticated"]) == (summary["events"], True)
        assert [key["role"] for key in report["credentials"]["apiKeys"]] == ["admin"]

        with serving(new, port):
            assert ticket.get(params={"include": "draft"}).json()["donationDraft"]["title"] == "Before"
            assert ticket.http.get(document["filePath"]).content == content
            assert ticket.write_draft(title="Onwards")["title"] == "Onwards"
            assert run_here("audit", "verify", data_dir=new).returncode == 0
