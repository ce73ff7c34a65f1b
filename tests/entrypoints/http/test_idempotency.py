"""A request with an Idempotency-Key happens once, however often it is sent."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from adapters.identity import idempotency
from adapters.identity.idempotency import IdempotencyKeys, RequestSeed
from domain.errors import StepFailed
from domain.values import Role
from entrypoints.http.table import OPERATIONS
from tests.client import RECORDING, WAIT_SECONDS, Client, LiveService, Ticket, eventually
from tests.entrypoints.conftest import JobRunner
from tests.entrypoints.http.contract import pointers, problem

CREATE = "/api/tickets/create"
BODY = {"contactType": "EMAIL", "contactValue": "ada@example.com"}


def key(value: str | None = None) -> dict[str, str]:
    return {"Idempotency-Key": value or str(uuid4())}


def audio(ticket: Ticket, headers: dict[str, str]) -> httpx2.Response:
    return ticket.upload(RECORDING.read_bytes(), headers=headers)


def process(ticket: Ticket, headers: dict[str, str]) -> httpx2.Response:
    if ticket.get().json()["status"] == "DRAFT":
        ticket.upload(RECORDING.read_bytes())
    return ticket.post("/process", headers=headers)


def document(ticket: Ticket, headers: dict[str, str]) -> httpx2.Response:
    ticket.write_draft()
    return ticket.post("/generate-doc", {"docType": "GOFUNDME_DRAFT"}, headers=headers)


def payment(ticket: Ticket, headers: dict[str, str]) -> httpx2.Response:
    return ticket.post("/create-payment", {"amount": 5, "currency": "USD"}, headers=headers)


def opening(ticket: Ticket, headers: dict[str, str]) -> httpx2.Response:
    return ticket.http.post(CREATE, json=BODY, headers=headers)


def gift(ticket: Ticket, headers: dict[str, str]) -> httpx2.Response:
    url = ticket.publish()
    return ticket.http.post(url, data={"amount": "25"}, headers=headers)


def report(ticket: Ticket, headers: dict[str, str]) -> httpx2.Response:
    url = ticket.publish()
    return ticket.http.post(f"{url}/report", json={"reason": "Fraud."}, headers=headers)


CREATING: dict[str, Callable[[Ticket, dict[str, str]], httpx2.Response]] = {
    "/api/tickets/create": opening,
    "/api/tickets/{ticket_id}/upload-audio": audio,
    "/api/tickets/{ticket_id}/process": process,
    "/api/tickets/{ticket_id}/generate-doc": document,
    "/api/tickets/{ticket_id}/create-payment": payment,
    "/d/{slug}": gift,
    "/d/{slug}/report": report,
}


def test_every_creating_operation_is_tested_here():
    tried = set(CREATING) | {"/api/tickets/{ticket_id}/retry"}  # as process, and below
    assert tried <= {operation.path for operation in OPERATIONS if operation.idempotency_key}


@pytest.mark.parametrize("path", CREATING)
def test_a_repeated_request_is_executed_once_and_gets_the_same_answer(live: LiveService, ticket: Ticket, path: str):
    send, headers = CREATING[path], key()
    first = send(ticket, headers)
    assert first.status_code < 400
    assert "idempotency-replayed" not in first.headers
    events = live.row_count("events")
    repeated = send(ticket, headers)
    assert live.row_count("events") == events
    assert repeated.headers["idempotency-replayed"] == "true"
    assert (repeated.status_code, repeated.content) == (first.status_code, first.content)
    for name in ("location", "etag", "content-type", "retry-after"):
        assert repeated.headers.get(name) == first.headers.get(name)


def test_a_repeated_retry_is_executed_once(ticket: Ticket, work: JobRunner):
    ticket.upload(RECORDING.read_bytes())
    ticket.post("/process")
    work.do(ticket, outcome=StepFailed("no_speech", "Nobody speaks.", retryable=True))
    headers = key()
    first, repeated = ticket.post("/retry", headers=headers), ticket.post("/retry", headers=headers)
    assert (first.status_code, repeated.status_code) == (202, 202)
    assert repeated.headers["idempotency-replayed"] == "true"


def test_another_body_under_the_same_key_is_refused(client: Client):
    headers = key()
    assert client.post(CREATE, json=BODY, headers=headers).status_code == 201
    answer = client.post(CREATE, json=BODY | {"displayName": "Ada"}, headers=headers)
    assert pointers(answer) == [""]


def test_a_key_belongs_to_one_path_and_one_caller(client: Client, ticket: Ticket):
    headers = key("shared")
    other = client.open_ticket()
    answers = [payment(ticket, headers), payment(other, headers), document(ticket, headers)]
    assert [answer.status_code for answer in answers] == [201, 201, 201]
    assert not any("idempotency-replayed" in answer.headers for answer in answers)


@pytest.mark.parametrize("length", [1, 255])
def test_a_key_may_have_up_to_255_characters(ticket: Ticket, length: int):
    # Sent by a holder, because another visitor may already have used a short key.
    assert ticket.http.post(CREATE, json=BODY, headers=key("x" * length)).status_code == 201


def test_a_longer_key_is_refused(client: Client):
    problem(client.post(CREATE, json=BODY, headers=key("x" * 256)), 400, "malformed")


def test_an_empty_key_is_refused(client: Client):
    problem(client.post(CREATE, json=BODY, headers={"Idempotency-Key": ""}), 400, "malformed")


def test_a_refused_request_may_be_repeated_with_its_key(ticket: Ticket):
    headers = key()
    refused = ticket.post("/generate-doc", {"docType": "GOFUNDME_DRAFT"}, headers=headers)
    problem(refused, 409, "conflict")
    ticket.write_draft()
    assert ticket.post("/generate-doc", {"docType": "GOFUNDME_DRAFT"}, headers=headers).status_code == 201


def test_a_page_with_an_error_is_not_stored_for_its_idempotency_key(client: Client, ticket: Ticket):
    url, headers = ticket.publish(), key()
    assert client.post(url, data={"amount": "0.10"}, headers=headers).status_code == 422
    assert client.post(url, data={"amount": "0.10"}, headers=headers).status_code == 422


def test_twenty_simultaneous_requests_with_one_key_create_one_donation(live: LiveService, ticket: Ticket):
    headers, statuses, before = key(), [], live.row_count("events WHERE topic = 'checkout_requested'")

    def send() -> None:
        statuses.append(payment(ticket, headers).status_code)

    threads = [threading.Thread(target=send) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) <= {201, 409}
    assert 201 in statuses
    assert live.row_count("events WHERE topic = 'checkout_requested'") == before + 1


@contextmanager
def slow_printing(live: LiveService, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Delay the printing of documents until the yielded event is set."""
    may_print, render = threading.Event(), live.service.content.printer.render

    def rendered(*arguments: Any) -> bytes:
        assert may_print.wait(WAIT_SECONDS)
        return render(*arguments)

    with monkeypatch.context() as changed:
        changed.setattr(live.service.content.printer, "render", rendered)
        yield may_print
        may_print.set()


