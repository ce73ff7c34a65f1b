"""Every released version's data folder and backup can be opened in this version."""

from __future__ import annotations

import json
import os
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest

from adapters.postgres.embedded.account import server_account
from entrypoints.composition.database_url import DatabaseUrl
from entrypoints.composition.service import Parts
from entrypoints.composition.settings import Settings
from tests.client import Client, LiveService, Ticket, eventually
from tests.commands import run_here
from tests.fakes.mailbox import files, text_of
from tests.releases.make import BASE_URL, CONTACT, give

RELEASES = sorted(path.parent for path in Path(__file__).parent.glob("*/expected.json"))

# Without the worker, because it would continue what was open at the release, such as a checkout that expires.
READING_PARTS = frozenset({Parts.WEB, Parts.PROJECTIONS})


@pytest.fixture(params=RELEASES, ids=lambda folder: folder.name)
def release(request) -> Path:
    return request.param


@pytest.fixture
def data_dir(release: Path, tmp_path: Path) -> Path:
    """Return a copy of the release's data folder."""
    folder = tmp_path / "data"
    account = server_account(folder / "postgres")
    with tarfile.open(release / "data-folder.tar.xz") as archive:
        archive.extractall(folder, filter="tar")  # unlike "data", it keeps file modes, which PostgreSQL checks
    # This file names the folder of the server's socket, which another copy of this data folder may be using.
    (folder / "postgres" / "socket").unlink(missing_ok=True)
    if account is not None:
        for path in ((cluster := folder / "postgres" / "cluster"), *cluster.rglob("*")):
            os.chown(path, account.user, account.group)
    return folder


def restricted(answer: Any, expected: Any) -> Any:
    """Return the answer without the fields that the release did not have, because a later version may add some."""
    if isinstance(answer, dict) and isinstance(expected, dict):
        return {name: restricted(answer[name], expected[name]) for name in answer if name in expected}
    if isinstance(answer, list) and isinstance(expected, list) and len(answer) == len(expected):
        return [restricted(*pair) for pair in zip(answer, expected, strict=True)]
    return answer


def assert_answers_as_before(release: Path, live: LiveService) -> None:
    expected = json.loads((release / "expected.json").read_text())["answers"]
    admin_key = json.loads((live.settings.data_dir / "secrets.json").read_text())["admin_key"]
    with live.client(admin_key) as admin:
        for path, before in expected.items():
            response = admin.get(path)
            now = {"status": response.status_code, "body": response.json()}
            if path == "/admin/dead-letters":
                # After three days, the events that the release held are listed as well.
                letters = now["body"]["deadLetters"]
                now["body"]["deadLetters"] = [letter for letter in letters if letter["error"] != "unmatched"]
            if path == "/api/exports/donations?format=json":
                # Release 0.1.0 listed donations without a payment, too.
                before["body"] = [line for line in before["body"] if line["paidAt"]]
            if isinstance(now["body"], dict) and now["body"].get("status") == "ERASED":
                # Release 0.1.0 did not tell an erased ticket from a draft.
                before["body"] |= {"status": "ERASED", "contentStatus": "ERASED"}
            assert restricted(now, before) == before, path


def test_a_data_folder_of_the_release_is_opened_and_answers_as_before(release: Path, data_dir: Path):
    with DatabaseUrl(Settings(data_dir=data_dir)) as url:
        with LiveService(url, data_dir, READING_PARTS, base_url=BASE_URL) as live:
            assert_answers_as_before(release, live)
        with LiveService(url, data_dir) as live, live.client() as visitor:
            ids = json.loads((release / "ids.json").read_text())
            old_ticket = Ticket(visitor, {"id": ids["tickets"]["handwritten"], "accessToken": ids["token"]})
            give(old_ticket)
            assert log_in(visitor, data_dir / "outbox").get(old_ticket.path).status_code == 200
        verified = run_here("audit", "verify", data_dir=data_dir)
    assert (verified.returncode, verified.stderr) == (0, "")


def log_in(visitor: Client, outbox: Path) -> Client:
    """Return a client with the session that a mailed login code opens."""
    sent_before = len(files(outbox))
    requested = visitor.post("/api/access/request", json={"contactType": "EMAIL", "contactValue": CONTACT})

    def mailed_code() -> str | None:
        new_mails = [mail for mail in files(outbox)[sent_before:] if mail["To"] == CONTACT]
        codes = [match[0] for mail in new_mails if (match := re.search(r"\d{4} \d{4}", text_of(mail)))]
        return codes[-1] if codes else None

    login = {"requestId": requested.json()["requestId"], "code": eventually(mailed_code)}
    session = visitor.post("/api/access/verify", json=login)
    assert session.status_code == 200, session.text
    visitor.headers["Authorization"] = f"Bearer {session.json()['accessToken']}"
    return visitor


def test_a_backup_of_the_release_is_restored_and_answers_as_before(release: Path, database_url: str, tmp_path: Path):
    with tarfile.open(release / "data-folder.tar.xz") as archive:
        archive.extract("./secrets.json", tmp_path, filter="data")
    env = {"data_dir": tmp_path, "database_url": database_url, "base_url": BASE_URL}
    restored = run_here("restore", release / "storyledger.backup", **env)
    if release.name == "0.1.0":
        # The backups of this version are not authenticated.
        assert (restored.returncode, "not authenticated" in restored.stderr) == (1, True)
        restored = run_here("restore", release / "storyledger.backup", "--any-key", **env)
    assert (restored.returncode, restored.stderr) == (0, "")
    with LiveService(database_url, tmp_path, READING_PARTS, base_url=BASE_URL) as live:
        assert_answers_as_before(release, live)
