"""The main job once, without a browser: every step over HTTP, as a person, a donor and an auditor would take it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2

import projections
from adapters.proof import audit
from adapters.read_models import rebuild
from adapters.speech import DEMO_RECORDING
from entrypoints.cli.console import Found, print_json, say, table
from entrypoints.cli.setup import clear_errors
from entrypoints.composition import settings as environment
from entrypoints.composition.database_url import DatabaseUrl
from entrypoints.composition.logs import configure
from entrypoints.composition.service import Service
from entrypoints.composition.serving import bound, server
from entrypoints.composition.startup_checks import reach

LONGEST_WORK_SECONDS = 600
LONGEST_DELIVERY_SECONDS = 30
# A client like any other: it asks seldom enough not to be told that it asks too often.
POLL_SECONDS = 1.0

GIFT = "50.00"
PART_MINOR = 2_000
DONOR = {"outcome": "paid", "name": "Grace Hopper", "email": "grace@example.com", "country": "US"}
MISSING = {"goalAmount": "1000.00", "currency": "USD", "beneficiary": "The person who spoke"}


class _Show:
    """Says each step to people, and keeps what it found for `--json`."""

    def __init__(self, *, silent: bool) -> None:
        self._silent = silent
        self.found: dict[str, Any] = {}

    def step(self, title: str, **found: Any) -> None:
        self.found |= found
        if not self._silent:
            say(f"\n— {title}")

    def line(self, text: str) -> None:
        if not self._silent:
            say(f"  {text}")

    def table(self, title: str, columns: tuple[str, ...], rows: list[list[Any]]) -> None:
        if not self._silent:
            table(title, columns, rows)


@contextmanager
def _running() -> Iterator[Service]:
    """The whole service in this process, on a port of its own, so that one that runs already is left alone."""
    with clear_errors():
        settings = environment.load()
        if not settings.sandbox:
            raise Found("the demo pays with sandbox money only: unset STRIPE_SECRET_KEY")
        configure("WARNING", quiet=True)
        address = bound(settings.model_copy(update={"port": 0, "host": "127.0.0.1"}))
        chosen = settings.model_copy(update={"host": "127.0.0.1", "port": address.getsockname()[1], "base_url": None})
        with DatabaseUrl(chosen) as url:
            reach(url)
            service = Service(chosen, url)
            web = server(service)
            thread = threading.Thread(target=web.run, kwargs={"sockets": [address]}, daemon=True)
            try:
                service.start()
                thread.start()
                _until(lambda: web.started, 10)
                yield service
            finally:
                web.should_exit = True
                thread.join(timeout=10)
                service.stop()


def _until(true: Callable[[], Any], seconds: float) -> Any:
    deadline = time.monotonic() + seconds
    while not (answer := true()):
        if time.monotonic() > deadline:
            raise Found("the demo waited in vain")
        time.sleep(POLL_SECONDS)
    return answer


def demo(audio: Path | None, as_json: bool) -> None:
    """Run it; Found if anything is not as it should be."""
    show = _Show(silent=as_json)
    with _running() as service, httpx2.Client(base_url=service.public_url, timeout=60) as http:
        ticket, holder = _open(http, show)
        with httpx2.Client(base_url=service.public_url, headers=holder, timeout=60) as own:
            _tell(own, ticket, audio or DEMO_RECORDING, show)
            _draft(own, ticket, show)
            _documents(own, ticket, service.settings.data_dir / "demo", show)
            _give(own, http, ticket, service, show)
            _ledger(own, ticket, show)
        _prove(service, show)
    if as_json:
        print_json(show.found)


def _answer(response: httpx2.Response) -> Any:
    if response.is_error:
        problem = response.json()
        raise Found(f"{problem['title']}: {problem['detail']}")
    return json.loads(response.content, parse_float=Decimal)


def _open(http: httpx2.Client, show: _Show) -> tuple[str, dict[str, str]]:
    body = {"contactType": "EMAIL", "contactValue": "david@example.com", "displayName": "David Miller"}
    opened = _answer(http.post("/api/tickets/create", json=body))
    show.step("A ticket is opened", ticketId=opened["id"])
    show.line(opened["id"])
    return f"/api/tickets/{opened['id']}", {"Authorization": f"Bearer {opened['accessToken']}"}


def _tell(http: httpx2.Client, ticket: str, audio: Path, show: _Show) -> None:
    show.step(f"The recording {audio.name} is uploaded and processed")
    with audio.open("rb") as file:
        uploaded = _answer(http.post(f"{ticket}/upload-audio", files={"audio": (audio.name, file)}))
    show.line(f"{uploaded['mediaType']}, {uploaded['durationSeconds']:.1f} s, {uploaded['sizeBytes']} bytes")
    _answer(http.post(f"{ticket}/process", json={}))
    seen = ""

    def done() -> dict[str, Any] | None:
        nonlocal seen
        status: dict[str, Any] = _answer(http.get(f"{ticket}/status"))
        now = f"{status['stage']} {status['progress']} %"
        if now != seen:
            show.line(now)
            seen = now
        return status if status["stage"] in ("DONE", "FAILED") else None

    status = _until(done, LONGEST_WORK_SECONDS)
    if status["error"]:
        raise Found(status["error"]["message"])
    if status["needsInfo"]:
        show.line(f"the recording leaves open: {', '.join(status['needsInfo']['missingFields'])}")
        _answer(http.post(f"{ticket}/provide-info", json=MISSING))


def _draft(http: httpx2.Client, ticket: str, show: _Show) -> None:
    whole = _answer(http.get(ticket, params={"include": "draft,transcriptions"}))
    transcript, draft = whole["transcriptions"][0], whole["donationDraft"]
    show.step("The transcript", transcript=transcript["text"])
    show.line(transcript["text"])
    show.step("The draft", draft=draft)
    fields = ("title", "goalAmount", "currency", "beneficiary", "location", "category", "language", "sentiment")
    show.table("", ("field", "value"), [[name, draft[name]] for name in fields])


def _documents(http: httpx2.Client, ticket: str, folder: Path, show: _Show) -> None:
    show.step("A Word file, a PDF and a QR code")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    files = []
    for format in ("docx", "pdf"):
        order = {"docType": "GOFUNDME_DRAFT", "format": format}
        made = _answer(http.post(f"{ticket}/generate-doc", json=order))
        file = folder / f"campaign.{format}"
        file.write_bytes(http.get(made["filePath"]).content)
        files.append(file)
    code = folder / "qr-code.png"
    code.write_bytes(http.get(f"{ticket}/qr-code", headers={"Accept": "image/png"}).content)
    for file in (*files, code):
        show.line(f"{file} ({file.stat().st_size} bytes)")
    show.found["files"] = [str(file) for file in (*files, code)]


def _give(own: httpx2.Client, http: httpx2.Client, ticket: str, service: Service, show: _Show) -> None:
    published = _answer(own.post(f"{ticket}/publish", json={"consent": True}))
    show.step("The page is published", publicUrl=published["publicUrl"])
    show.line(published["publicUrl"])
    checkout = _answer(own.post(f"{ticket}/create-payment", json={"amount": GIFT, "currency": "USD"}))
    show.step(f"A gift of {GIFT} USD is paid in the sandbox, and 20.00 of it refunded")
    show.line(checkout["checkoutUrl"])
    if http.post(checkout["checkoutUrl"], data=DONOR).status_code != 303:
        raise Found("the sandbox did not take the payment")
    assert service.sandbox is not None
    _delivered(service)
    service.sandbox.refund(checkout["checkoutSessionId"], PART_MINOR)
    _delivered(service)

    def refunded() -> bool:
        totals = _answer(own.get(f"{ticket}/donations/total"))
        return bool(totals["breakdown"]["refundedMinor"] == PART_MINOR)

    _until(refunded, LONGEST_DELIVERY_SECONDS)


def _delivered(service: Service) -> None:
    assert service.sandbox is not None
    if not service.sandbox.wait_delivered(LONGEST_DELIVERY_SECONDS):
        raise Found("the sandbox's webhooks did not arrive")


def _ledger(http: httpx2.Client, ticket: str, show: _Show) -> None:
    donations = _answer(http.get(f"{ticket}/donations"))["donations"]
    totals = _answer(http.get(f"{ticket}/donations/total", params={"explain": "true"}))
    show.step("The ledger", donations=donations, totals=totals)
    columns = ("status", "amount", "currency", "donor", "country", "amountRefunded", "paidAt")
    show.table("Donations", columns, [[one[c] for c in columns] for one in donations])
    entries = ("position", "kind", "amount", "currency", "at")
    show.table("Entries", entries, [[one[c] for c in entries] for one in totals["entries"]])
    show.line(f"total {totals['total']:.2f} {totals['currency']}")
    if sum(entry["amountMinor"] for entry in totals["entries"]) != totals["totalMinor"]:
        raise Found("the entries do not add up to the total")
    events = _answer(http.get(f"{ticket}/history", params={"limit": 100}))["events"]
    show.step("The history", events=[event["type"] for event in events])
    history = ("position", "type", "actor", "recordedAt")
    show.table("Events", history, [[event[c] for c in history] for event in events])


def _prove(service: Service, show: _Show) -> None:
    """Rebuild every read model beside the live one and compare; recompute the chain."""
    show.step("The read models are rebuilt from the history and compared")
    done = [rebuild.verify(service.url, projection, lambda *_: None) for projection in projections.ALL]
    columns = ("name", "events", "rows", "differences")
    show.table("", columns, [[one.name, one.events, one.rows, len(one.differences)] for one in done])
    verdict = audit.verify(service.url, read=service.signer.read)
    differing = [one.name for one in done if one.differences]
    show.found |= {"differences": differing, "chainHolds": verdict.ok, "links": verdict.events}
    if differing:
        raise Found(f"the rebuilt read models differ: {', '.join(differing)}")
    if not verdict.ok:
        raise Found("the chain of hashes is broken")
    show.line(f"Nothing differs, and all {verdict.events} links of the chain hold.")
