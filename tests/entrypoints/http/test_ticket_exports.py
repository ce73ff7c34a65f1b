"""One archive has everything that is kept of a ticket, for its holder and for staff who may read it unmasked."""

from __future__ import annotations

import json
import random
import tracemalloc
import zipfile
from datetime import UTC, datetime
from io import BytesIO
from itertools import repeat
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrypoints.http.handlers import ticket_exports
from entrypoints.presentation.zip_stream import zipped
from tests.client import RECORDING, Client, LiveService, Ticket
from tests.entrypoints.conftest import JobRunner
from tests.entrypoints.http.contract import problem
from tests.entrypoints.http.test_attachments import PHOTO, attached
from tests.entrypoints.http.test_corrections import transcribed

EMPTY_LISTS = ("recordings.json", "documents.json", "attachments.json", "donations.json")


def opened(answer: httpx2.Response) -> zipfile.ZipFile:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    archive = zipfile.ZipFile(BytesIO(answer.content))
    assert archive.testzip() is None
    assert len(set(archive.namelist())) == len(archive.namelist())
    return archive


def in_json(archive: zipfile.ZipFile, name: str) -> Any:
    return json.loads(archive.read(name))


@given(st.dictionaries(st.from_regex(r"[a-z/]{1,9}\.txt", fullmatch=True), st.lists(st.binary())))
def test_zipped_files_are_unzipped_unchanged(files: dict[str, list[bytes]]):
    with zipfile.ZipFile(BytesIO(b"".join(zipped(files.items(), datetime.now(UTC))))) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {
            name: b"".join(parts) for name, parts in files.items()
        }


def test_an_archive_of_any_length_takes_little_memory():
    part = random.Random(1).randbytes(64 * 1024)
    files = ((f"{number}.bin", repeat(part, 64)) for number in range(4))
    archive = zipped(files, datetime.now(UTC))
    tracemalloc.start()
    try:
        sizes = [len(piece) for piece in archive]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sum(sizes) > 16 * 1024 * 1024
    assert peak < 2 * 1024 * 1024


@pytest.mark.parametrize(("language", "words"), [("en", "Keep this archive"), ("es", "Guarde este archivo")])
def test_the_archive_explains_itself_in_the_language_of_the_person(ticket: Ticket, language: str, words: str):
    archive = opened(ticket.get("/export", headers={"Accept-Language": language}))
    guide = archive.read("README.txt").decode()
    assert words in guide
    assert "recordings/ " in guide
    chosen = opened(ticket.get("/export", headers={"Accept-Language": "fr", "Cookie": f"language={language}"}))
    assert chosen.read("README.txt").decode() == guide


def test_the_archive_has_what_the_operations_show(ticket: Ticket, work: JobRunner, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ticket_exports, "PAGE", 2)
    transcribed(ticket, work)
    ticket.publish()
    assert ticket.post("/updates", {"text": "The roof is back."}).status_code in (201, 409)
    photo = attached(ticket)
    made = ticket.post("/generate-doc", {"docType": "OTHER"}).json()
    for _ in range(5):
        ticket.pay()
    archive = opened(ticket.get("/export"))
    for name in ("recordings", "documents", "attachments", "consents"):
        assert in_json(archive, f"{name}.json") == ticket.get(f"/{name}").json()
    assert in_json(archive, "updates.json") == ticket.get("/updates").json()["updates"]
    assert in_json(archive, "donations.json") == ticket.get("/donations?limit=100").json()["donations"]
    assert in_json(archive, "history.json") == ticket.get("/history?limit=100").json()["events"]
    assert len(in_json(archive, "donations.json")) == 5
    assert in_json(archive, "ticket.json") == ticket.get().json()
    assert in_json(archive, "draft.json") == ticket.get("?include=draft").json()["donationDraft"]
    sound = in_json(archive, "recordings.json")[0]["id"]
    assert archive.read(f"recordings/{sound}.webm") == RECORDING.read_bytes()
    assert archive.read(f"attachments/{photo}.jpg") == ticket.get(f"/attachments/{photo}").content
    document = f"documents/{made['documentId']}.docx"
    assert archive.read(document) == ticket.http.get(made["filePath"]).content
    (spoken,) = [name for name in archive.namelist() if name.startswith("transcripts/") and name.endswith(".json")]
    assert in_json(archive, spoken) == ticket.get("/transcript").json()
    assert archive.read(spoken.replace(".json", ".txt")) == ticket.get("/transcript?format=txt").content
    assert b"recordings/" in archive.read("README.txt")
    assert "missing.txt" not in archive.namelist()


def test_the_archive_of_a_new_ticket_is_small_and_whole(ticket: Ticket):
    archive = opened(ticket.get("/export"))
    assert [in_json(archive, name) for name in EMPTY_LISTS] == [[]] * len(EMPTY_LISTS)
    assert "draft.json" not in archive.namelist()
    assert ticket.http.head(f"{ticket.path}/export").headers["content-type"] == "application/zip"


def test_a_file_that_is_no_longer_stored_is_named(ticket: Ticket, live: LiveService):
    photo = attached(ticket, PHOTO)
    live.service.content.storage.delete_prefix(f"tickets/{ticket.id}")
    archive = opened(ticket.get("/export"))
    assert archive.read("missing.txt").decode() == f"attachments/{photo}.jpg\n"


def test_strangers_auditors_and_other_tickets_get_no_archive(ticket: Ticket, client: Client, auditor: Client):
    other = client.open_ticket(contactValue="grace@example.com")
    problem(other.http.get(f"{ticket.path}/export"), 404, "not-found")
    problem(auditor.get(f"{ticket.path}/export"), 403, "forbidden")
    problem(client.get(f"{ticket.path}/export"), 401, "unauthenticated")


def test_the_archive_of_an_erased_ticket_has_nothing_of_the_person(ticket: Ticket, admin: Client):
    ticket.upload(RECORDING.read_bytes())
    attached(ticket)
    ticket.write_draft()
    ticket.http.delete(ticket.path)
    assert ticket.get("/export").status_code in (401, 404)
    archive = opened(admin.get(f"{ticket.path}/export"))
    everything = b"".join(archive.read(name) for name in archive.namelist())
    assert b"Lovelace" not in everything
    assert b"ada@example.com" not in everything
    assert not [name for name in archive.namelist() if "/" in name]
