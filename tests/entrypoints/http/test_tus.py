"""Uploads in parts (tus 1.0.0): they resume where they ended, and the last byte makes them a recording."""

from __future__ import annotations

import asyncio
import hashlib
import re
import socket
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from uuid import UUID

import httpx2
import pytest
from starlette.requests import ClientDisconnect

from adapters.disk import FreeSpace
from adapters.quotas import OwnerKind, Quota
from adapters.speech.inspection_slots import InspectionSlots
from adapters.uploads import UNFINISHED_PER_TICKET, Upload, Uploads
from domain.errors import BusyError
from entrypoints.http.uploads import receive_part
from tests.client import RECORDING, Client, LiveService, Ticket, eventually
from tests.entrypoints.http.contract import problem

SPEECH = RECORDING.read_bytes()
VERSION = {"Tus-Resumable": "1.0.0"}
PART = VERSION | {"Content-Type": "application/offset+octet-stream"}


def encoded(**values: str) -> str:
    return ",".join(f"{name} {b64encode(value.encode()).decode()}" for name, value in values.items())


class Sender:
    """Sends one recording of a ticket in parts."""

    def __init__(self, ticket: Ticket, length: int = len(SPEECH), client: Client | None = None) -> None:
        self.http = client or ticket.http
        self.metadata = encoded(ticket=ticket.id, filename="la historia.webm")
        created = self.http.post(
            "/api/uploads", headers=VERSION | {"Upload-Length": str(length), "Upload-Metadata": self.metadata}
        )
        assert created.status_code == 201, created.text
        self.url = created.headers["location"]
        self.ticket = ticket

    def send(self, offset: int, data: bytes, **headers: str) -> httpx2.Response:
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.patch(self.url, content=data, headers=PART | {"Upload-Offset": str(offset)} | more)

    def state(self) -> httpx2.Response:
        return self.http.head(self.url, headers=VERSION)

    @property
    def received(self) -> int:
        return int(self.state().headers["upload-offset"])

    def end(self) -> httpx2.Response:
        return self.http.delete(self.url, headers=VERSION)


@pytest.fixture
def sender(ticket: Ticket) -> Sender:
    return Sender(ticket)


def objects_of(live: LiveService, ticket: Ticket) -> list[str]:
    return [key for key in live.stored_objects() if ticket.id in key]


def recorded(live: LiveService, ticket: Ticket) -> Any:
    return next(iter(live.service.aggregates.tickets.get(UUID(ticket.id)).recordings), None)


def test_the_service_says_what_it_supports(client: Client):
    answer = client.options("/api/uploads")
    assert answer.status_code == 204
    assert answer.headers["tus-version"] == "1.0.0"
    assert set(answer.headers["tus-extension"].split(",")) == {
        "creation", "creation-with-upload", "expiration", "checksum", "termination",
    }  # fmt: skip
    assert answer.headers["tus-max-size"] == str(50 * 1024 * 1024)
    assert "POST" in answer.headers["allow"]


def test_a_recording_in_parts_becomes_the_tickets_recording(live: LiveService, sender: Sender):
    third = len(SPEECH) // 3
    state = sender.state()
    assert (state.headers["upload-offset"], state.headers["upload-length"]) == ("0", str(len(SPEECH)))
    assert state.headers["upload-metadata"] == sender.metadata
    assert state.headers["cache-control"] == "no-store"
    for offset in range(0, len(SPEECH), third):
        assert sender.received == offset
        answer = sender.send(offset, SPEECH[offset : offset + third])
        assert answer.status_code == 204, answer.text
        assert answer.headers["tus-resumable"] == "1.0.0"
        assert int(answer.headers["upload-offset"]) == min(len(SPEECH), offset + third)
    recording = recorded(live, sender.ticket)
    assert str(recording.id) == sender.url.rpartition("/")[2]
    assert recording.content.sha256 == hashlib.sha256(SPEECH).hexdigest()
    assert sender.ticket.get().json()["status"] == "RECORDING"
    # The parts are gone, and the client that lost the last answer learns that all has arrived.
    assert objects_of(live, sender.ticket) == [f"tickets/{sender.ticket.id}/{recording.content.sha256}"]
    assert sender.received == len(SPEECH)
    assert sender.ticket.post("/process").status_code == 202


