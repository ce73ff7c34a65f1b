"""One running service for the HTTP tests and the pages. Each answer is checked against the OpenAPI document."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol
from uuid import UUID

import pytest

import projections
from adapters.ids import uuid7
from adapters.postgres.background import DueWork
from adapters.speech.inspector import ChildAudioInspector
from domain.errors import StepFailed, UnavailableError
from domain.values import Draft, Role
from entrypoints.composition import content
from entrypoints.composition.service import Parts
from entrypoints.http import fixed_window, rate_limit_store
from tests.client import WAIT_SECONDS, Client, LiveService, Ticket, eventually
from tests.entrypoints.http.contract import Contract
from tests.fakes.clock import StandingClock
from tests.fakes.drafting import ANALYSIS, DRAFT, FakeAnalyser, FakeDrafter
from tests.fakes.inspection import CachingInspector
from tests.fakes.speech import TRANSCRIPT, FakeTranscriber
from tests.postgres import fresh_database

ORIGIN = "https://app.example"


@pytest.fixture(scope="session")
def shared_live(
    server_url: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveService]:
    """Run the web part with its read models and the applier of webhooks. Jobs wait until a test runs them."""
    with fresh_database(server_url, migrated_template) as url, pytest.MonkeyPatch.context() as patch:
        # Most tests send the same recording, so it is inspected only once.
        patch.setattr(content, "ChildAudioInspector", lambda: CachingInspector(ChildAudioInspector()))
        folder = tmp_path_factory.mktemp("http") / "var"
        parts = frozenset({Parts.WEB, Parts.PROJECTIONS})
        with LiveService(url, folder, parts, cors_origins=(ORIGIN,), metrics_token="m" * 32) as running:
            running.watchers.append(Contract(running.openapi).check)
            applying = DueWork(running.service.database, [running.service.payments.applier])
            applying.start()
            wait_until_delivered(running)
            yield running
            applying.stop()


_UNFINISHED = """
SELECT EXISTS (SELECT FROM sandbox.deliveries WHERE delivered_at IS NULL)
    OR EXISTS (SELECT FROM sandbox.objects WHERE step IS NOT NULL AND step_at < extract(epoch FROM now()) + 60)
    OR EXISTS (SELECT FROM stripe_inbox WHERE state = 'received')
    OR (SELECT min(position) FROM projections WHERE live) < (SELECT coalesce(max(position), 0) FROM events)
