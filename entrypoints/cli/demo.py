"""The command `demo`: one campaign over HTTP, with the requests of a holder, a donor and an auditor."""

import json
import threading
import time
import webbrowser
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
from entrypoints.cli.console import CommandFailed, print_json, print_line, print_table
from entrypoints.cli.context import one_line_errors
from entrypoints.cli.serving import bound, server, wait_for_stop
from entrypoints.composition import settings as environment
from entrypoints.composition.database_url import DatabaseUrl
from entrypoints.composition.logs import configure
from entrypoints.composition.service import Service
from entrypoints.composition.startup_checks import reach

PROCESSING_SECONDS = 600
DELIVERY_SECONDS = 30
# Slow enough to stay under the rate limit.
POLL_SECONDS = 1.0

DONATION_AMOUNT = "50.00"
REFUND_MINOR = 2_000
DONOR = {"outcome": "paid", "name": "Grace Hopper", "email": "grace@example.com", "country": "US"}
MISSING_FIELDS = {"goalAmount": "1000.00", "currency": "USD", "beneficiary": "The person who spoke"}


class _Report:
    """Prints each step for people, and collects the results for `--json`."""

    def __init__(self, *, silent: bool) -> None:
        self._silent = silent
        self.results: dict[str, Any] = {}

    def step(self, title: str, **results: Any) -> None:
        self.results |= results
        if not self._silent:
            print_line(f"\n— {title}")

    def line(self, text: str) -> None:
        if not self._silent:
            print_line(f"  {text}")

    def table(self, title: str, columns: tuple[str, ...], rows: list[list[Any]]) -> None:
        if not self._silent:
            print_table(title, columns, rows)


@contextmanager
def _running() -> Iterator[Service]:
    """Run the whole service in this process on a free port, so that a running service is not disturbed."""
    with one_line_errors():
        settings = environment.load()
        if not settings.sandbox:
            raise CommandFailed("the demo needs sandbox payments: unset STRIPE_SECRET_KEY")
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


