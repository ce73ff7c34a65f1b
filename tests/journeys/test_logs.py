"""A running service writes log lines and traces with ids, and without secrets and personal data."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from secrets import token_hex
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import psutil
import pytest

from adapters.payments.webhooks import sign
from tests.client import DEMO_RECORDING, RECORDING, Client, Ticket, eventually
from tests.fakes.children import speech_children
from tests.fakes.collector import Collector
from tests.fakes.mailbox import PASSWORD, certified, smtp_server
from tests.journeys.canaries import Canaries, found_in
from tests.journeys.observed_service import ObservedService
from tests.stripe_events import Payment

ROOT = Path(__file__).parents[2]
# Of this run alone, so that the processes of another run on the same machine do not have it.
SECRET = f"canary{token_hex(16)}"
SECRETS = {
    "master_key": f"{SECRET}-master",
    "email_pepper": f"{SECRET}-pepper",
    "checkpoint_key": f"{SECRET}-checkpoint",
    "stripe_webhook_secret": f"whsec_{SECRET}",
}
GUESSED_TOKEN = "tkt_canary-guessed"

Line = dict[str, Any]


class Observed:
    """A service on an embedded PostgreSQL, with secrets in its environment and canaries in all data of one person.

    The service has stopped when the constructor returns.
    """

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.canary, self.request_id = Canaries(), str(uuid4())
        self.collector = stack.enter_context(Collector())
        tls, certificate_path = certified(folder)
        mailbox = stack.enter_context(smtp_server(tls, auth=True))
        smtp_url = mailbox.url.replace("://", f"://{SECRET}:{quote(PASSWORD, safe='')}@")
        mail = {"smtp_url": smtp_url, "mail_from": "hello@example.org", "ssl_cert_file": certificate_path}
        endpoint = self.collector.endpoint
        self.service = ObservedService("", folder, otel_exporter_otlp_endpoint=endpoint, **SECRETS, **mail)
        with self.service:
            self._travel()
            self._look_at_processes()
            self.exit_code = self.service.stop()

    def client(self, credential: str | None = None) -> Client:
        return self.service.client(headers={"Authorization": f"Bearer {credential}"} if credential else {})

    @property
    def log(self) -> bytes:
        return self.service.log.read_bytes()

    def lines(self, event: str | None = None, **fields: Any) -> list[Line]:
        """Return the complete lines with this event and these fields."""
        # At the start the service also prints its address and, in development, the admin key.
        complete_lines = [
            line for line in self.log.splitlines(keepends=True) if line.startswith(b"{") and line.endswith(b"\n")
        ]
        return [
            line
            for line in map(json.loads, complete_lines)
            if event in (None, line["event"]) and all(line.get(k) == v for k, v in fields.items())
        ]

    def _travel(self) -> None:
        """Send the requests of a person, of Stripe and of an admin."""
        canary = self.canary
        with self.client() as client, self.client(self.service.secrets["admin_key"]) as admin:
            ticket = client.open_ticket(contactValue=f"{canary('contact')}@example.com", displayName=canary("name"))
            changed = ticket.patch("", {"displayName": canary("new name")}, headers={"X-Request-Id": self.request_id})
            assert changed.status_code == 200
            assert ticket.upload(RECORDING.read_bytes(), f"{canary('file')}.webm").status_code == 200
            assert ticket.post("/process").status_code == 202
            payment = Payment(UUID(ticket.id))
            payment.details = {"name": canary("donor"), "email": f"{canary('donor')}@example.com", "address": None}
            self.gift = payment.charged()
            deliver(client, self.gift)
            refuse(client, ticket, canary)
            reset = {"newContactValue": f"{canary('new contact')}@example.com"}
            path = f"/admin/profiles/{ticket.id}/approve-reset"
            assert admin.post(path, json=reset).status_code == 200
            eventually(lambda: len(self.lines("step done", step="draft")) == 1)
            eventually(lambda: len(self.lines("mail sent")) == 3)
            eventually(lambda: self.lines("webhooks applied"))
        self.ticket = ticket

    def _look_at_processes(self) -> None:
        """While a recording is transcribed, read the arguments and the environment of every process."""
        self.arguments: dict[int, bytes] = {}
        self.environments: dict[int, bytes] = {}
        with self.client() as client:
            self.last_ticket = ticket = client.open_ticket()
        assert ticket.upload(DEMO_RECORDING.read_bytes()).status_code == 200
        assert ticket.post("/process").status_code == 202
        self.transcribing = eventually(lambda: speech_children(self.service.process.pid))
        for child in self.transcribing:
            # The transcription must not end before its process is read.
            os.kill(child, signal.SIGSTOP)
        for process in psutil.process_iter():
            with suppress(OSError, psutil.Error):
                self.arguments[process.pid] = Path(f"/proc/{process.pid}/cmdline").read_bytes()
                self.environments[process.pid] = Path(f"/proc/{process.pid}/environ").read_bytes()
        for child in self.transcribing:
            os.kill(child, signal.SIGCONT)


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    with ExitStack() as stack:
        yield Observed(tmp_path_factory.mktemp("observed"), stack)


def deliver(client: Client, event: Line) -> None:
    body = json.dumps(event).encode()
    headers = {"Stripe-Signature": sign(body, SECRETS["stripe_webhook_secret"], time.time())}
    assert client.post("/api/webhooks/stripe", content=body, headers=headers).status_code == 200


def test_every_log_line_of_a_journey_carries_its_ids(observed: Observed):
    lines = observed.lines()
    assert {"event", "level", "timestamp"} <= set.intersection(*(set(line) for line in lines))
    assert all(line["timestamp"].endswith("Z") for line in lines)
    requests = observed.lines("request")
    assert all({"request_id", "method", "path", "status", "milliseconds"} <= line.keys() for line in requests)
    assert len({line["request_id"] for line in requests}) == len(requests)

    id = observed.ticket.id
    [opened] = observed.lines("request", path="/api/tickets/create", status=201, ticket=id)
    assert opened["position"] == 1
    [own] = observed.lines("request", request_id=observed.request_id)
    assert (own["ticket"], own["position"], own["method"]) == (id, 2, "PATCH")
    about = [line for line in requests if "{ticket_id}" in line["path"] and line["status"] < 400]
    assert {line["ticket"] for line in about} == {id, observed.last_ticket.id}

    steps = observed.lines("step done", ticket=id)
    assert [line["step"] for line in steps] == ["transcribe", "analyse", "draft"]
    assert all(isinstance(line["job"], int) and line["position"] > 2 for line in steps)

    assert observed.lines("request", stripe_event=observed.gift["id"], status=200)
    assert [line["stripe_events"] for line in observed.lines("webhooks applied")] == [{"held": [observed.gift["id"]]}]
    mails = observed.lines("mail sent")
    assert {line["kind"] for line in mails} == {"new_access", "contact_changed", "draft_questions"}
    assert {line["ticket"] for line in mails} == {id}
    assert len({line["mail"] for line in mails}) == len(mails)


def test_no_personal_data_and_no_secret_is_in_the_log(observed: Observed):
    assert observed.canary.planted
    assert found_in(observed.log) == []
    # In development the admin key is printed on purpose.
    secrets = [secret for name, secret in observed.service.secrets.items() if name != "admin_key"]
    tokens = [observed.ticket.token, observed.last_ticket.token, GUESSED_TOKEN]
    for secret in (SECRET, PASSWORD, quote(PASSWORD, safe=""), *tokens, *secrets):
        assert secret.encode() not in observed.log


def test_no_secret_is_in_the_arguments_of_a_process_or_in_the_environment_of_another(observed: Observed):
    for pid, arguments in observed.arguments.items():
        for secret in (SECRET, observed.last_ticket.token):
            assert secret.encode() not in arguments, pid
    other_pids = observed.environments.keys() - {observed.service.process.pid, os.getpid()}
    for pid in other_pids:
        assert SECRET.encode() not in observed.environments[pid], (pid, observed.arguments[pid])
    # The database's processes are not children of the process that started them.
    folder = str(observed.service.data).encode()
    database = {pid for pid in other_pids if folder in observed.arguments[pid]}
    assert database
    assert other_pids >= {*observed.transcribing}


def test_spans_arrive_at_the_collector_before_the_service_exits_with_0(observed: Observed):
    assert observed.exit_code == 0
    spans = observed.collector.spans()
    assert spans["POST /api/tickets/create"]["http.response.status_code"] == 201
    assert spans["append"]["storyledger.ticket"] in (observed.ticket.id, observed.last_ticket.id)
    assert "projection batch" in spans
    assert found_in(str(spans).encode()) == []
    assert observed.collector.services() == {"storyledger"}


def refuse(client: Client, ticket: Ticket, canary: Canaries) -> None:
    """Send requests that are refused, whose log lines must not name the person."""
    assert client.get(f"/{canary('path')}?contact={canary('query')}").status_code == 404
    assert client.get("/api/tickets/search", params={"contact": canary("contact")}).status_code == 401
    assert client.get("/health/live", headers={"X-Request-Id": canary("request id")}).status_code == 200
    assert ticket.patch("/draft", {canary("field"): canary("value")}).status_code == 422
    assert ticket.post("/create-payment", {"amount": canary("amount"), "currency": "USD"}).status_code == 422
    assert ticket.upload(canary("no audio").encode(), canary("file")).status_code == 415
    for credential in (canary("credential"), GUESSED_TOKEN):
        assert client.get(ticket.path, headers={"Authorization": f"Bearer {credential}"}).status_code == 401


LOGGING_CODE = {
    "library": (
        "import logging\n"
        "try:\n    raise KeyError('qzkanarix')\n"
        "except KeyError:\n    logging.getLogger('strange').exception('no %s here', 'qzkanarix')"
    ),
    "own": "import logging\nlogging.getLogger('adapters.x').warning('status %s', 503)",
    "thread": (
        "import threading\n"
        "def die():\n    raise ValueError('qzkanarix')\n"
        "thread = threading.Thread(target=die, name='mine')\nthread.start()\nthread.join()"
    ),
    "context": (
        "import structlog\nfrom adapters.observability import log_context\nlog = structlog.get_logger()\n"
        "log_context.add(ticket='lost')\nlog.info('a')\n"
        "log_context.begin(request_id='r')\nlog_context.add(ticket='t')\nlog.info('b')\nlog.info('c', ticket='u')\n"
        "log_context.begin(job=1)\nlog.info('d')"
    ),
}
# Each piece of code runs as a file of its own; the line after it ends its part of the log.
RUN_CODE = """
import sys
from entrypoints.composition.logs import configure
configure('DEBUG')
for name, code in CODE.items():
    exec(compile(code, name, 'exec'), {})
    print(name, file=sys.stderr)
