"""Clients that do a bit of everything at once, ask again until they are answered, and note what they were promised."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID

import httpx2

from adapters.payments.door import sign
from tests.client import RECORDING
from tests.journeys.harness.standing import Standing
from tests.stripe_events import Payment, event

ASKED_AGAIN_SECONDS = 0.1
PATIENCE_SECONDS = 120
# What is answered so is answered differently a little later: away, or the same request still going on.
NOT_NOW = frozenset((409, 429, 500, 502, 503))


class RefusedError(Exception):
    """The service answered, and not as it should."""

    def __init__(self, status: int, told: str) -> None:
        super().__init__(f"{status} {told}")
        self.status = status


class Moments:
    """Instants that a killer may wait for: each client says when it comes to one."""

    NAMES = ("create", "upload", "process", "document", "webhook", "publish", "erase", "rebuild")

    def __init__(self) -> None:
        self._events = {name: threading.Event() for name in self.NAMES}

    def come(self, name: str) -> None:
        self._events[name].set()

    def wait(self, name: str, seconds: float) -> bool:
        self._events[name].clear()
        return self._events[name].wait(seconds)


@dataclass
class Promised:
    """What one ticket's owner was told is done; each list has one entry for each promise."""

    id: str
    token: str
    email: str
    title: str | None = None
    uploads: int = 0
    processed: bool = False
    published: bool = False
    documents: list[str] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    erased: bool = False