def _until(condition: Callable[[], Any], seconds: float) -> Any:
    """Return the first true value of `condition`; raise CommandFailed after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise CommandFailed("the demo waited too long for a step to finish")
        time.sleep(POLL_SECONDS)
    return answer


def demo(audio: Path | None, as_json: bool, keep: bool = False) -> None:
    """Run the demo; raise CommandFailed if a step or the final comparison fails. With `keep`, serve until Ctrl+C."""
    report = _Report(silent=as_json)
    with _running() as service:
        with httpx2.Client(base_url=service.public_url, timeout=60) as http:
            ticket, token = _open(http, report)
            authorization = {"Authorization": f"Bearer {token}"}
            with httpx2.Client(base_url=service.public_url, headers=authorization, timeout=60) as holder:
                _process_recording(holder, ticket, audio or DEMO_RECORDING, report)
                _draft(holder, ticket, report)
                _documents(holder, ticket, service.settings.data_dir / "demo", report)
                _donate(holder, http, ticket, service, report)
                _ledger(holder, ticket, report)
        _verify(service, report)
        if keep:
            _addresses(service, token, report)
        if as_json:
            print_json(report.results)
        if keep:
            # Nothing happens on a machine without a browser.
            webbrowser.open(report.results["publicUrl"])
            wait_for_stop(service)


def _addresses(service: Service, token: str, report: _Report) -> None:
    """Say where the campaign can be seen, and with what a holder and an auditor sign in."""
    ticket_id = report.results["ticketId"]
    addresses = {
        "the campaign": report.results["publicUrl"],
        "my page": f"{service.public_url}/t/{ticket_id}/manage",
        "its access code": token,
        "the history": f"{service.public_url}/audit/{ticket_id}",
        "check the proof": f"{service.public_url}/verify",
        "payments": f"{service.public_url}/sandbox",
        "mails": str(service.settings.outbox),
    }
    if service.secrets.admin_key is not None:
        addresses["key for the history"] = service.secrets.admin_key
    report.step("The service runs on", addresses=addresses)
    for name, address in addresses.items():
        report.line(f"{name:<20} {address}")
    report.line(f"{'stop':<20} Ctrl+C")


def _answer(response: httpx2.Response) -> Any:
    if response.is_error:
        problem = response.json()
        raise CommandFailed(f"{problem['title']}: {problem['detail']}")
    return json.loads(response.content, parse_float=Decimal)


def _open(http: httpx2.Client, report: _Report) -> tuple[str, str]:
    body = {"contactType": "EMAIL", "contactValue": "david@example.com", "displayName": "David Miller"}
    opened = _answer(http.post("/api/tickets/create", json=body))
    report.step("A ticket is opened", ticketId=opened["id"])
    report.line(opened["id"])
    return f"/api/tickets/{opened['id']}", opened["accessToken"]


def _process_recording(http: httpx2.Client, ticket: str, audio: Path, report: _Report) -> None:
    report.step(f"The recording {audio.name} is uploaded and processed")
    with audio.open("rb") as file:
        uploaded = _answer(http.post(f"{ticket}/upload-audio", files={"audio": (audio.name, file)}))
    report.line(f"{uploaded['mediaType']}, {uploaded['durationSeconds']:.1f} s, {uploaded['sizeBytes']} bytes")
    _answer(http.post(f"{ticket}/process", json={}))
    last_progress = ""

    def finished_status() -> dict[str, Any] | None:
        nonlocal last_progress
        status: dict[str, Any] = _answer(http.get(f"{ticket}/status"))
        progress = f"{status['stage']} {status['progress']} %"
        if progress != last_progress:
            report.line(progress)
            last_progress = progress
        return status if status["stage"] in ("DONE", "FAILED") else None

    status = _until(finished_status, PROCESSING_SECONDS)
    if status["error"]:
        raise CommandFailed(status["error"]["message"])
    if status["needsInfo"]:
        report.line(
            f"information that the recording does not contain: {', '.join(status['needsInfo']['missingFields'])}"
        )
        _answer(http.post(f"{ticket}/provide-info", json=MISSING_FIELDS))


def _draft(http: httpx2.Client, ticket: str, report: _Report) -> None:
    details = _answer(http.get(ticket, params={"include": "draft,transcriptions"}))
    transcript, draft = details["transcriptions"][0], details["donationDraft"]
    report.step("The transcript", transcript=transcript["text"])
    report.line(transcript["text"])
    report.step("The draft", draft=draft)
    fields = ("title", "goalAmount", "currency", "beneficiary", "location", "category", "language", "sentiment")
    report.table("", ("field", "value"), [[name, draft[name]] for name in fields])


def _documents(http: httpx2.Client, ticket: str, folder: Path, report: _Report) -> None:
    report.step("A Word file, a PDF and a QR code")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    files = []
    for format in ("docx", "pdf"):
        document_request = {"docType": "GOFUNDME_DRAFT", "format": format}
        document = _answer(http.post(f"{ticket}/generate-doc", json=document_request))
        file = folder / f"campaign.{format}"
        file.write_bytes(http.get(document["filePath"]).content)
        files.append(file)
    qr_code = folder / "qr-code.png"
    qr_code.write_bytes(http.get(f"{ticket}/qr-code", headers={"Accept": "image/png"}).content)
    for file in (*files, qr_code):
        report.line(f"{file} ({file.stat().st_size} bytes)")
    report.results["files"] = [str(file) for file in (*files, qr_code)]


def _donate(holder: httpx2.Client, donor: httpx2.Client, ticket: str, service: Service, report: _Report) -> None:
    _decide_findings(holder, ticket, report)
    published = _answer(holder.post(f"{ticket}/publish", json={"consent": True}))
    report.step("The page is published", publicUrl=published["publicUrl"])
    report.line(published["publicUrl"])
    checkout = _answer(holder.post(f"{ticket}/create-payment", json={"amount": DONATION_AMOUNT, "currency": "USD"}))
    report.step(f"A donation of {DONATION_AMOUNT} USD is paid in the sandbox, and 20.00 of it refunded")
    report.line(checkout["checkoutUrl"])
    if donor.post(checkout["checkoutUrl"], data=DONOR).status_code != 303:
        raise CommandFailed("the sandbox did not accept the payment")
    assert service.payments.sandbox is not None
    _delivered(service)
    service.payments.sandbox.refund(checkout["checkoutSessionId"], REFUND_MINOR)
    _delivered(service)

    def refunded() -> bool:
        totals = _answer(holder.get(f"{ticket}/donations/total"))
        return bool(totals["breakdown"]["refundedMinor"] == REFUND_MINOR)

    _until(refunded, DELIVERY_SECONDS)


def _decide_findings(http: httpx2.Client, ticket: str, report: _Report) -> None:
    """Keep what may endanger somebody: the page of the demo is on this machine only."""
    draft = _answer(http.get(ticket, params={"include": "draft"}))["donationDraft"]
    findings = draft.get("safety", {"findings": []})["findings"]
    if not findings:
        return
    report.step("Parts of the draft may endanger somebody; the demo keeps each")
    report.table("", ("kind", "field", "text"), [[each["kind"], each["field"], each["text"]] for each in findings])
    decisions = [{"id": id, "decision": "keep"} for id in dict.fromkeys(each["id"] for each in findings)]
    _answer(http.post(f"{ticket}/draft/findings", json={"decisions": decisions}))


def _delivered(service: Service) -> None:
    assert service.payments.sandbox is not None
    if not service.payments.sandbox.wait_delivered(DELIVERY_SECONDS):
        raise CommandFailed("the sandbox's webhooks were not delivered in time")


def _ledger(http: httpx2.Client, ticket: str, report: _Report) -> None:
    donations = _answer(http.get(f"{ticket}/donations"))["donations"]
    totals = _answer(http.get(f"{ticket}/donations/total", params={"explain": "true"}))
    report.step("The ledger", donations=donations, totals=totals)
    columns = ("status", "amount", "currency", "donor", "country", "amountRefunded", "paidAt")
    report.table("Donations", columns, [[donation[column] for column in columns] for donation in donations])
    entry_columns = ("position", "kind", "amount", "currency", "at")
    report.table("Entries", entry_columns, [[entry[c] for c in entry_columns] for entry in totals["entries"]])
    report.line(f"total {totals['total']:.2f} {totals['currency']}")
    if sum(entry["amountMinor"] for entry in totals["entries"]) != totals["totalMinor"]:
        raise CommandFailed("the sum of the entries is not the total")
    events = _answer(http.get(f"{ticket}/history", params={"limit": 100}))["events"]
    report.step("The history", events=[event["type"] for event in events])
    event_columns = ("position", "type", "actor", "recordedAt")
    report.table("Events", event_columns, [[event[c] for c in event_columns] for event in events])


def _verify(service: Service, report: _Report) -> None:
    """Compare every read model with a rebuilt one, and recompute the hash chain."""
    report.step("The read models are rebuilt from the history and compared")
    comparisons = [rebuild.verify(service.url, projection, lambda *_: None) for projection in projections.ALL]
    columns = ("name", "events", "rows", "differences")
    report.table("", columns, [[each.name, each.events, each.rows, len(each.differences)] for each in comparisons])
    verdict = audit.verify(service.url, read=service.proof.signer.read)
    differing = [each.name for each in comparisons if each.differences]
    report.results |= {"differences": differing, "chainHolds": verdict.ok, "links": verdict.events}
    if differing:
        raise CommandFailed(f"the rebuilt read models differ: {', '.join(differing)}")
    if not verdict.ok:
        raise CommandFailed("the hash chain is broken")
    report.line(f"Nothing differs, and all {verdict.events} links of the hash chain hold.")
