"""A running sandbox: its routes under uvicorn, a receiver of its webhooks, and a gateway that calls it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from psycopg_pool import ConnectionPool
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from adapters.payments.gateway import StripeGateway
from adapters.payments.webhooks import SignedEvent, WebhookVerifier
from adapters.stripe_sandbox import PaymentTiming, Sandbox, delivery
from entrypoints.http.problems import Problem
from entrypoints.http.sandbox_pages import sandbox_routes
from tests.client import WAIT_SECONDS, free_port
from tests.postgres import fresh_database
from tests.serving import serving

API_KEY = "sk_test_of_these_tests"
SECRET = "whsec_of_these_tests"
QUICK = PaymentTiming(later=0.3, settlement=0, shuffle=0.3, retry=0.05)


@dataclass
class Receiver:
    """A webhook endpoint with our own verifier; it answers with `status`, and with 503 once it has `most` events."""

    verifier: WebhookVerifier
    status: int = 200
    most: int | None = None
    events: list[SignedEvent] = field(default_factory=list)

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.events]

    async def take(self, request: Request) -> Response:
        event = self.verifier.verify(await request.body(), request.headers.get("stripe-signature"))
        if len(self.events) == self.most:
            return PlainTextResponse("", 503)
        if self.status == 200:
            self.events.append(event)
        return PlainTextResponse("", self.status)


@dataclass
class World:
    """A running sandbox, and what tests use to drive and observe it."""

    url: str
    database_url: str
    pool: ConnectionPool
    sandbox: Sandbox
    gateway: StripeGateway
    receiver: Receiver

    def another_sandbox(
        self,
        webhook_url: str | None = None,
        clock: Callable[[], float] = time.time,
        timing: PaymentTiming = QUICK,
    ) -> Sandbox:
        """Return a second sandbox on the same state, as after a restart."""
        webhook_url = webhook_url or f"{self.url}/webhook"
        return Sandbox(self.pool.connection, self.url, webhook_url, SECRET, API_KEY, clock, timing=timing)

    def deliveries(self, columns: str) -> list[tuple[Any, ...]]:
        """Return columns of the deliveries, the oldest first."""
        with self.pool.connection() as connection:
            return connection.execute(f"SELECT {columns} FROM sandbox.deliveries ORDER BY seq".encode()).fetchall()

    def make_due(self) -> None:
        """Let the time come for all pending deliveries."""
        with self.pool.connection() as connection:
            connection.execute("UPDATE sandbox.deliveries SET due = clock_timestamp() WHERE delivered_at IS NULL")

    def arrive(self) -> list[str]:
        """Wait until all events are delivered; return their types in the order of arrival."""
        self.sandbox.start()
        assert self.sandbox.wait_delivered(WAIT_SECONDS)
        return self.receiver.types


@pytest.fixture(scope="session")
def lasting_world(server_url: str) -> Iterator[World]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with fresh_database(server_url) as database_url, ConnectionPool(database_url, min_size=1, max_size=8) as pool:
        sandbox = Sandbox(pool.connection, url, f"{url}/webhook", SECRET, API_KEY, timing=QUICK)
        receiver = Receiver(WebhookVerifier([SECRET], livemode=False))
        app = Starlette(
            routes=[*sandbox_routes(sandbox), Route("/webhook", receiver.take, methods=["POST"])],
            exception_handlers={Problem: lambda request, problem: problem.response(request.url.path, "")},
        )
        gateway = StripeGateway(API_KEY, f"{url}/sandbox/stripe", retries=0)
        with serving(app, port):
            yield World(url, database_url, pool, sandbox, gateway, receiver)


@pytest.fixture
def world(lasting_world, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The running sandbox with no objects and stopped deliveries."""
    monkeypatch.setattr(delivery, "POLL_SECONDS", 0.05)
    with psycopg.connect(lasting_world.database_url) as connection:
        connection.execute("TRUNCATE sandbox.deliveries, sandbox.events, sandbox.objects, sandbox.answers")
    lasting_world.sandbox.set_delivery_faults()
    lasting_world.receiver.events.clear()
    lasting_world.receiver.status, lasting_world.receiver.most = 200, None
    yield lasting_world
    lasting_world.sandbox.close()