def test_the_creation_may_bring_the_first_bytes_or_all(live: LiveService, ticket: Ticket):
    headers = PART | {"Upload-Length": str(len(SPEECH)), "Upload-Metadata": encoded(ticket=ticket.id)}
    first = ticket.http.post("/api/uploads", content=SPEECH[:100], headers=headers)
    assert (first.status_code, first.headers["upload-offset"]) == (201, "100")
    assert recorded(live, ticket) is None
    whole = ticket.http.post("/api/uploads", content=SPEECH, headers=headers)
    assert (whole.status_code, whole.headers["upload-offset"]) == (201, str(len(SPEECH)))
    assert recorded(live, ticket).content.size_bytes == len(SPEECH)


def test_parts_lie_sealed_in_the_storage_and_small_ones_are_joined(live: LiveService, ticket: Ticket):
    sender = Sender(ticket, length=10_000)
    text = b"a secret that somebody tells. " * 20
    for number in range(3):
        assert sender.send(number * len(text), text).status_code == 204
    (key,) = objects_of(live, ticket)
    with live.service.content.storage.open(key) as stored:
        assert b"secret" not in stored.read()
    with live.service.database.connection() as connection:
        (row,) = connection.execute("SELECT u::text FROM uploads u WHERE ticket_id = %s", (ticket.id,)).fetchall()
    assert "historia" not in row[0]
    assert encoded(filename="la historia.webm").partition(" ")[2] not in row[0]


def test_a_part_at_another_offset_is_refused(sender: Sender):
    assert sender.send(0, SPEECH[:500]).status_code == 204
    for offset in (0, 499, 501):
        refused = sender.send(offset, SPEECH[500:600])
        problem(refused, 409, "conflict")
        assert refused.headers["tus-resumable"] == "1.0.0"
    assert sender.received == 500


def test_one_of_two_writers_at_one_offset_is_refused(
    live: LiveService, sender: Sender, monkeypatch: pytest.MonkeyPatch
):
    """The second writer's bytes arrive while those of the first are being stored."""
    storage, second = live.service.content.storage, []
    put = storage.put

    def put_after_another(key: str, source: Any) -> None:
        # The service stores other things in the background.
        if not second and "/uploads/" in key:
            second.append(None)
            second[0] = sender.send(0, SPEECH[:300])
        put(key, source)

    monkeypatch.setattr(storage, "put", put_after_another)
    problem(sender.send(0, SPEECH[:400]), 409, "conflict")
    assert second[0].status_code == 204
    monkeypatch.undo()
    assert sender.received == 300
    assert sender.send(300, SPEECH[300:]).status_code == 204
    assert recorded(live, sender.ticket).content.sha256 == hashlib.sha256(SPEECH).hexdigest()


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_a_part_with_a_wrong_checksum_is_discarded(sender: Sender, algorithm: str):
    digest = b64encode(hashlib.new(algorithm, SPEECH[:1000]).digest()).decode()
    problem(sender.send(0, SPEECH[:999], Upload_Checksum=f"{algorithm} {digest}"), 460, "checksum-mismatch")
    assert sender.received == 0
    problem(sender.send(0, SPEECH[:1000], Upload_Checksum=f"md5 {digest}"), 400, "malformed")
    assert sender.send(0, SPEECH[:1000], Upload_Checksum=f"{algorithm} {digest}").status_code == 204
    assert sender.received == 1000


