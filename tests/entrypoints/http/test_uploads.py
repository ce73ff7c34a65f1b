"""Uploads of recordings: accepted by content, streamed, and not stored if they are refused."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

import httpx2
import pytest

from adapters.speech.inspection_slots import PER_CLIENT
from domain.values import AudioFacts
from entrypoints.http.threads import MAX_THREADS
from tests.client import WAIT_SECONDS, Client, LiveService, Ticket, eventually, free_port
from tests.entrypoints.http.contract import pointers, problem
from tests.fakes.recordings import dense_flac, silent_recording

RECORDINGS = Path(__file__).parents[2] / "fixtures" / "speech"
MIB = 1024 * 1024
MOST_GROWTH_KB = 24 * 1024
# The server loads nothing in the background, because that memory would count as the upload's.
SERVE = """
from entrypoints.cli import main
from entrypoints.composition.warm_up import Loading

made = Loading.__init__
Loading.__init__ = lambda self, loads, then: made(self, [], then)
main()
"""

FORMATS = {
    "speech.wav": "audio/wav",
    "speech.mp3": "audio/mpeg",
    "speech.ogg": "audio/ogg",
    "speech.webm": "audio/webm",
    "speech.m4a": "audio/mp4",
    "speech.aac": "audio/aac",
    "speech.flac": "audio/flac",
}


def recording(name: str) -> bytes:
    return (RECORDINGS / name).read_bytes()


def silence(megabytes: int) -> bytes:
    """Return a wav file of this size: 16 kHz, two channels, 32 bits, 128 KB a second."""
    size = megabytes * MIB - 44
    header = b"RIFF" + (size + 36).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    header += b"\1\0\2\0" + (16_000).to_bytes(4, "little") + (128_000).to_bytes(4, "little") + b"\x08\0\x20\0"
    return header + b"data" + size.to_bytes(4, "little") + bytes(size)


class StoredState:
    """The files and events of the service, which a refused upload must not change."""

    def __init__(self, live: LiveService, temporary: Path) -> None:
        self._live, self._temporary = live, temporary
        self._before = self._now()

    def _now(self) -> tuple[Any, ...]:
        files = self._live.stored_objects()
        rows = [self._live.row_count(table) for table in ("events", "idempotency_keys", "procrastinate_jobs")]
        return files, rows, sorted(self._temporary.iterdir())

    def nothing_more(self) -> None:
        assert self._now() == self._before


@pytest.fixture
def stored_state(live: LiveService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StoredState:
    """Return the state at the start of the test. Temporary files go to a folder of the test's own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return StoredState(live, tmp_path)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_of_sound_is_accepted_by_its_content(ticket: Ticket, name: str):
    data = recording(name)
    answer = ticket.upload(data, name="whatever.txt")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["mediaType"], body["sizeBytes"]) == (FORMATS[name], len(data))
    assert 3.5 < body["durationSeconds"] < 4.5
    assert body["sha256"] == sha256(data).hexdigest()
    assert (body["ticket"]["id"], body["ticket"]["status"]) == (ticket.id, "RECORDING")


def test_the_declared_type_and_file_name_are_ignored(ticket: Ticket):
    for name, declared in (
        ("a.exe", "application/x-msdownload"),
        ("", "text/plain"),
        ("../../etc/passwd", "audio/wav"),
    ):
        answer = ticket.http.post(
            f"{ticket.path}/upload-audio", files={"audio": (name, recording("speech.ogg"), declared)}
        )
        assert answer.status_code == 200


@pytest.mark.parametrize(
    "data",
    [b"", b"x", b"%PDF-1.7\n%junk" * 100, recording("document.wav"), recording("video-without-sound.mp4"),
     b"\x89PNG\r\n\x1a\n" + bytes(1000), b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/x.wav\n", b"ID3" + bytes(5000),
     b"ffconcat version 1.0\nfile /etc/passwd\n"],
    ids=["empty", "one byte", "pdf", "pdf named wav", "video without sound", "png", "playlist", "only a tag", "concat"],
)  # fmt: skip
def test_an_upload_without_sound_is_refused_and_not_stored(ticket: Ticket, stored_state: StoredState, data: bytes):
    problem(ticket.upload(data, name="story.wav"), 415, "unsupported-media-type")
    stored_state.nothing_more()
    assert ticket.get().json()["status"] == "DRAFT"


def form(
    ticket: Ticket, body: bytes | Iterator[bytes], kind: str = "multipart/form-data; boundary=b"
) -> httpx2.Response:
    return ticket.http.post(f"{ticket.path}/upload-audio", content=body, headers={"Content-Type": kind})


