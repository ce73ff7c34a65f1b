"""The running service, and clients of it: real HTTP over a real socket."""

from __future__ import annotations

import fcntl
import json
import os
import random
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Callable
from functools import cache, cached_property
from pathlib import Path
from typing import Any, BinaryIO, Self

import httpx2

from adapters.payments.webhooks import sign
from adapters.proof.published import FOLDER
from domain.values import Role
from entrypoints.cli.serving import bound, server
from entrypoints.composition.service import Parts, Service
from entrypoints.composition.settings import Settings
from entrypoints.http.openapi import document
from entrypoints.http.table import OPERATIONS

# A few words, transcribed within a second or two, and the story of the demonstration, which takes longer.
RECORDING = Path(__file__).parent / "fixtures" / "speech" / "speech.webm"
DEMO_RECORDING = Path(__file__).parent.parent / "adapters" / "speech" / "demo.webm"
# A generous limit for every wait, because the machine may be busy.
WAIT_SECONDS = 120


# The ports that `free_port` returned in this process.
_reserved: set[int] = set()


@cache
def _reservations() -> BinaryIO:
    """Return a file of which each process of the suite locks a byte for each of its ports, until it ends."""
    return (Path(tempfile.gettempdir()) / f"storyledger-test-ports-{os.geteuid()}").open("ab")


def free_port() -> int:
    """Return a port that nothing listens on, and that `free_port` returns to nobody else, also in another process.

    It is below the range from which connections take their own ports: any connection may take a port of that range
    before the service, or its next start, binds it.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        if port in _reserved:
            continue
        try:
            fcntl.lockf(_reservations(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        _reserved.add(port)
        return port


def eventually(condition: Callable[[], Any], seconds: float = WAIT_SECONDS) -> Any:
    """Return the first value of the condition that counts as true; fail after this many seconds without one."""
    started = time.monotonic()
    while not (value := condition()):
        waited = time.monotonic() - started
        assert waited < seconds, "the condition did not become true in time"
        # Longer pauses in longer waits, because each look takes processor time from what is waited for.
        time.sleep(min(0.1, 0.003 + waited / 5))
    return value


@cache
def _tls() -> ssl.SSLContext:
    """Return what every client has for TLS, which no test uses: making it takes longer than making the client."""
    return httpx2.create_ssl_context(verify=False)


@cache
def _document(version: str) -> dict[str, Any]:
    """Return the OpenAPI document of a service at any address. Making it takes longer than starting the service."""
    return document(OPERATIONS, version, "")


def read_first_event(answer: httpx2.Response) -> None:
    """Read a stream of events, which has no end, up to its first event, and close it."""
    if answer.headers.get("content-type", "").startswith("text/event-stream"):
        content = b""
        for part in answer.iter_raw():
            content += part
            if b"data: " in content and content.endswith(b"\n\n"):
                break
        answer.close()
        answer._content = content


class Client(httpx2.Client):
    """An HTTP client with or without a credential, and shortcuts for opening tickets."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**({"verify": _tls(), "timeout": WAIT_SECONDS, "trust_env": False} | options))

    def open_ticket(self, **more: Any) -> Ticket:
        body = {"contactType": "EMAIL", "contactValue": "ada@example.com", "displayName": "Ada Lovelace"} | more
        answer = self.post("/api/tickets/create", json=body)
        assert answer.status_code == 201, answer.text
        return Ticket(self, answer.json())