def test_a_repeated_request_is_refused_while_the_first_is_running(
    live: LiveService, ticket: Ticket, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(idempotency, "RENEWAL_SECONDS", 0.1)
    monkeypatch.setattr(idempotency, "LEASE_SECONDS", WAIT_SECONDS)
    ticket.write_draft()
    headers, answers = key(), []
    running = "idempotency_keys WHERE answer IS NULL AND lease_until > now()"
    with slow_printing(live, monkeypatch) as may_print:
        first = threading.Thread(target=lambda: answers.append(document(ticket, headers)))
        first.start()
        eventually(lambda: live.row_count(running))
        problem(ticket.post("/generate-doc", {"docType": "GOFUNDME_DRAFT"}, headers=headers), 409, "conflict")
        with live.service.database.connection() as connection:
            connection.execute("UPDATE idempotency_keys SET lease_until = now()")
        eventually(lambda: live.row_count(running))
        problem(ticket.post("/generate-doc", {"docType": "GOFUNDME_DRAFT"}, headers=headers), 409, "conflict")
        may_print.set()
        first.join()
    assert answers[0].status_code == 201
    assert len(ticket.get("/documents").json()) == 1


def test_after_a_crash_the_same_key_resumes_with_the_same_ids(
    live: LiveService, client: Client, monkeypatch: pytest.MonkeyPatch
):
    """The process dies after the ticket is recorded and before its answer is stored."""
    monkeypatch.setattr(idempotency, "LEASE_SECONDS", WAIT_SECONDS)
    headers, seeds = key(), []
    begin = IdempotencyKeys.begin

    def remembered(self: IdempotencyKeys, *arguments: str) -> Any:
        begun_request = begin(self, *arguments)
        seeds.append(begun_request.seed)
        return begun_request

    with monkeypatch.context() as crashing:
        crashing.setattr(IdempotencyKeys, "begin", remembered)
        crashing.setattr(IdempotencyKeys, "store_answer", lambda *_: (_ for _ in ()).throw(RuntimeError))
        crashing.setattr(IdempotencyKeys, "release", lambda *_: None)
        with Client(base_url=live.base_url) as unwatched:
            assert unwatched.post(CREATE, json=BODY, headers=headers).status_code == 500
    problem(client.post(CREATE, json=BODY, headers=headers), 409, "conflict")
    with live.service.database.connection() as connection:
        connection.execute("UPDATE idempotency_keys SET lease_until = now()")
    events = live.row_count("events")
    answer = client.post(CREATE, json=BODY, headers=headers)
    assert answer.status_code == 201
    assert isinstance(seeds[0], RequestSeed)
    assert answer.json()["id"] == str(seeds[0].id("ticket"))
    assert live.row_count("events") == events
    holder = live.client(answer.json()["accessToken"])
    assert holder.get(answer.headers["location"]).status_code == 200


def test_an_access_token_is_replayed_to_the_visitor_who_has_an_unguessable_key_until_it_is_used(client: Client):
    headers = key()
    first, repeated = (client.post(CREATE, json=BODY, headers=headers) for _ in range(2))
    assert repeated.json() == first.json()
    ticket = Ticket(client, first.json())
    ticket.write_draft()
    late = client.post(CREATE, json=BODY, headers=headers)
    assert late.json() == first.json() | {"accessToken": None}
    assert late.headers["idempotency-replayed"] == "true"


@pytest.mark.parametrize(("prefix", "length"), [("", 21), ("1" * 30, 4)])
def test_an_access_token_is_not_replayed_for_a_key_that_another_visitor_could_guess(
    client: Client, prefix: str, length: int
):
    headers = key(prefix + uuid4().hex[:length])
    first, repeated = (client.post(CREATE, json=BODY, headers=headers) for _ in range(2))
    assert first.json()["accessToken"]
    assert repeated.json() == first.json() | {"accessToken": None}


def test_a_stored_answer_is_encrypted(live: LiveService, client: Client):
    answer = client.post(CREATE, json=BODY | {"displayName": "Canary Jones"}, headers=key())
    with live.service.database.connection() as connection:
        rows = connection.execute("SELECT * FROM idempotency_keys").fetchall()
    stored = repr(rows) + "".join(bytes(v).decode("latin-1") for row in rows for v in row if isinstance(v, bytes))
    assert answer.json()["accessToken"] not in stored
    assert "Canary" not in stored
    assert "ada@example.com" not in stored


def test_an_id_in_capitals_names_the_same_resource(live: LiveService, ticket: Ticket):
    headers, events = key(), live.row_count("events")
    first = payment(ticket, headers)
    capital = f"/api/tickets/{ticket.id.upper()}"
    body = {"amount": 5, "currency": "USD"}
    repeated = ticket.http.post(f"{capital}/create-payment", json=body, headers=headers)
    assert repeated.json() == first.json()
    assert repeated.headers["idempotency-replayed"] == "true"
    assert live.row_count("events") == events + 2
    assert ticket.http.get(capital).json() == ticket.get().json()
    malformed = ticket.id.replace("-", "")
    problem(ticket.http.get(f"/api/tickets/{malformed}"), 404, "not-found")
    with live.client_with_key(Role.ADMIN) as admin:
        exports = [
            admin.get("/api/exports/donations", params={"ticket": id}).status_code
            for id in (ticket.id.upper(), malformed)
        ]
    assert exports == [200, 422]