@pytest.mark.parametrize("sent", [0, 1, 700, len(SPEECH) - 1])
def test_an_upload_resumes_after_a_lost_connection(live: LiveService, sender: Sender, sent: int):
    head = f"PATCH {sender.url} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {sender.ticket.token}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in PART.items())
    head += f"Upload-Offset: 0\r\nContent-Length: {len(SPEECH)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", live.settings.port)) as connection:
        connection.sendall(head.encode() + SPEECH[:sent])

    def resumed() -> bool:
        """The lost request may still add its bytes; then the offset is another one."""
        offset = sender.received
        assert offset <= sent
        return sender.send(offset, SPEECH[offset:]).status_code == 204

    eventually(resumed)
    assert recorded(live, sender.ticket).content.sha256 == hashlib.sha256(SPEECH).hexdigest()


def test_the_bytes_that_were_read_before_the_connection_was_lost_are_kept():
    async def lost() -> AsyncIterator[bytes]:
        yield b"what arr"
        yield b"ived"
        raise ClientDisconnect

    part = asyncio.run(receive_part(PART["Content-Type"], "1000", lost(), FreeSpace(0)))
    part.file.seek(0)
    assert (part.file.read(), part.size_bytes) == (b"what arrived", 12)
    part.close()


def test_another_process_continues_the_upload(live: LiveService, sender: Sender):
    """All that one process knows of an upload is in the database and the storage."""
    assert sender.send(0, SPEECH[:2000]).status_code == 204
    service = live.service
    another = Uploads(service.database, service.content.storage, service.history.keys)
    upload = another.get(UUID(sender.ticket.id), UUID(sender.url.rpartition("/")[2]))
    assert upload.received == 2000


def test_a_crash_after_the_recording_was_stored_loses_and_doubles_nothing(
    live: LiveService, sender: Sender, monkeypatch: pytest.MonkeyPatch
):
    """The process ends between the event and the note that the upload is complete."""

    def killed(*_: object) -> None:
        raise RuntimeError

    assert sender.send(0, SPEECH[:-10]).status_code == 204
    uploads = live.service.content.uploads
    upload = uploads.get(UUID(sender.ticket.id), UUID(sender.url.rpartition("/")[2]))
    monkeypatch.setattr(Uploads, "finish", killed)
    with pytest.raises(AssertionError, match="500"):
        sender.send(len(SPEECH) - 10, SPEECH[-10:])
    monkeypatch.undo()
    assert uploads.get(upload.ticket_id, upload.id).received == len(SPEECH) - 10
    assert sender.send(len(SPEECH) - 10, SPEECH[-10:]).status_code == 204
    history = sender.ticket.get("/history").json()["events"]
    assert [event["type"] for event in history].count("AudioUploaded") == 1


def test_while_recordings_cannot_be_checked_only_the_last_byte_is_sent_again(
    live: LiveService, sender: Sender, monkeypatch: pytest.MonkeyPatch
):
    def busy(*_: object) -> None:
        raise BusyError("Too many recordings are being checked.")

    with monkeypatch.context() as patch:
        patch.setattr(InspectionSlots, "taken", busy)
        problem(sender.send(0, SPEECH), 503, "unavailable")
    assert sender.received == len(SPEECH) - 1
    assert sender.send(len(SPEECH) - 1, SPEECH[-1:]).status_code == 204
    assert recorded(live, sender.ticket).content.sha256 == hashlib.sha256(SPEECH).hexdigest()


def test_a_file_that_is_no_sound_is_refused_and_gone(live: LiveService, ticket: Ticket):
    sender = Sender(ticket, length=3000)
    assert sender.send(0, bytes(2000)).status_code == 204
    problem(sender.send(2000, bytes(1000)), 415, "unsupported-media-type")
    assert sender.state().status_code == 404
    assert objects_of(live, ticket) == []
    assert ticket.get().json()["status"] == "DRAFT"


def test_an_upload_that_was_ended_is_gone(live: LiveService, sender: Sender):
    sender.send(0, SPEECH[:1000])
    assert sender.end().status_code == 204
    assert sender.state().status_code == 404
    problem(sender.send(1000, SPEECH[1000:]), 404, "not-found")
    problem(sender.end(), 404, "not-found")
    assert objects_of(live, sender.ticket) == []


def test_ending_a_finished_upload_keeps_the_recording(live: LiveService, sender: Sender):
    sender.send(0, SPEECH)
    assert sender.end().status_code == 204
    assert objects_of(live, sender.ticket) != []
    assert recorded(live, sender.ticket) is not None


