"""Clients that use every part of the service, repeat each request until it is answered, and record every promise."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID

import httpx2

from adapters.payments.webhooks import sign
from tests.client import RECORDING
from tests.journeys.harness.running_service import RunningService
from tests.stripe_events import Payment, event

ASKED_AGAIN_SECONDS = 0.1
PATIENCE_SECONDS = 300
# The same request is repeated after these answers: the service is unavailable, or the first request still runs.
NOT_NOW = frozenset((409, 429, 500, 502, 503))


class RefusedError(Exception):
    """The service answered with an error that repeating the request does not change."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"{status} {detail}")
        self.status = status


class Moments:
    """Named moments in the clients' work, for which a killer can wait."""

    NAMES = ("create", "upload", "process", "document", "webhook", "publish", "erase", "rebuild")

    def __init__(self) -> None:
        self._events = {name: threading.Event() for name in self.NAMES}

    def reach(self, name: str) -> None:
        self._events[name].set()

    def wait(self, name: str, seconds: float) -> bool:
        self._events[name].clear()
        return self._events[name].wait(seconds)


@dataclass
class SandboxGift:
    """A gift in cents that was paid in the sandbox, and how much of it was refunded."""

    donation: str
    donor: str
    paid: int
    refunded: int = 0


@dataclass
class PromisedTicket:
    """Everything that was acknowledged about one ticket. Each list has one entry for each acknowledged request."""

    id: str
    token: str
    email: str
    title: str | None = None
    uploads: int = 0
    processed: bool = False
    published: bool = False
    documents: list[str] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)
    bought: list[SandboxGift] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    erased: bool = False


