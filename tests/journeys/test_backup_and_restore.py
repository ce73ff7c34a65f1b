"""A running service is backed up, lost, and brought back from one file, as its operator would."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.client import RECORDING
from tests.processes import Serving, run


def test_a_lost_service_is_restored_from_its_backup(tmp_path: Path):
    old, new, file = tmp_path / "old", tmp_path / "new", tmp_path / "story.backup"
    with Serving(data_dir=old) as running:
        ticket = running.client().open_ticket()
        assert ticket.upload(RECORDING.read_bytes()).status_code == 200
        ticket.write_draft(title="Before")
        document = ticket.post("/generate-doc", {"docType": "GOFUNDME_DRAFT"}).json()
        content = ticket.http.get(document["filePath"]).content
        taken = run("backup", file, "--json", data_dir=old)
        assert (taken.returncode, taken.stderr) == (0, "")
        ticket.write_draft(title="After")
    told = json.loads(taken.stdout)
    assert (told["objects"], told["missing"], told["firstBad"]) == (2, [], None)

    # Secrets are not in the file; without them it is refused, and the new place stays as it was.
    refused = run("restore", file, data_dir=new)
    assert (refused.returncode, refused.stderr.startswith("storyledger: MASTER_KEY: ")) == (1, True)
    shutil.copy(old / "secrets.json", new / "secrets.json")
    restored = run("restore", file, "--json", data_dir=new)
    assert (restored.returncode, restored.stderr) == (0, "")
    assert json.loads(restored.stdout)["events"] == told["events"]

    with Serving(data_dir=new, port=running.settings["port"]):
        assert ticket.get(params={"include": "draft"}).json()["donationDraft"]["title"] == "Before"
        assert ticket.http.get(document["filePath"]).content == content
        assert ticket.write_draft(title="Onwards")["title"] == "Onwards"
    assert run("audit", "verify", data_dir=new).returncode == 0