def test_unfinished_uploads_expire_after_a_day(live: LiveService, sender: Sender):
    answer = sender.send(0, SPEECH[:1000])
    expires_at = parsedate_to_datetime(answer.headers["upload-expires"])
    assert timedelta(hours=23) < expires_at - datetime.now(UTC) <= timedelta(hours=24)
    service = live.service
    later = Uploads(
        service.database, service.content.storage, service.history.keys, lambda: datetime.now(UTC) + timedelta(hours=25)
    )
    later.purge()
    assert sender.state().status_code == 404
    assert objects_of(live, sender.ticket) == []
    assert live.row_count("upload_parts") == 0


def test_a_further_upload_ends_the_oldest_unfinished_one(live: LiveService, ticket: Ticket):
    senders = [Sender(ticket) for _ in range(UNFINISHED_PER_TICKET)]
    senders[0].send(0, SPEECH[:10])
    senders.append(Sender(ticket))
    assert [sender.state().status_code for sender in senders] == [404] + [200] * UNFINISHED_PER_TICKET
    assert objects_of(live, ticket) == []


def test_erasing_the_ticket_takes_its_uploads(live: LiveService, sender: Sender):
    sender.send(0, SPEECH[:1000])
    with live.client() as stranger:
        assert sender.ticket.http.delete(sender.ticket.path).status_code == 202
        assert stranger.head(sender.url, headers=VERSION).status_code == 401
    assert objects_of(live, sender.ticket) == []
    assert live.service.database.row("SELECT count(*) FROM uploads WHERE ticket_id = %s", (sender.ticket.id,)) == (0,)


BAD_CREATIONS: list[tuple[dict[str, str], int, str]] = [
    ({"Tus-Resumable": "0.2.2"}, 412, "unsupported-version"),
    ({"Upload-Length": ""}, 400, "malformed"),
    ({"Upload-Length": "0"}, 400, "malformed"),
    ({"Upload-Length": "-1"}, 400, "malformed"),
    ({"Upload-Length": "١"}, 400, "malformed"),
    ({"Upload-Length": str(50 * 1024 * 1024 + 1)}, 413, "too-large"),
    ({"Upload-Metadata": ""}, 404, "not-found"),
    ({"Upload-Metadata": "ticket"}, 404, "not-found"),
    ({"Upload-Metadata": "ticket !"}, 400, "malformed"),
    ({"Upload-Metadata": "a YQ==,a YQ=="}, 400, "malformed"),
    ({"Upload-Metadata": f"a {'YWFh' * 2000}"}, 400, "malformed"),
]


@pytest.mark.parametrize(("headers", "status", "name"), BAD_CREATIONS)
def test_a_malformed_creation_is_refused(ticket: Ticket, headers: dict[str, str], status: int, name: str):
    good = VERSION | {"Upload-Length": "9", "Upload-Metadata": encoded(ticket=ticket.id)}
    sent = {key: value.encode() for key, value in (good | headers).items()}
    answer = ticket.http.post("/api/uploads", headers=sent)
    problem(answer, status, name)
    assert answer.headers["tus-resumable"] == "1.0.0"


def test_a_part_must_fit_and_have_the_media_type_of_the_protocol(ticket: Ticket):
    sender = Sender(ticket, length=10)
    problem(sender.send(0, b"x" * 11), 413, "too-large")
    problem(sender.send(0, b"x", Content_Type="audio/webm"), 415, "unsupported-media-type")
    problem(sender.send(0, b"x", Upload_Offset="one"), 400, "malformed")
    problem(sender.send(0, b"x", Tus_Resumable="2.0.0"), 412, "unsupported-version")
    assert sender.received == 0