class Client(threading.Thread):
    """One of the load's threads; everything it does is decided by its seed."""

    def __init__(self, standing: Standing, moments: Moments, seed: int, transcriptions: int) -> None:
        super().__init__(daemon=True)
        self.standing, self.moments, self.random = standing, moments, Random(seed)
        self.seed, self.left = seed, transcriptions
        self.tickets: list[Promised] = []
        self.supports = 0
        self.asked = Counter[str]()
        self.again = 0
        self.fault: str | None = None
        self._ending = threading.Event()
        self._http = httpx2.Client(base_url=standing.url, timeout=20, verify=False)
        self._keys = 0

    def end(self) -> None:
        self._ending.set()

    def run(self) -> None:
        acts = {
            self.open: 2, self.edit: 4, self.upload: 2, self.process: 1, self.publish: 2, self.document: 1,
            self.give: 6, self.refund: 2, self.erase: 1, self.ask_for_help: 1,
        }  # fmt: skip
        try:
            self.open()
            while not self._ending.is_set():
                [act] = self.random.choices(list(acts), list(acts.values()))
                act()
                self.asked[act.__name__] += 1
        except BaseException as error:
            self.fault = repr(error)
            raise

    # Asking.

    def _ask(self, method: str, path: str, ticket: Promised | None = None, **more: Any) -> httpx2.Response:
        """The answer, asked for again under the same key until there is one."""
        self._keys += 1
        headers = {"Idempotency-Key": f"{self.seed}-{self._keys}", **more.pop("headers", {})}
        if ticket is not None:
            headers["Authorization"] = f"Bearer {ticket.token}"
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = self._http.request(method, path, headers=headers, **more)
                if answer.status_code not in NOT_NOW:
                    if not answer.is_success:
                        raise RefusedError(answer.status_code, f"{method} {path}: {answer.text}")
                    return answer
                said = f"{answer.status_code} {answer.text[:200]}"
            except httpx2.TransportError as error:
                said = repr(error)
            assert time.monotonic() < deadline, (method, path, said)
            self.again += 1
            time.sleep(ASKED_AGAIN_SECONDS)

    def _any(self) -> Promised:
        living = [ticket for ticket in self.tickets if not ticket.erased]
        return self.random.choice(living) if living else self.open()

    # What there is to do.

    def open(self) -> Promised:
        email = f"holder-{self.seed}-{len(self.tickets)}@example.com"
        body = {"contactType": "EMAIL", "contactValue": email, "displayName": "Ada Lovelace"}
        self.moments.come("create")
        told = self._ask("POST", "/api/tickets/create", json=body).json()
        ticket = Promised(told["id"], told["accessToken"], email)
        self.tickets.append(ticket)
        return ticket

    def edit(self) -> None:
        ticket = self._any()
        title = f"Title {self.random.randrange(10**6)}"
        draft = {"title": title, "story": "The roof fell in.", "goalAmount": 1500, "beneficiary": "Ada"}
        self._ask("PATCH", f"/api/tickets/{ticket.id}/draft", ticket, json=draft)
        ticket.title = title

    def upload(self) -> None:
        ticket = self._any()
        self.moments.come("upload")
        recording = {"audio": ("story.webm", RECORDING.read_bytes())}
        self._ask("POST", f"/api/tickets/{ticket.id}/upload-audio", ticket, files=recording)
        ticket.uploads += 1
        ticket.processed = False

    def process(self) -> None:
        waiting = [t for t in self.tickets if t.uploads and not t.processed and not t.erased and t.title is None]
        if waiting and self.left:
            self.left -= 1
            self._ask("POST", f"/api/tickets/{waiting[0].id}/process", waiting[0], json={})
            waiting[0].processed = True
            self.moments.come("process")

    def publish(self) -> None:
        ticket = self._any()
        if ticket.title is not None:
            self.moments.come("publish")
            self._ask("POST", f"/api/tickets/{ticket.id}/publish", ticket, json={"consent": True})
            ticket.published = True

    def document(self) -> None:
        ticket = self._any()
        if ticket.title is not None:
            self.moments.come("document")
            order = {"docType": "GOFUNDME_DRAFT", "format": self.random.choice(("pdf", "docx"))}
            answer = self._ask("POST", f"/api/tickets/{ticket.id}/generate-doc", ticket, json=order).json()
            ticket.documents.append(answer["documentId"])

    def give(self) -> None:
        """A checkout, and what Stripe says of it: in any order, more than once."""
        ticket, amount = self._any(), self.random.randint(1, 500)
        order = {"amount": amount, "currency": "USD"}
        told = self._ask("POST", f"/api/tickets/{ticket.id}/create-payment", ticket, json=order).json()
        payment = Payment(UUID(ticket.id), amount * 100, donation_id=UUID(told["donationId"]))
        payment.session_id = told["checkoutSessionId"]
        payment.details = payment.details | {"email": f"donor-{payment.donation_id.hex}@example.com"}
        ticket.payments.append(payment)
        now = int(time.time())
        self._tell(ticket, [payment.completed(now), payment.succeeded(now), payment.charged(now)])

    def refund(self) -> None:
        paid = [(ticket, one) for ticket in self.tickets for one in ticket.payments]
        if paid:
            ticket, payment = self.random.choice(paid)
            now = int(time.time())
            part = payment.refund(payment.amount // 10, number=len(ticket.events), created=now)
            self._tell(ticket, [event("refund.created", part, now), event("refund.updated", part, now)])

    def _tell(self, ticket: Promised, events: list[dict[str, Any]]) -> None:
        ticket.events += events
        sent = [*events, *self.random.sample(events, 1)]
        self.random.shuffle(sent)
        for one in sent:
            body = json.dumps(one).encode()
            signature = sign(body, self.standing.secrets["webhook_secret"], time.time())
            self._ask("POST", "/api/webhooks/stripe", content=body, headers={"Stripe-Signature": signature})
            self.moments.come("webhook")

    def erase(self) -> None:
        if len(self.tickets) > 2:
            ticket = self._any()
            self.moments.come("erase")
            try:
                self._ask("DELETE", f"/api/tickets/{ticket.id}", ticket)
            except RefusedError as refusal:
                # It was done, and the answer lost: the token opens nothing more.
                if refusal.status not in (401, 404):
                    raise
            ticket.erased = True

    def ask_for_help(self) -> None:
        body = {"category": "OTHER", "message": "Help me, please."}
        self._ask("POST", "/api/support/ticket", json=body)
        self.supports += 1
