"""Tickets, addresses and workspaces have daily quotas; what is refused leaves nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import httpx2
import pytest

from domain.errors import NotAudioError
from domain.values import AudioFacts, Role
from entrypoints.composition import content
from entrypoints.composition.service import Parts
from tests.client import RECORDING, LiveService, Ticket
from tests.entrypoints.http.contract import Contract, problem

SPEECH = RECORDING.read_bytes()
DOCUMENT = {"docType": "GOFUNDME_DRAFT"}


class SimpleInspector:
    """Accepts every file that is not empty."""

    def inspect(self, recording: BinaryIO) -> AudioFacts:
        if not recording.read(1):
            raise NotAudioError
        return AudioFacts("audio/webm", 60_000)


@pytest.fixture
def limited(migrated_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., LiveService]]:
    """Return a function that runs a service with the given settings. Its inspector accepts everything."""
    monkeypatch.setattr(content, "ChildAudioInspector", SimpleInspector)
    with ExitStack() as stack:

        def make(**settings: Any) -> LiveService:
            parts = frozenset({Parts.WEB, Parts.PROJECTIONS})
            running = stack.enter_context(LiveService(migrated_url, tmp_path / "var", parts, **settings))
            running.watchers.append(Contract(running.openapi).check)
            return running

        yield make


def stored(live: LiveService) -> tuple[int, int]:
    # Checkpoints are written to the storage at any time.
    files = (live.settings.data_dir / "storage" / "objects" / "tickets").rglob("*")
    return live.row_count("events"), sum(path.is_file() for path in files)


def exceeded(answer: httpx2.Response, owner: str) -> dict[str, Any]:
    """Return the quota of a refused answer, which must be this owner's and end with the day."""
    body = problem(answer, 429, "too-many-requests")
    quota: dict[str, Any] = body["quota"]
    ends_at = datetime.fromisoformat(quota["endsAt"])
    assert quota["owner"] == owner
    assert (ends_at.hour, ends_at.minute, ends_at.tzinfo) == (0, 0, UTC)
    assert timedelta() < ends_at - datetime.now(UTC) <= timedelta(days=1)
    assert 0 < int(answer.headers["Retry-After"]) <= 86_400
    assert quota["endsAt"] in body["detail"]
    return quota


def test_a_ticket_has_a_quota_and_what_is_beyond_it_leaves_nothing(limited: Callable[..., LiveService]):
    live = limited(quota_ticket="2 recordings, 1 documents, 1 MB")
    client = live.client()
    ticket = client.open_ticket()
    ticket.write_draft()
    for number in range(2):
        assert ticket.upload(SPEECH + bytes([number])).status_code == 200
    assert ticket.post("/generate-doc", DOCUMENT).status_code == 201
    quota = exceeded(ticket.upload(SPEECH + b"more"), "ticket")
    assert (quota["used"]["recordings"], quota["limit"]["recordings"]) == (2, 2)
    assert quota["limit"]["bytes"] == 1024 * 1024
    quota = exceeded(ticket.post("/generate-doc", DOCUMENT), "ticket")
    assert (quota["used"]["documents"], quota["used"]["recordings"]) == (1, 2)
    another = client.open_ticket()
    before = stored(live)
    exceeded(another.upload(bytes(1024 * 1024 + 1)), "ticket")
    assert stored(live) == before
    assert another.upload(SPEECH).status_code == 200


def test_a_refused_recording_does_not_count(limited: Callable[..., LiveService]):
    live = limited(quota_ticket="1 recordings")
    ticket = live.client().open_ticket()
    for _ in range(2):
        problem(ticket.upload(b""), 415, "unsupported-media-type")
    stale = ticket.http.post(
        f"{ticket.path}/upload-audio", files={"audio": ("a", SPEECH)}, headers={"If-Match": '"99"'}
    )
    problem(stale, 412, "stale-version")
    assert ticket.upload(SPEECH).status_code == 200


def test_a_repeated_request_counts_once(limited: Callable[..., LiveService]):
    ticket = limited(quota_ticket="1 recordings").client().open_ticket()
    for _ in range(3):
        assert ticket.upload(SPEECH, headers={"Idempotency-Key": "one"}).status_code == 200
    exceeded(ticket.upload(SPEECH, headers={"Idempotency-Key": "two"}), "ticket")


