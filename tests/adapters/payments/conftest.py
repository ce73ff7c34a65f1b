"""A running sandbox: its routes under uvicorn, a receiver of its webhooks, and the real library before it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import psycopg
import pytest
from psycopg_pool import ConnectionPool
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from adapters.payments.gateway import StripeGateway
from adapters.payments.webhooks import SignedEvent, WebhookVerifier
from adapters.stripe_sandbox import PaymentTiming, Sandbox
from entrypoints.http.sandbox_pages import sandbox_routes
from tests.adapters.payments.serving import free_port, serving
from tests.postgres import fresh_database, test_server

API_KEY = "sk_test_of_these_tests"
SECRET = "whsec_of_these_tests"
QUICK = PaymentTiming(later=0.3, settlement=0.2, shuffle=0.3, retry=0.05)


@pytest.fixture(scope="session")
def payments_server() -> Iterator[str]:
    with test_server() as url:
        yield url


@pytest.fixture
def database_url(payments_server) -> Iterator[str]:
    with fresh_database(payments_server) as url:
        yield url


@dataclass
class Receiver:
    """A webhook endpoint behind our own door; `status` is what it answers."""

    door: WebhookVerifier
    status: int = 200
    events: list[SignedEvent] = field(default_factory=list)

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.events]

    async def take(self, request: Request) -> Response:
        event = self.door.open(await request.body(), request.headers.get("stripe-signature"))
        if self.status == 200:
            self.events.append(event)
        return PlainTextResponse("", self.status)


@dataclass
class World:
    """Everything a test needs of one running sandbox."""

    url: str
    database_url: str
    pool: ConnectionPool
    sandbox: Sandbox
    gateway: StripeGateway
    receiver: Receiver

    def another_sandbox(self, webhook_url: str | None = None, clock: Callable[[], float] = time.time) -> Sandbox:
        """One more on the same state, as after a restart."""
        return Sandbox(
            self.pool.connection, self.url, webhook_url or f"{self.url}/webhook", SECRET, API_KEY, clock, pace=QUICK
        )

    def arrive(self) -> list[str]:
        """Wait until all is delivered; the types in the order of their arrival."""
        self.sandbox.start()
        assert self.sandbox.wait_delivered(20)
        return self.receiver.types

    def until(self, true: Callable[[], bool]) -> None:
        """Wait until it is true."""
        deadline = time.monotonic() + 20
        while not true():
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.fixture(scope="session")
def lasting_world(payments_server) -> Iterator[World]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with fresh_database(payments_server) as database_url, ConnectionPool(database_url, min_size=1, max_size=8) as pool:
        sandbox = Sandbox(pool.connection, url, f"{url}/webhook", SECRET, API_KEY, pace=QUICK)
        receiver = Receiver(WebhookVerifier([SECRET], livemode=False))
        app = Starlette(routes=[*sandbox_routes(sandbox), Route("/webhook", receiver.take, methods=["POST"])])
        gateway = StripeGateway(API_KEY, f"{url}/sandbox/stripe", retries=0)
        with serving(app, port):
            yield World(url, database_url, pool, sandbox, gateway, receiver)


@pytest.fixture
def world(lasting_world) -> Iterator[World]:
    """The running sandbox with nothing in it, delivering nothing yet."""
    with psycopg.connect(lasting_world.database_url) as connection:
        connection.execute("TRUNCATE sandbox.deliveries, sandbox.events, sandbox.objects, sandbox.answers")
    lasting_world.sandbox.set_habits()
    lasting_world.receiver.events.clear()
    lasting_world.receiver.status = 200
    yield lasting_world
    lasting_world.sandbox.close()