class Ticket:
    """A ticket and the client of its holder."""

    def __init__(self, visitor: Client, opened: dict[str, Any]) -> None:
        self.id = opened["id"]
        self.token = opened["accessToken"]
        self.http = Client(
            base_url=visitor.base_url,
            headers={"Authorization": f"Bearer {self.token}"},
            event_hooks=visitor.event_hooks,
        )

    @property
    def path(self) -> str:
        return f"/api/tickets/{self.id}"

    def get(self, subpath: str = "", **more: Any) -> httpx2.Response:
        return self.http.get(self.path + subpath, **more)

    def post(self, subpath: str, json: Any = None, **more: Any) -> httpx2.Response:
        return self.http.post(self.path + subpath, json={} if json is None else json, **more)

    def patch(self, subpath: str, json: Any, **more: Any) -> httpx2.Response:
        return self.http.patch(self.path + subpath, json=json, **more)

    def upload(self, data: bytes, name: str = "story.webm", **more: Any) -> httpx2.Response:
        return self.http.post(f"{self.path}/upload-audio", files={"audio": (name, data)}, **more)

    def write_draft(self, **more: Any) -> dict[str, Any]:
        draft = {"title": "Help Ada", "story": "The roof fell in.", "goalAmount": 1500, "beneficiary": "Ada Lovelace"}
        answer = self.patch("/draft", draft | more)
        assert answer.status_code == 200, answer.text
        written: dict[str, Any] = answer.json()
        return written

    def publish(self) -> str:
        self.write_draft()
        answer = self.post("/publish", {"consent": True})
        assert answer.status_code == 200, answer.text
        url: str = answer.json()["publicUrl"]
        return url

    def pay(self, amount: Any = 50, currency: str = "USD") -> dict[str, Any]:
        answer = self.post("/create-payment", {"amount": amount, "currency": currency})
        assert answer.status_code == 201, answer.text
        checkout: dict[str, Any] = answer.json()
        return checkout

    def when(self, stage: str) -> dict[str, Any]:
        """Wait until the ticket has reached this stage and return its status."""

        def reached() -> dict[str, Any] | None:
            status: dict[str, Any] = self.get("/status").json()
            return status if status["stage"] == stage else None

        answer: dict[str, Any] = eventually(reached)
        return answer


# Tests send many requests from one address. Tests of limits and quotas set their own.
UNLIMITED: dict[str, str] = {
    **{f"rate_limit_{name}": "1000000/minute" for name in ("default", "payment", "create", "page", "gift")},
    **dict.fromkeys(("quota_ticket", "quota_address", "quota_workspace"), ""),
    "min_free_mb": "0",
}


class LiveService:
    """The service as `serve` runs it, in threads of this process.

    Every answer that its clients get is shown to each of `watchers` first.
    """

    def __init__(self, url: str, data_dir: Path, parts: frozenset[str] = Parts.ALL, **settings: Any) -> None:
        self.watchers: list[Callable[[httpx2.Response], None]] = []
        self.settings = Settings(data_dir=data_dir, **({"port": free_port()} | UNLIMITED | settings))
        self.base_url = f"http://127.0.0.1:{self.settings.port}"
        self.service = Service(self.settings, url, parts)
        if Parts.PROJECTIONS in parts:
            # Every acknowledged write is visible to reads, however slow the machine is.
            self.service.history.barrier.patience_seconds = WAIT_SECONDS
        self._server = server(self.service)
        self._socket = bound(self.settings)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)

    def __enter__(self) -> Self:
        self.service.start()
        self._thread.start()
        eventually(lambda: self._server.started)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(WAIT_SECONDS)
        self.service.stop()

    def stored_objects(self) -> list[str]:
        """Return the keys of all objects in the storage but checkpoints and checks, which come by themselves."""
        keys = self.service.content.storage.keys()
        return sorted(key for key in keys if not key.startswith((FOLDER, "checks/")))

    def client(self, credential: str | None = None) -> Client:
        headers = {"Authorization": f"Bearer {credential}"} if credential else {}
        return Client(
            base_url=self.base_url, headers=headers, event_hooks={"response": [read_first_event, *self.watchers]}
        )

    def client_with_key(self, role: Role, *scopes: str, workspace: str = "public") -> Client:
        _, key = self.service.access.credentials.create(role, workspace, scopes)
        return self.client(key)

    def webhook(self, event: dict[str, Any], *, at: float | None = None) -> httpx2.Response:
        """Deliver an event as Stripe would, signed."""
        body = json.dumps(event).encode()
        signature = sign(body, self.webhook_secret, time.time() if at is None else at)
        with self.client() as stripe:
            return stripe.post(
                "/api/webhooks/stripe",
                content=body,
                headers={"Stripe-Signature": signature, "Content-Type": "application/json"},
            )

    @cached_property
    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document that the service serves."""
        return _document(self.service.version) | {"servers": [{"url": self.service.public_url}]}

    @property
    def webhook_secret(self) -> str:
        return self.service.payments.webhook_secret

    def applied(self) -> None:
        """Wait until all received webhooks are applied and shown by the read models."""

        def quiet() -> bool:
            # The inbox first, because events applied in between must still become visible in the read models.
            with self.service.database.connection() as connection:
                row = connection.execute("SELECT count(*) FROM stripe_inbox WHERE state = 'received'").fetchone()
            lags = self.service.queries.projection_lags().values()
            return row == (0,) and all(lag.position == lag.head for lag in lags)

        eventually(quiet)

    def row_count(self, table: str) -> int:
        with self.service.database.connection() as connection:
            row = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
        assert row is not None
        return int(row[0])
