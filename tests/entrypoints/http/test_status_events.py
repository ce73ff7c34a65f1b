"""The status of a ticket as server-sent events: the same as by polling, also after a lost connection."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from uuid import UUID

import pytest

from adapters.identity.tokens import digest
from adapters.ids import uuid7
from adapters.jobs.worker import Worker
from domain.values import Step
from entrypoints.composition.service import Parts
from entrypoints.http import event_streams
from entrypoints.http.event_streams import EventId, Status, StatusStreams, Watch, read_event_id
from entrypoints.http.problems import Problem
from tests.client import RECORDING, Client, LiveService, Ticket, eventually
from tests.entrypoints.conftest import JobRunner
from tests.entrypoints.http.contract import problem
from tests.entrypoints.http.test_login_codes import returned
from tests.postgres import fresh_database


@contextmanager
def opened(http: Client, ticket: Ticket, **headers: str) -> Iterator[Iterator[dict[str, str]]]:
    """Open a stream and yield its events and comments, each as its fields."""
    # The clients of the tests read only the first event.
    with (
        Client(base_url=http.base_url, headers={**http.headers, **headers}) as reader,
        reader.stream("GET", f"{ticket.path}/events") as answer,
    ):
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")

        def events() -> Iterator[dict[str, str]]:
            fields: dict[str, str] = {}
            for line in answer.iter_lines():
                if line:
                    name, _, value = line.partition(":")
                    fields[name] = value.strip()
                elif fields:
                    yield fields
                    fields = {}

        yield events()


def statuses(events: Iterator[dict[str, str]]) -> Iterator[dict[str, Any]]:
    return (json.loads(event["data"]) for event in events if "data" in event)


def until(events: Iterator[dict[str, str]], stage: str) -> list[dict[str, Any]]:
    """Return the statuses up to the first one in this stage."""
    seen = []
    for status in statuses(events):
        seen.append(status)
        if status["stage"] == stage:
            return seen
    raise AssertionError("the stream ended")


def test_a_stream_shows_the_same_as_the_status_and_follows_the_work(ticket: Ticket, work: JobRunner):
    with opened(ticket.http, ticket) as events:
        assert next(events) == {"retry": "2000"}
        assert next(statuses(events)) == ticket.get("/status").json()
        ticket.upload(RECORDING.read_bytes())
        ticket.post("/process")
        assert until(events, "TRANSCRIBING")[-1]["contentStatus"] == "PROCESSING"
        work.do(ticket)
        seen = until(events, "DONE")
        assert seen[-1] == ticket.get("/status").json()
        assert [status["progress"] for status in seen] == sorted(status["progress"] for status in seen)


def test_after_a_lost_connection_only_what_is_new_is_sent(ticket: Ticket):
    with opened(ticket.http, ticket) as events:
        first = next(event for event in events if "data" in event)
    ticket.write_draft()
    with opened(ticket.http, ticket, **{"Last-Event-ID": first["id"]}) as events:
        second = next(event for event in events if "data" in event)
    assert read_event_id(second["id"]) > read_event_id(first["id"])
    with opened(ticket.http, ticket, **{"Last-Event-ID": second["id"]}) as events:
        ticket.patch("/draft", {"title": "Another title"})
        third = next(event for event in events if "data" in event)
    assert read_event_id(third["id"]) > read_event_id(second["id"])


@pytest.mark.parametrize("text", ["", "garbage", "1-2", "1-2-3-4", "-1-2-0", "9" * 30 + "-1-0", "1-2-0\n"])
def test_an_event_id_that_is_not_ours_is_ignored(text: str):
    assert read_event_id(text) is None


def test_progress_never_goes_back_when_a_step_begins_again(live: LiveService, ticket: Ticket):
    ticket.upload(RECORDING.read_bytes())
    ticket.post("/process")
    report = reporter(live, ticket)
    report(0.6)
    before = ticket.get("/status").json()["progress"]
    report(0.2)
    assert ticket.get("/status").json()["progress"] == before == 47
    report(0.7)
    assert ticket.get("/status").json()["progress"] > before


def reporter(live: LiveService, ticket: Ticket) -> Any:
    worker = Worker(live.service.url, live.service.database, live.service.commands)
    [recording] = live.service.aggregates.tickets.get(UUID(ticket.id)).recordings
    return worker._reporter(UUID(ticket.id), recording.id, Step.TRANSCRIBE)


def test_a_stream_ends_when_the_ticket_is_erased(ticket: Ticket):
    with opened(ticket.http, ticket) as events:
        next(statuses(events))
        ticket.http.delete(ticket.path)
        assert list(statuses(events)) == []


def test_a_stream_ends_when_the_session_ends(live: LiveService, client: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(event_streams, "CHECK_SECONDS", 0.0)
    contact = f"{uuid7().hex[-12:]}@example.com"
    ticket = client.open_ticket(contactValue=contact)
    with returned(live, client, contact) as session, opened(session, ticket) as events:
        next(statuses(events))
        token = session.headers["authorization"].removeprefix("Bearer ")
        end = "UPDATE access_sessions SET expires_at = now() WHERE digest = %s"
        live.service.database.execute(end, (digest(token),))
        assert list(statuses(events)) == []


def test_a_stream_ends_when_the_service_stops(server_url: str, migrated_template: str, tmp_path: Any):
    parts = frozenset({Parts.WEB, Parts.PROJECTIONS})
    with fresh_database(server_url, migrated_template) as url, ExitStack() as stack:
        live = stack.enter_context(LiveService(url, tmp_path / "var", parts))
        ticket = stack.enter_context(live.client()).open_ticket()
        with opened(ticket.http, ticket) as events:
            next(statuses(events))
            stopping = threading.Thread(target=live.__exit__, args=(None, None, None))
            stopping.start()
            assert list(statuses(events)) == []
            stopping.join()


def test_the_streams_of_one_address_are_bounded(ticket: Ticket, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(event_streams, "MAX_STREAMS_OF_ADDRESS", 2)
    with opened(ticket.http, ticket) as first, opened(ticket.http, ticket) as second:
        next(statuses(first)), next(statuses(second))
        refused = ticket.get("/events")
        problem(refused, 429, "too-many-requests")
        assert refused.headers["retry-after"] == "10"
    assert eventually(lambda: ticket.get("/events").status_code == 200)


def test_all_streams_together_are_bounded(ticket: Ticket, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(event_streams, "MAX_STREAMS", 0)
    refused = ticket.get("/events")
    problem(refused, 503, "unavailable")
    assert refused.headers["retry-after"] == "10"


def test_a_head_request_opens_no_stream(ticket: Ticket):
    answer = ticket.http.head(f"{ticket.path}/events")
    assert (answer.status_code, answer.content) == (200, b"")


def test_an_open_stream_sends_comments_while_nothing_happens(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(event_streams, "HEARTBEAT_SECONDS", 0.0)

    async def parts() -> list[bytes]:
        watch = Watch(uuid7(), "::1", None, Status(EventId(1, 0, 0), b"{}"), lambda: None)
        events = watch.events()
        return [await anext(events) for _ in range(4)]

    assert asyncio.run(parts())[1:] == [b"event: status\nid: 1-0-0\ndata: {}\n\n", *[event_streams.HEARTBEAT] * 2]


def test_streams_share_one_look_at_the_database(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(event_streams, "LOOK_SECONDS", 0.0)
    looks: list[int] = []

    async def watch_twice() -> None:
        looked = asyncio.Event()
        loop = asyncio.get_running_loop()

        def marks(tickets: Any) -> dict[UUID, Any]:
            looks.append(len(tickets))
            loop.call_soon_threadsafe(looked.set)
            return {}

        streams = StatusStreams(marks, lambda _: {}, lambda: False)
        status = Status(EventId(1, 0, 0), b"{}")
        with ExitStack() as stack:
            for _ in range(2):
                stack.enter_context(streams.opened(Watch(uuid7(), "::1", None, status, lambda: None)))
            await looked.wait()
        assert streams.count == 0

    asyncio.run(watch_twice())
    assert looks[0] == 2


def test_an_unavailable_database_does_not_end_a_stream(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(event_streams, "LOOK_SECONDS", 0.0)

    async def survive() -> bool:
        again = asyncio.Event()
        loop = asyncio.get_running_loop()
        failures: list[int] = []

        def marks(_: Any) -> dict[UUID, Any]:
            failures.append(1)
            if len(failures) == 2:
                loop.call_soon_threadsafe(again.set)
            raise Problem("unavailable", "away")

        streams = StatusStreams(marks, lambda _: {}, lambda: False)
        watch = Watch(uuid7(), "::1", None, Status(EventId(1, 0, 0), b"{}"), lambda: None)
        with streams.opened(watch):
            await again.wait()
        return watch.ended

    assert asyncio.run(survive()) is False