"""


@pytest.fixture(scope="module")
def logged() -> dict[str, list[Line]]:
    """Return the lines that a process of its own logs for each piece of LOGGING_CODE."""
    code = f"CODE = {LOGGING_CODE!r}\n{RUN_CODE}"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "qzkanarix" not in ran.stderr
    lines: dict[str, list[Line]] = {}
    rest = ran.stderr
    for name in LOGGING_CODE:
        part, _, rest = rest.partition(f"\n{name}\n")
        lines[name] = [json.loads(line) for line in part.splitlines()]
    return lines


def test_only_the_constant_text_of_a_librarys_log_record_is_kept(logged: dict[str, list[Line]]):
    [line] = logged["library"]
    assert (line["event"], line["logger"], line["level"]) == ("no %s here", "strange", "error")
    assert (line["error"], line["where"]) == ("KeyError", "library:3")


def test_our_own_records_of_the_standard_library_are_logged_in_full(logged: dict[str, list[Line]]):
    [line] = logged["own"]
    assert (line["event"], line["level"]) == ("status 503", "warning")


def test_an_error_that_ends_a_thread_is_logged_with_its_type_and_place(logged: dict[str, list[Line]]):
    [line] = logged["thread"]
    assert (line["event"], line["thread"], line["error"]) == ("thread died", "mine", "ValueError")
    assert line["where"] == "thread:3"


def test_fields_of_a_log_line_take_precedence_over_the_context(logged: dict[str, list[Line]]):
    log_fields = [{k: v for k, v in line.items() if k not in ("level", "timestamp")} for line in logged["context"]]
    assert log_fields == [
        {"event": "a"},
        {"event": "b", "request_id": "r", "ticket": "t"},
        {"event": "c", "request_id": "r", "ticket": "u"},
        {"event": "d", "job": 1},
    ]