class Client(threading.Thread):
    """One of the load's threads, whose requests are determined by its seed."""

    def __init__(self, service: RunningService, moments: Moments, seed: int, transcriptions: int) -> None:
        super().__init__(daemon=True)
        self.service, self.moments, self.random = service, moments, Random(seed)
        self.seed, self.left = seed, transcriptions
        self.tickets: list[PromisedTicket] = []
        self.supports = 0
        self.acts = Counter[str]()
        self.again = 0
        self.fault: str | None = None
        self._ending = threading.Event()
        self._http = httpx2.Client(base_url=service.url, timeout=60, verify=False)
        self._keys = 0

    def end(self) -> None:
        self._ending.set()

    def run(self) -> None:
        weights: dict[Callable[[], Any], int] = {
            self.open: 2, self.edit: 4, self.upload: 2, self.process: 1, self.publish: 2, self.document: 1,
            self.give: 6, self.buy: 1, self.refund: 2, self.erase: 1, self.ask_for_help: 1,
        }  # fmt: skip
        try:
            self.open()
            while not self._ending.is_set():
                [act] = self.random.choices(list(weights), list(weights.values()))
                act()
                self.acts[act.__name__] += 1
        except BaseException as error:
            self.fault = repr(error)
            raise

    # Requests.

    def request(self, method: str, path: str, ticket: PromisedTicket | None = None, **more: Any) -> httpx2.Response:
        """Send the request, again under the same idempotency key until it is answered, and return the answer."""
        self._keys += 1
        headers = {"Idempotency-Key": f"{self.seed}-{self._keys}", **more.pop("headers", {})}
        if ticket is not None:
            headers.setdefault("Authorization", f"Bearer {ticket.token}")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = self._http.request(method, path, headers=headers, **more)
                if answer.status_code not in NOT_NOW:
                    if answer.is_error:
                        raise RefusedError(answer.status_code, f"{method} {path}: {answer.text}")
                    return answer
                fault = f"{answer.status_code} {answer.text[:200]}"
            except httpx2.TransportError as error:
                fault = repr(error)
            assert time.monotonic() < deadline, (method, path, fault)
            self.again += 1
            time.sleep(ASKED_AGAIN_SECONDS)

    def _any(self) -> PromisedTicket:
        living = [ticket for ticket in self.tickets if not ticket.erased]
        return self.random.choice(living) if living else self.open()

    # Acts.

    def open(self) -> PromisedTicket:
        email = f"holder-{self.seed}-{len(self.tickets)}@example.com"
        body = {"contactType": "EMAIL", "contactValue": email, "displayName": "Ada Lovelace"}
        self.moments.reach("create")
        opened = self.request("POST", "/api/tickets/create", json=body).json()
        ticket = PromisedTicket(opened["id"], opened["accessToken"], email)
        self.tickets.append(ticket)
        return ticket

    def edit(self, ticket: PromisedTicket | None = None) -> None:
        ticket = ticket or self._any()
        title = f"Title {self.random.randrange(10**6)}"
        draft = {"title": title, "story": "The roof fell in.", "goalAmount": 1500, "beneficiary": "Ada"}
        self.request("PATCH", f"/api/tickets/{ticket.id}/draft", ticket, json=draft)
        ticket.title = title

    def upload(self, ticket: PromisedTicket | None = None) -> None:
        ticket = ticket or self._any()
        self.moments.reach("upload")
        recording = {"audio": ("story.webm", RECORDING.read_bytes())}
        self.request("POST", f"/api/tickets/{ticket.id}/upload-audio", ticket, files=recording)
        ticket.uploads += 1
        ticket.processed = False

    def process(self) -> None:
        waiting = [t for t in self.tickets if t.uploads and not t.processed and not t.erased and t.title is None]
        if waiting and self.left:
            self.left -= 1
            self.request("POST", f"/api/tickets/{waiting[0].id}/process", waiting[0], json={})
            waiting[0].processed = True
            self.moments.reach("process")

    def publish(self, ticket: PromisedTicket | None = None) -> None:
        ticket = ticket or self._any()
        if ticket.title is not None:
            self.moments.reach("publish")
            self.request("POST", f"/api/tickets/{ticket.id}/publish", ticket, json={"consent": True})
            ticket.published = True

    def document(self, ticket: PromisedTicket | None = None) -> None:
        ticket = ticket or self._any()
        if ticket.title is not None:
            self.moments.reach("document")
            order = {"docType": "GOFUNDME_DRAFT", "format": self.random.choice(("pdf", "docx"))}
            answer = self.request("POST", f"/api/tickets/{ticket.id}/generate-doc", ticket, json=order).json()
            ticket.documents.append(answer["documentId"])

    def give(self, ticket: PromisedTicket | None = None) -> None:
        """Open a checkout and deliver its Stripe events, in any order and one of them twice."""
        ticket, amount = ticket or self._any(), self.random.randint(1, 500)
        order = {"amount": amount, "currency": "USD"}
        checkout = self.request("POST", f"/api/tickets/{ticket.id}/create-payment", ticket, json=order).json()
        payment = Payment(UUID(ticket.id), amount * 100, donation_id=UUID(checkout["donationId"]))
        payment.session_id = checkout["checkoutSessionId"]
        payment.details = payment.details | {"email": f"donor-{payment.donation_id.hex}@example.com"}
        ticket.payments.append(payment)
        now = int(time.time())
        self._deliver(ticket, [payment.completed(now), payment.succeeded(now), payment.charged(now)])

    def buy(self, ticket: PromisedTicket | None = None) -> SandboxGift:
        """Open a checkout and pay it in the sandbox, which then delivers the events."""
        ticket, amount = ticket or self._any(), self.random.randint(10, 500)
        order = {"amount": amount, "currency": "USD"}
        checkout = self.request("POST", f"/api/tickets/{ticket.id}/create-payment", ticket, json=order).json()
        bought = SandboxGift(checkout["donationId"], f"buyer-{checkout['donationId']}@example.com", amount * 100)
        form = {"outcome": "paid", "email": bought.donor, "name": "Grace Hopper", "country": "US"}
        self.request("POST", checkout["checkoutUrl"], data=form)
        ticket.bought.append(bought)
        return bought

    def refund_in_sandbox(self, ticket: PromisedTicket, bought: SandboxGift) -> None:
        """Refund a tenth of the gift as an admin, once the payment is in the ledger."""
        self.until(ticket, "/donations/total", lambda totals: totals["counts"]["created"] == 0)
        admin = {"Authorization": f"Bearer {self.service.secrets['admin_key']}"}
        order = {"amount": bought.paid // 1000, "reason": "the donor asked"}
        self.request("POST", f"/admin/donations/{bought.donation}/refund", headers=admin, json=order)
        bought.refunded += bought.paid // 1000 * 100

    def until(self, ticket: PromisedTicket, path: str, reached: Callable[[dict[str, Any]], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not reached(answer := self.request("GET", f"/api/tickets/{ticket.id}{path}", ticket).json()):
            assert time.monotonic() < deadline, answer
            time.sleep(ASKED_AGAIN_SECONDS)

    def refund(self) -> None:
        paid = [(ticket, payment) for ticket in self.tickets for payment in ticket.payments]
        if paid:
            ticket, payment = self.random.choice(paid)
            now = int(time.time())
            refund_object = payment.refund(payment.amount // 10, number=len(ticket.events), created=now)
            self._deliver(
                ticket, [event("refund.created", refund_object, now), event("refund.updated", refund_object, now)]
            )

    def _deliver(self, ticket: PromisedTicket, events: list[dict[str, Any]]) -> None:
        ticket.events += events
        deliveries = [*events, *self.random.sample(events, 1)]
        self.random.shuffle(deliveries)
        for stripe_event in deliveries:
            body = json.dumps(stripe_event).encode()
            signature = sign(body, self.service.secrets["webhook_secret"], time.time())
            self.request("POST", "/api/webhooks/stripe", content=body, headers={"Stripe-Signature": signature})
            self.moments.reach("webhook")

    def erase(self, ticket: PromisedTicket | None = None) -> None:
        if ticket is None and len(self.tickets) <= 2:
            return
        ticket = ticket or self._any()
        self.moments.reach("erase")
        try:
            self.request("DELETE", f"/api/tickets/{ticket.id}", ticket)
        except RefusedError as refusal:
            # The erasure was executed and its answer lost, so the token is not valid any more.
            if refusal.status not in (401, 404):
                raise
        ticket.erased = True

    def ask_for_help(self) -> None:
        body = {"category": "OTHER", "message": "Help me, please."}
        self.request("POST", "/api/support/ticket", json=body)
        self.supports += 1