def test_a_client_without_patch_names_the_method_in_a_header(sender: Sender):
    # The checks against the OpenAPI document know only the real methods.
    client = Client(base_url=sender.http.base_url, headers=sender.http.headers)

    def post(method: str, data: bytes = b"") -> httpx2.Response:
        headers = PART | {"Upload-Offset": "0", "X-HTTP-Method-Override": method}
        return client.post(sender.url, content=data, headers=headers)

    assert post("PATCH", SPEECH[:100]).status_code == 204
    assert sender.received == 100
    assert post("DELETE").status_code == 204
    assert sender.state().status_code == 404


@pytest.fixture
def few_recordings(live: LiveService, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    quotas = {kind: Quota() for kind in OwnerKind} | {OwnerKind.TICKET: Quota.parse("2 recordings, 1 MB")}
    monkeypatch.setattr(live.service.content.quotas, "quotas", quotas)
    return


@pytest.mark.usefixtures("few_recordings")
def test_uploads_use_the_quota_from_their_beginning(ticket: Ticket, client: Client):
    Sender(ticket), Sender(ticket)
    headers = VERSION | {"Upload-Length": "9", "Upload-Metadata": encoded(ticket=ticket.id)}
    problem(ticket.http.post("/api/uploads", headers=headers), 429, "too-many-requests")
    other = client.open_ticket()
    big = VERSION | {"Upload-Length": str(2**21), "Upload-Metadata": encoded(ticket=other.id)}
    problem(other.http.post("/api/uploads", headers=big), 429, "too-many-requests")


@pytest.mark.usefixtures("few_recordings")
def test_an_upload_that_becomes_no_recording_gives_its_quota_back(live: LiveService, ticket: Ticket):
    Sender(ticket)
    for _ in range(2):
        refused = Sender(ticket, length=3000)
        problem(refused.send(0, bytes(3000)), 415, "unsupported-media-type")
    for _ in range(2):
        assert Sender(ticket).end().status_code == 204
    whole = PART | {"Upload-Length": "9", "Upload-Metadata": encoded(ticket=ticket.id)}
    for _ in range(2):
        problem(ticket.http.post("/api/uploads", content=bytes(9), headers=whole), 415, "unsupported-media-type")
    assert used(live, ticket) == (1, len(SPEECH))


@pytest.mark.usefixtures("few_recordings")
def test_an_upload_that_became_a_recording_keeps_its_quota(live: LiveService, sender: Sender):
    sender.send(0, SPEECH)
    assert sender.end().status_code == 204
    assert used(live, sender.ticket) == (1, len(SPEECH))


def test_an_upload_that_is_ended_while_it_becomes_a_recording_keeps_its_quota(
    live: LiveService, sender: Sender, monkeypatch: pytest.MonkeyPatch
):
    finish = Uploads.finish

    def ended_first(uploads: Uploads, upload: Upload) -> Upload:
        assert sender.end().status_code == 204
        return finish(uploads, upload)

    monkeypatch.setattr(Uploads, "finish", ended_first)
    assert sender.send(0, SPEECH).status_code == 204
    assert recorded(live, sender.ticket) is not None
    assert used(live, sender.ticket) == (1, len(SPEECH))


def used(live: LiveService, ticket: Ticket) -> tuple[int, int] | None:
    """Return the recordings and the bytes that the ticket has used today."""
    return live.service.database.row(
        "SELECT recordings, bytes FROM quota_use WHERE owner = %s ORDER BY day DESC LIMIT 1", (f"ticket:{ticket.id}",)
    )


def test_a_page_of_another_site_cannot_use_the_cookie(live: LiveService, ticket: Ticket):
    with live.client() as browser:
        cookie = {"Cookie": f"session={ticket.token}"}
        headers = VERSION | cookie | {"Upload-Length": "9", "Upload-Metadata": encoded(ticket=ticket.id)}
        problem(browser.post("/api/uploads", headers=headers | {"Sec-Fetch-Site": "cross-site"}), 403, "forbidden")
        created = browser.post("/api/uploads", headers=headers | {"Sec-Fetch-Site": "same-origin"})
        assert created.status_code == 201
        assert re.fullmatch(rf"/api/uploads/{ticket.id}/[0-9a-f-]{{36}}", created.headers["location"])
