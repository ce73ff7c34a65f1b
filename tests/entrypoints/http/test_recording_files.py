"""Recordings are listed and played, whole or in parts, by those who may hear the person."""

from __future__ import annotations

import hashlib

import pytest

from tests.client import DEMO_RECORDING, RECORDING, Client, LiveService, Ticket
from tests.entrypoints.http.contract import problem

DATA = RECORDING.read_bytes()
ETAG = f'"{hashlib.sha256(DATA).hexdigest()}"'


def recorded(ticket: Ticket, data: bytes = DATA) -> str:
    """Upload a recording, and return the path from which it is played."""
    answer = ticket.upload(data)
    assert answer.status_code == 200, answer.text
    return f"{ticket.path}/recordings/{answer.json()['audioId']}"


def test_a_ticket_without_a_recording_has_an_empty_list(ticket: Ticket):
    assert ticket.get("/recordings").json() == []
    problem(ticket.get("/recordings/none"), 404, "not-found")


def test_every_recording_is_listed_and_played_also_after_a_newer_one(ticket: Ticket):
    first, second = recorded(ticket), recorded(ticket, DEMO_RECORDING.read_bytes())
    listed = ticket.get("/recordings").json()
    assert [f"{ticket.path}/recordings/{one['id']}" for one in listed] == [first, second]
    assert set(listed[0]) == {"id", "sha256", "sizeBytes", "mediaType", "durationSeconds", "createdAt"}
    assert (listed[0]["sizeBytes"], listed[0]["mediaType"]) == (len(DATA), "audio/webm")
    assert listed[0]["durationSeconds"] > 0
    played = ticket.http.get(first)
    assert played.content == DATA
    assert ticket.http.get(second).content == DEMO_RECORDING.read_bytes()
    assert (played.headers["content-type"], played.headers["etag"]) == ("audio/webm", ETAG)
    assert (played.headers["accept-ranges"], played.headers["content-length"]) == ("bytes", str(len(DATA)))
    assert played.headers["content-disposition"] == f'inline; filename="{listed[0]["id"]}.webm"'


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=5-", 5, len(DATA)),
        ("bytes=-7", len(DATA) - 7, len(DATA)),
        (f"bytes=10-{len(DATA) * 2}", 10, len(DATA)),
        (f"bytes=-{len(DATA) * 2}", 0, len(DATA)),
    ],
)
def test_a_range_is_played_alone(ticket: Ticket, header: str, start: int, stop: int):
    played = ticket.http.get(recorded(ticket), headers={"Range": header, "If-Range": ETAG})
    assert (played.status_code, played.content) == (206, DATA[start:stop])
    assert played.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(DATA)}"
    assert (played.headers["content-length"], played.headers["etag"]) == (str(stop - start), ETAG)


@pytest.mark.parametrize("header", ["bytes=0-1,4-5", "bytes=9-3", "bytes=-", "lines=1-2", "bytes=x-1", ""])
def test_a_range_that_is_not_understood_is_ignored(ticket: Ticket, header: str):
    played = ticket.http.get(recorded(ticket), headers=[("Range", header)])
    assert (played.status_code, played.content) == (200, DATA)
    assert "content-range" not in played.headers


def test_a_range_of_another_version_answers_the_whole_recording(ticket: Ticket):
    played = ticket.http.get(recorded(ticket), headers={"Range": "bytes=0-0", "If-Range": '"another"'})
    assert (played.status_code, played.content) == (200, DATA)


@pytest.mark.parametrize("header", [f"bytes={len(DATA)}-", "bytes=-0", "bytes=999999999999-"])
def test_a_range_outside_of_the_recording_is_refused_with_its_size(ticket: Ticket, header: str):
    refused = ticket.http.get(recorded(ticket), headers={"Range": header})
    problem(refused, 416, "range-not-satisfiable")
    assert refused.headers["content-range"] == f"bytes */{len(DATA)}"


def test_head_and_a_known_recording_send_no_bytes(ticket: Ticket):
    path = recorded(ticket)
    head = ticket.http.head(path)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(DATA)))
    assert (head.headers["etag"], head.headers["content-type"]) == (ETAG, "audio/webm")
    part = ticket.http.head(path, headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.content, part.headers["content-length"]) == (206, b"", "10")
    not_modified = ticket.http.get(path, headers={"If-None-Match": ETAG})
    assert (not_modified.status_code, not_modified.content) == (304, b"")


def test_strangers_auditors_and_other_tickets_hear_nothing(
    ticket: Ticket, client: Client, auditor: Client, admin: Client
):
    path = recorded(ticket)
    other = client.open_ticket(contactValue="grace@example.com")
    assert other.http.get(path).status_code == other.http.get(f"{ticket.path}/recordings").status_code == 404
    problem(other.get("/recordings/" + path.rpartition("/")[2]), 404, "not-found")
    assert client.get(path).status_code == 401
    assert auditor.get(path).status_code == auditor.get(f"{ticket.path}/recordings").status_code == 403
    assert admin.get(path).content == DATA


def test_an_erased_ticket_has_no_recordings(ticket: Ticket, admin: Client):
    path = recorded(ticket)
    assert ticket.http.delete(ticket.path).status_code == 202
    for reader in (ticket.http, admin):
        assert reader.get(path).status_code in (401, 404)
    assert admin.get(f"{ticket.path}/recordings").json() == []
    problem(admin.get(path), 404, "not-found")


def test_a_recording_that_an_administrator_hears_is_in_the_access_log(ticket: Ticket, admin: Client, live: LiveService):
    path = recorded(ticket)
    before = live.row_count("access_log")
    assert admin.get(path, headers={"Range": "bytes=0-9"}).status_code == 206
    assert admin.head(path).status_code == 200
    assert ticket.http.get(path).status_code == 200
    assert live.row_count("access_log") == before + 2