def part(name: str, data: bytes) -> bytes:
    return f'--b\r\nContent-Disposition: form-data; name="{name}"; filename="a"\r\n\r\n'.encode() + data + b"\r\n"


SPEECH = recording("speech.ogg")


@pytest.mark.parametrize(
    ("body", "status", "name"),
    [
        (b"", 400, "malformed"),
        (b"nonsense", 400, "malformed"),
        (part("audio", SPEECH), 400, "malformed"),
        (part("audio", SPEECH)[:500], 400, "malformed"),
        (b"--b--\r\n", 422, "invalid"),
        (part("sound", SPEECH) + b"--b--\r\n", 422, "invalid"),
        (part("audio", SPEECH) + part("audio", SPEECH) + b"--b--\r\n", 422, "invalid"),
        (b"--b\r\n\r\n" + SPEECH + b"\r\n--b--\r\n", 422, "invalid"),
        (b"--b\r\n" + b"X-Header: y\r\n" * 100 + b"\r\nx\r\n--b--\r\n", 400, "malformed"),
        (
            b"--b\r\nContent-Disposition: form-data; name=" + b"x" * 100_000 + b"\r\n\r\nx\r\n--b--\r\n",
            400,
            "malformed",
        ),
    ],
    ids=[
        "empty",
        "nonsense",
        "no end",
        "cut",
        "no part",
        "another field",
        "two",
        "no name",
        "many headers",
        "long header",
    ],
)
def test_a_form_without_exactly_one_recording_is_refused_and_not_stored(
    ticket: Ticket, stored_state: StoredState, body: bytes, status: int, name: str
):
    problem(form(ticket, body), status, name)
    stored_state.nothing_more()


def test_other_form_fields_are_ignored(ticket: Ticket):
    body = part("note", b"hello") + part("audio", SPEECH) + part("more", b"x" * 1000) + b"--b--\r\n"
    assert form(ticket, body).status_code == 200


@pytest.mark.parametrize(
    "kind", ["application/json", "audio/ogg", "multipart/form-data", "multipart/mixed; boundary=b", ""]
)
def test_a_body_of_another_kind_is_an_unsupported_media_type(ticket: Ticket, kind: str):
    problem(form(ticket, part("audio", SPEECH) + b"--b--\r\n", kind), 415, "unsupported-media-type")


def test_a_wrong_field_is_named(ticket: Ticket):
    assert pointers(form(ticket, part("sound", SPEECH) + b"--b--\r\n")) == ["/audio"]


def test_more_than_50_mb_is_too_large_with_and_without_a_declared_length(ticket: Ticket, stored_state: StoredState):
    data = silence(51)
    problem(ticket.upload(data), 413, "too-large")
    body = part("audio", data) + b"--b--\r\n"
    chunks = (body[start : start + MIB] for start in range(0, len(body), MIB))
    problem(form(ticket, chunks), 413, "too-large")
    stored_state.nothing_more()


def test_a_small_file_with_hours_of_sound_is_too_long(ticket: Ticket, stored_state: StoredState):
    problem(ticket.upload(silent_recording(minutes=240)), 413, "too-large")
    stored_state.nothing_more()


def test_an_aborted_upload_stores_nothing(live: LiveService, ticket: Ticket, stored_state: StoredState):
    url = httpx2.URL(live.base_url)
    with socket.create_connection((url.host, url.port or 80)) as connection:
        connection.sendall(
            f"POST {ticket.path}/upload-audio HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ticket.token}\r\n"
            f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000000\r\n\r\n".encode()
            + part("audio", SPEECH)
        )
    assert ticket.get().json()["status"] == "DRAFT"
    stored_state.nothing_more()


def test_a_newer_recording_replaces_the_older(ticket: Ticket):
    first, second = ticket.upload(SPEECH).json(), ticket.upload(recording("speech.mp3")).json()
    assert first["audioId"] != second["audioId"]
    assert second["ticket"]["version"] > first["ticket"]["version"]


class HeldInspector:
    """Inspects a recording when the test allows it."""

    def __init__(self) -> None:
        self.running: set[int] = set()
        self.most_at_once = 0
        self.may_end = threading.Event()

    def inspect(self, _: BinaryIO) -> AudioFacts:
        self.running.add(threading.get_ident())
        self.most_at_once = max(self.most_at_once, len(self.running))
        assert self.may_end.wait(WAIT_SECONDS)
        self.running.remove(threading.get_ident())
        return AudioFacts("audio/ogg", 3_850)