def test_an_address_and_a_workspace_have_quotas_and_a_key_has_no_address(limited: Callable[..., LiveService]):
    live = limited(quota_address="1 recordings", quota_workspace="2 recordings", trusted_proxies=("127.0.0.1",))
    visitor = live.client()
    tickets = [visitor.open_ticket() for _ in range(3)]

    def upload(ticket: Ticket, address: str) -> httpx2.Response:
        return ticket.upload(SPEECH, headers={"X-Forwarded-For": address})

    assert upload(tickets[0], "2001:db8::1").status_code == 200
    # Every address of one network belongs to the same client.
    exceeded(upload(tickets[1], "2001:db8::2"), "address")
    assert upload(tickets[1], "203.0.113.7").status_code == 200
    exceeded(upload(tickets[2], "203.0.113.8"), "workspace")
    with live.client_with_key(Role.CLIENT, "tickets:write", workspace="another") as key:
        opened = key.post("/api/tickets/create", json={"contactType": "EMAIL", "contactValue": "a@example.com"}).json()
        path = f"/api/tickets/{opened['id']}/upload-audio"
        for _ in range(2):
            assert key.post(path, files={"audio": ("a", SPEECH)}).status_code == 200
        exceeded(key.post(path, files={"audio": ("a", SPEECH)}), "workspace")


def test_below_the_floor_of_free_space_nothing_is_stored(limited: Callable[..., LiveService]):
    live = limited(min_free_mb=1_000_000_000)
    ticket = live.client().open_ticket()
    ticket.write_draft()
    before = stored(live)
    problem(ticket.upload(SPEECH), 507, "insufficient-storage")
    problem(ticket.post("/generate-doc", DOCUMENT), 507, "insufficient-storage")
    assert stored(live) == before
    assert ticket.get("/status").status_code == 200


def test_an_address_and_a_workspace_have_a_budget_of_audio_minutes(limited: Callable[..., LiveService]):
    live = limited(quota_address="2 minutes", quota_workspace="5 minutes")
    visitor = live.client()

    def uploaded(ticket: Ticket) -> Ticket:
        assert ticket.upload(SPEECH).status_code == 200
        return ticket

    first = uploaded(visitor.open_ticket())
    for _ in range(2):
        assert first.post("/process").status_code in (202, 409)
    assert uploaded(visitor.open_ticket()).post("/process").status_code == 202
    third = uploaded(visitor.open_ticket())
    before = live.row_count("events")
    quota = exceeded(third.post("/process"), "address")
    assert (quota["used"]["audioSeconds"], quota["limit"]["audioSeconds"]) == (120, 120)
    assert live.row_count("events") == before
    with live.client_with_key(Role.CLIENT, "tickets:write") as key:
        for _ in range(3):
            opened = key.post("/api/tickets/create", json={"contactType": "EMAIL", "contactValue": "a@example.com"})
            path = f"/api/tickets/{opened.json()['id']}"
            assert key.post(f"{path}/upload-audio", files={"audio": ("a", SPEECH)}).status_code == 200
            assert key.post(f"{path}/process", json={}).status_code == 202
        exceeded(key.post(f"/api/tickets/{third.id}/process", json={}), "workspace")


def test_the_recordings_of_an_address_share_one_slot_and_those_of_a_key_have_one_each(
    limited: Callable[..., LiveService],
):
    live = limited()
    with live.client() as visitor, live.client_with_key(Role.CLIENT, "tickets:write") as key:
        for client in (visitor, visitor, key, key):
            opened = client.open_ticket()
            assert opened.upload(SPEECH).status_code == 200
            answer = client.post if client is key else opened.http.post
            assert answer(f"{opened.path}/process", json={}).status_code == 202
    locks = [lock for (lock,) in live.service.database.rows("SELECT lock FROM procrastinate_jobs ORDER BY id")]
    assert locks[0] == locks[1]
    assert len(set(locks)) == 3
    assert [lock.partition(":")[0] for lock in locks] == ["address", "address", "ticket", "ticket"]
    assert not any("127.0.0.1" in lock for lock in locks)
