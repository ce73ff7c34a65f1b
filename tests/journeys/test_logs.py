"""Log lines are JSON, are linked by ids, and contain no personal data."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from adapters.payments.webhooks import sign
from tests.client import RECORDING, UNLIMITED, Client, Ticket, eventually, free_port
from tests.journeys.canaries import Canaries, found_in
from tests.stripe_events import Payment

STORYLEDGER = Path(sys.executable).parent / "storyledger"
ROOT = Path(__file__).parents[2]

Line = dict[str, Any]


class Logged:
    """`storyledger serve` as a process of its own, with all that it logs."""

    def __init__(self, url: str, folder: Path) -> None:
        self.folder, port = folder, free_port()
        self.base_url = f"http://127.0.0.1:{port}"
        environment = {"DATABASE_URL": url, "DATA_DIR": str(folder / "var"), "PORT": str(port), "LOG_LEVEL": "DEBUG"}
        unlimited = {name.upper(): rate for name, rate in UNLIMITED.items()}
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [STORYLEDGER, "serve"], env=os.environ | environment | unlimited, stdout=subprocess.DEVNULL, stderr=log
            )
        eventually(self._serves, 60)
        self.secrets: dict[str, str] = json.loads((folder / "var" / "secrets.json").read_text())

    def _serves(self) -> bool:
        assert self.process.poll() is None, self.raw.decode()
        try:
            return httpx2.get(f"{self.base_url}/health/ready").status_code == 200
        except httpx2.TransportError:
            return False

    @property
    def raw(self) -> bytes:
        return (self.folder / "log").read_bytes()

    def lines(self, event: str | None = None, **wanted: Any) -> list[Line]:
        """Those lines that were written whole."""
        told = [json.loads(line) for line in self.raw.splitlines(keepends=True) if line.endswith(b"\n")]
        return [
            line for line in told if event in (None, line["event"]) and all(line.get(k) == v for k, v in wanted.items())
        ]

    def client(self, credential: str | None = None) -> Client:
        headers = {"Authorization": f"Bearer {credential}"} if credential else {}
        return Client(base_url=self.base_url, headers=headers, timeout=60)


@pytest.fixture
def logged(migrated_url: str, tmp_path: Path) -> Iterator[Logged]:
    service = Logged(migrated_url, tmp_path)
    yield service
    service.process.terminate()
    service.process.wait(20)


def deliver(logged: Logged, event: Line) -> None:
    body = json.dumps(event).encode()
    headers = {"Stripe-Signature": sign(body, logged.secrets["webhook_secret"], time.time())}
    with logged.client() as stripe:
        assert stripe.post("/api/webhooks/stripe", content=body, headers=headers).status_code == 200


def test_every_log_line_of_a_journey_carries_its_ids_and_no_personal_data(logged: Logged):
    canary, request_id = Canaries(), str(uuid4())
    with logged.client() as client, logged.client(logged.secrets["admin_key"]) as admin:
        ticket = client.open_ticket(contactValue=f"{canary('contact')}@example.com", displayName=canary("name"))
        changed = ticket.patch("", {"displayName": canary("new name")}, headers={"X-Request-Id": request_id})
        assert changed.status_code == 200
        assert ticket.upload(RECORDING.read_bytes(), f"{canary('file')}.webm").status_code == 200
        assert ticket.post("/process").status_code == 202
        payment = Payment(UUID(ticket.id))
        payment.details = {"name": canary("donor"), "email": f"{canary('donor')}@example.com", "address": None}
        gift = payment.charged()
        deliver(logged, gift)
        refuse(client, ticket, canary)
        reset = {"newContactValue": f"{canary('new contact')}@example.com"}
        path = f"/admin/profiles/{ticket.id}/approve-reset"
        assert admin.post(path, json=reset).status_code == 200
        eventually(lambda: len(logged.lines("step done", step="draft")) == 1)
        eventually(lambda: len(logged.lines("mail sent")) == 2)
        eventually(lambda: logged.lines("webhooks applied"))
    logged.process.terminate()
    assert logged.process.wait(20) == 0

    lines = logged.lines()
    assert {"event", "level", "timestamp"} <= set.intersection(*(set(line) for line in lines))
    assert all(line["timestamp"].endswith("Z") for line in lines)
    requests = logged.lines("request")
    assert all({"request_id", "method", "path", "status", "milliseconds"} <= line.keys() for line in requests)
    assert len({line["request_id"] for line in requests}) == len(requests)

    [opened] = logged.lines("request", path="/api/tickets/create", status=201)
    assert (opened["ticket"], opened["position"]) == (ticket.id, 1)
    [own] = logged.lines("request", request_id=request_id)
    assert (own["ticket"], own["position"], own["method"]) == (ticket.id, 2, "PATCH")
    about = [line for line in requests if "{ticket_id}" in line["path"] and line["status"] < 400]
    assert {line["ticket"] for line in about} == {ticket.id}

    steps = logged.lines("step done")
    assert [line["step"] for line in steps] == ["transcribe", "analyse", "draft"]
    assert {line["ticket"] for line in steps} == {ticket.id}
    assert all(isinstance(line["job"], int) and line["position"] > 2 for line in steps)

    assert logged.lines("request", stripe_event=gift["id"], status=200)
    assert [line["stripe_events"] for line in logged.lines("webhooks applied")] == [{"held": [gift["id"]]}]
    mails = logged.lines("mail sent")
    assert {line["kind"] for line in mails} == {"new_access", "contact_changed"}
    assert {line["ticket"] for line in mails} == {ticket.id}
    assert len({line["mail"] for line in mails}) == 2

    assert canary.planted
    assert found_in(logged.raw) == []
    assert ticket.token.encode() not in logged.raw
    assert not [secret for secret in logged.secrets.values() if secret.encode() in logged.raw]


def refuse(client: Client, ticket: Ticket, canary: Canaries) -> None:
    """Whatever is refused is a reason to say why, and none to say who."""
    assert client.get(f"/{canary('path')}?contact={canary('query')}").status_code == 404
    assert client.get("/api/tickets/search", params={"contact": canary("contact")}).status_code == 401
    assert client.get("/health/live", headers={"X-Request-Id": canary("request id")}).status_code == 200
    assert ticket.patch("/draft", {canary("field"): canary("value")}).status_code == 422
    assert ticket.post("/create-payment", {"amount": canary("amount"), "currency": "USD"}).status_code == 422
    assert ticket.upload(canary("no audio").encode(), canary("file")).status_code == 415
    with client.stream("GET", "/health/live", headers={"Authorization": f"Bearer {canary('credential')}"}):
        pass


def run(code: str) -> list[Line]:
    """Return the log lines of a process that runs this code."""
    ran = subprocess.run(
        [sys.executable, "-c", "from entrypoints.composition.logs import configure\nconfigure('DEBUG')\n" + code],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    assert "qzkanarix" not in ran.stderr
    return [json.loads(line) for line in ran.stderr.splitlines()]


def test_only_the_constant_text_of_a_librarys_log_record_is_kept():
    [line] = run(
        "import logging\n"
        "try:\n    raise KeyError('qzkanarix')\n"
        "except KeyError:\n    logging.getLogger('strange').exception('no %s here', 'qzkanarix')"
    )
    assert (line["event"], line["logger"], line["level"]) == ("no %s here", "strange", "error")
    assert (line["error"], line["where"]) == ("KeyError", "<string>:5")


def test_our_own_records_of_the_standard_library_are_logged_in_full():
    [line] = run("import logging\nlogging.getLogger('adapters.x').warning('status %s', 503)")
    assert (line["event"], line["level"]) == ("status 503", "warning")


def test_an_error_that_ends_a_thread_is_logged_with_its_type_and_place():
    [line] = run(
        "import threading\n"
        "def die():\n    raise ValueError('qzkanarix')\n"
        "thread = threading.Thread(target=die, name='mine')\nthread.start()\nthread.join()"
    )
    assert (line["event"], line["thread"], line["error"]) == ("thread died", "mine", "ValueError")
    assert line["where"] == "<string>:5"


def test_fields_of_a_log_line_take_precedence_over_the_context():
    lines = run(
        "import structlog\nfrom adapters.observability import log_context\nlog = structlog.get_logger()\n"
        "log_context.add(ticket='lost')\nlog.info('a')\n"
        "log_context.begin(request_id='r')\nlog_context.add(ticket='t')\nlog.info('b')\nlog.info('c', ticket='u')\n"
        "log_context.begin(job=1)\nlog.info('d')"
    )
    said = [{k: v for k, v in line.items() if k not in ("level", "timestamp")} for line in lines]
    assert said == [
        {"event": "a"},
        {"event": "b", "request_id": "r", "ticket": "t"},
        {"event": "c", "request_id": "r", "ticket": "u"},
        {"event": "d", "job": 1},
    ]