@pytest.fixture
def held_inspector(live: LiveService, monkeypatch: pytest.MonkeyPatch) -> Iterator[HeldInspector]:
    held = HeldInspector()
    monkeypatch.setattr(live.service.content.inspector, "inspect", held.inspect)
    yield held
    held.may_end.set()


def test_a_flood_of_uploads_leaves_every_other_request_its_threads(
    client: Client, live: LiveService, held_inspector: HeldInspector
):
    """There are more uploads than threads for requests. All of them come from one address."""
    tickets = [client.open_ticket() for _ in range(MAX_THREADS + 5)]
    events_before = live.row_count("events")
    with ThreadPoolExecutor(len(tickets)) as executor:
        uploads = [executor.submit(ticket.upload, SPEECH) for ticket in tickets]
        eventually(lambda: sum(upload.done() for upload in uploads) == len(tickets) - PER_CLIENT)
        assert len(held_inspector.running) == 1
        # No upload is answered before the test allows it, so these answers do not wait for the uploads.
        assert tickets[0].get("/status").json()["status"] == "DRAFT"
        for upload in uploads:
            if upload.done():
                problem(upload.result(), 503, "unavailable")
                assert int(upload.result().headers["Retry-After"]) > 0
        assert live.row_count("events") == events_before
        held_inspector.may_end.set()
    assert sorted(upload.result().status_code for upload in uploads) == [200] * PER_CLIENT + [503] * (
        len(tickets) - PER_CLIENT
    )
    assert held_inspector.most_at_once == 1
    accepted = [ticket for ticket, upload in zip(tickets, uploads, strict=True) if upload.result().status_code == 200]
    assert {ticket.get("/status").json()["status"] for ticket in accepted} == {"RECORDING"}


def test_a_ticket_has_one_upload_checked_at_a_time(ticket: Ticket, held_inspector: HeldInspector):
    with ThreadPoolExecutor(1) as executor:
        first = executor.submit(ticket.upload, SPEECH)
        eventually(lambda: held_inspector.running)
        refused = ticket.upload(SPEECH)
        assert "this ticket" in problem(refused, 503, "unavailable")["detail"]
        held_inspector.may_end.set()
        assert first.result().status_code == 200
    assert ticket.upload(SPEECH).status_code == 200


def test_a_refused_upload_may_be_sent_again_with_its_idempotency_key(ticket: Ticket, held_inspector: HeldInspector):
    headers = {"Idempotency-Key": "again"}
    with ThreadPoolExecutor(1) as executor:
        first = executor.submit(ticket.upload, SPEECH)
        eventually(lambda: held_inspector.running)
        assert ticket.upload(SPEECH, headers=headers).status_code == 503
        held_inspector.may_end.set()
        assert first.result().status_code == 200
    again = ticket.upload(SPEECH, headers=headers)
    assert (again.status_code, "Idempotency-Replayed" in again.headers) == (200, False)


def test_a_small_file_of_very_many_samples_is_too_large(ticket: Ticket, stored_state: StoredState):
    refused = ticket.upload(dense_flac(), name="story.flac")
    assert "8 channels" in problem(refused, 413, "too-large")["detail"]
    stored_state.nothing_more()


# The memory of a server in its own process.


@pytest.fixture
def served(migrated_url: str, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    port = free_port()
    environment = os.environ | {
        "DATABASE_URL": migrated_url, "DATA_DIR": str(tmp_path / "var"), "PORT": str(port), "LOG_LEVEL": "ERROR",
    }  # fmt: skip
    command = [sys.executable, "-c", SERVE, "serve", "--processes", "1"]
    process = subprocess.Popen(command, env=environment, cwd=Path(__file__).parents[3], stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"

    def ready() -> bool:
        try:
            return httpx2.get(f"{url}/health/ready", verify=False, timeout=60).status_code == 200
        except httpx2.TransportError:
            return False

    try:
        eventually(ready)
        yield process, url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(WAIT_SECONDS)


def peak_kb(process: subprocess.Popen[bytes]) -> int:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0])


def test_an_upload_of_50_mb_is_not_held_in_memory(served: tuple[subprocess.Popen[bytes], str]):
    process, url = served
    with Client(base_url=url, timeout=120) as client:
        ticket = client.open_ticket()
        assert (
            ticket.upload(recording("speech.wav")).status_code == 200
        )  # everything that is loaded only once is loaded now
        data = silence(49)
        before = peak_kb(process)
        answer = ticket.upload(data)
        assert answer.status_code == 200, answer.text
        assert answer.json()["sizeBytes"] == len(data)
        assert peak_kb(process) - before <= MOST_GROWTH_KB