"""


@pytest.fixture(autouse=True)
def _shared_service_is_at_rest(request: pytest.FixtureRequest) -> None:
    """Start each test when the shared service has completed the background work of earlier tests.

    A test can then compare the stored state before and after its own requests.
    """
    if "shared_live" not in request.fixturenames:
        return
    service = request.getfixturevalue("shared_live").service
    eventually(
        lambda: (
            service.database.row(_UNFINISHED) == (False,)
            and not any(service.rebuilds.is_requested(projection.NAME) for projection in projections.ALL)
        )
    )


@pytest.fixture
def live(shared_live: LiveService) -> LiveService:
    # All tests ask from one address, and together more than an asker may in a day.
    with shared_live.service.database.connection() as connection:
        connection.execute("DELETE FROM unverified_mails")
        connection.execute("DELETE FROM counted_texts")
    return shared_live


@pytest.fixture
def client(live: LiveService) -> Iterator[Client]:
    with live.client() as visitor:
        yield visitor


@pytest.fixture
def ticket(client: Client) -> Ticket:
    return client.open_ticket()


@pytest.fixture
def workspace() -> str:
    """Return a workspace that no other test uses."""
    return f"workspace-{uuid7().hex[-12:]}"


@pytest.fixture
def admin(live: LiveService) -> Iterator[Client]:
    with live.client_with_key(Role.ADMIN) as key_client:
        yield key_client


@pytest.fixture
def auditor(live: LiveService) -> Iterator[Client]:
    with live.client_with_key(Role.AUDITOR) as key_client:
        yield key_client


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> StandingClock:
    """Return the clock of the rate limits, which only the test moves."""
    standing = StandingClock()
    for module in (fixed_window, rate_limit_store):
        monkeypatch.setattr(module, "time", standing)
    return standing


class Deal(Protocol):
    def __call__(self, values: Sequence[Any], hand: int, hands: int) -> Sequence[Any]:
        """Return share number `hand` of `hands` shares of the values, or all values in a soak run."""


@pytest.fixture(params=[pytest.param(False, id="dealt"), pytest.param(True, id="all", marks=pytest.mark.soak)])
def dealt(request: pytest.FixtureRequest) -> Deal:
    """Return a function that returns shares of values: each value is tried in some places, or in all in a soak run."""
    return lambda values, hand, hands: values if request.param else values[hand % hands :: hands]


class JobRunner:
    """Runs the jobs of a ticket at once, with the transcript, failure or transcriber and the draft of the test."""

    def __init__(self, live: LiveService) -> None:
        self._live = live

    def do(self, ticket: Ticket, draft: Draft = DRAFT, outcome: Any = TRANSCRIPT, language: str = "en") -> None:
        recordings = dataclasses.replace(
            self._live.service.commands.recordings,
            transcriber=outcome if hasattr(outcome, "transcribe") else FakeTranscriber(outcome),
            analyser=FakeAnalyser(dataclasses.replace(ANALYSIS, language=language)),
            drafter=FakeDrafter(draft),
        )
        ticket_id = UUID(ticket.id)
        tickets = self._live.service.aggregates.tickets
        while (step := tickets.get(ticket_id).lifecycle.step) is not None:
            recording = tickets.get(ticket_id).recordings.requested
            assert recording is not None
            try:
                recordings.run_step(step, ticket_id, recording, lambda _: None)
            except StepFailed as fault:
                recordings.fail_step(step, ticket_id, recording, fault)


@pytest.fixture
def work(live: LiveService) -> JobRunner:
    return JobRunner(live)


@contextmanager
def closed_intake(live: LiveService) -> Iterator[None]:
    """Let nobody open tickets in the built-in workspace meanwhile."""
    with live.client_with_key(Role.ADMIN) as admin:
        try:
            assert admin.patch("/api/workspaces/public", json={"intake": "closed"}).status_code == 200
            yield
        finally:
            assert admin.patch("/api/workspaces/public", json={"intake": "open"}).status_code == 200


def donate_in_sandbox(
    live: LiveService, ticket: Ticket, amount: Any = 50, currency: str = "USD", name: str = "Grace Hopper"
) -> str:
    """Pay a donation in the sandbox, wait until the ledger shows it, and return its id."""
    checkout = ticket.pay(amount, currency)
    with live.client() as donor:
        paid = donor.post(
            checkout["checkoutUrl"],
            data={"outcome": "paid", "email": "grace@example.com", "name": name, "country": "US"},
        )
    assert paid.status_code == 303, paid.text
    wait_until_delivered(live)
    donation: str = checkout["donationId"]
    return donation


def give_with_words(live: LiveService, donor: Client, url: str, *, name: str, message: str) -> None:
    """Pay a donation on the campaign page whose words the donor agrees to show, and wait until the page shows them."""
    checkout = donor.post(url, data={"amount": "20", "name": name, "message": message, "shown": "yes"})
    assert checkout.status_code == 303, checkout.text
    form = {"outcome": "paid", "email": "grace@example.com", "name": "Grace Hopper", "country": "US"}
    assert donor.post(checkout.headers["location"], data=form).status_code == 303
    wait_until_delivered(live)


def wait_until_delivered(live: LiveService) -> None:
    """Wait until the sandbox has delivered all events and the ledger shows them."""
    assert live.service.payments.sandbox is not None
    if not live.service.payments.sandbox.wait_delivered(WAIT_SECONDS):
        raise UnavailableError("the sandbox's webhooks were not delivered")
    live.applied()
