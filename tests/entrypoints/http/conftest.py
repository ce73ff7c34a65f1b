"""One running service for all tests of the HTTP contract, each answer of which is held against its description."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

import projections
from adapters.ids import uuid7
from adapters.speech.inspector import ChildAudioInspector
from domain.errors import StepFailed, UnavailableError
from domain.values import Draft, Role, Step
from entrypoints.composition import content
from entrypoints.composition.service import Parts
from entrypoints.http import fixed_window, rate_limit_store
from tests.client import WAIT_SECONDS, Client, LiveService, Ticket, eventually
from tests.entrypoints.http.contract import Contract
from tests.fakes.clock import StandingClock
from tests.fakes.drafting import DRAFT, FakeAnalyser, FakeDrafter
from tests.fakes.inspection import CachingInspector
from tests.fakes.speech import TRANSCRIPT, FakeTranscriber
from tests.postgres import fresh_database

ORIGIN = "https://app.example"


@pytest.fixture(scope="session")
def shared_live(
    server_url: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveService]:
    """The web part with its read models and the applier of webhooks; jobs wait until a test does them."""
    with fresh_database(server_url, migrated_template) as url, pytest.MonkeyPatch.context() as patch:
        # Most tests send the same recording, which is inspected once.
        patch.setattr(content, "ChildAudioInspector", lambda: CachingInspector(ChildAudioInspector()))
        folder = tmp_path_factory.mktemp("http") / "var"
        parts = frozenset({Parts.WEB, Parts.PROJECTIONS})
        with LiveService(url, folder, parts, cors_origins=(ORIGIN,), metrics_token="m" * 32) as running:
            running.watchers.append(Contract(running.openapi).check)
            running.service.payments.applier.start()
            delivered(running)
            yield running
            running.service.payments.applier.stop()


_UNFINISHED = """
SELECT EXISTS (SELECT FROM sandbox.deliveries WHERE delivered_at IS NULL)
    OR EXISTS (SELECT FROM sandbox.objects WHERE step IS NOT NULL AND step_at < extract(epoch FROM now()) + 60)
    OR EXISTS (SELECT FROM stripe_inbox WHERE state = 'received')
    OR (SELECT min(position) FROM projections WHERE live) < (SELECT coalesce(max(position), 0) FROM events)
"""


@pytest.fixture(autouse=True)
def _shared_service_is_at_rest(request: pytest.FixtureRequest) -> None:
    """Begin each test when the shared service has done all that the tests before left to its background work.

    A test may then compare what is stored before and after its own requests.
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
    """A workspace that no other test uses."""
    return f"workspace-{uuid7().hex[-12:]}"


@pytest.fixture
def admin(live: LiveService) -> Iterator[Client]:
    with live.client_with_key(Role.ADMIN) as known:
        yield known


@pytest.fixture
def auditor(live: LiveService) -> Iterator[Client]:
    with live.client_with_key(Role.AUDITOR) as known:
        yield known


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> StandingClock:
    """The clock of the rate limits, so that a period lasts as long as a test wants it to."""
    standing = StandingClock()
    for module in (fixed_window, rate_limit_store):
        monkeypatch.setattr(module, "time", standing)
    return standing


class Work:
    """Does the jobs of a ticket at once, with what was said and drafted as the test wants it."""

    def __init__(self, live: LiveService) -> None:
        self._live = live

    def do(self, ticket: Ticket, draft: Draft = DRAFT, outcome: Any = TRANSCRIPT) -> None:
        recordings = dataclasses.replace(
            self._live.service.commands.recordings,
            transcriber=FakeTranscriber(outcome),
            analyser=FakeAnalyser(),
            drafter=FakeDrafter(draft),
        )
        ticket_id = UUID(ticket.id)
        recording = self._live.service.aggregates.tickets.get(ticket_id).recording.id
        for step in Step:
            try:
                recordings.run_step(step, ticket_id, recording, lambda _: None)
            except StepFailed as fault:
                recordings.fail_step(step, ticket_id, recording, fault)
                return


@pytest.fixture
def work(live: LiveService) -> Work:
    return Work(live)


def given(
    live: LiveService, ticket: Ticket, amount: Any = 50, currency: str = "USD", name: str = "Grace Hopper"
) -> str:
    """A gift paid in the sandbox, in the ledger and visible; the id of its donation."""
    checkout = ticket.pay(amount, currency)
    with live.client() as donor:
        paid = donor.post(
            checkout["checkoutUrl"],
            data={"outcome": "paid", "email": "grace@example.com", "name": name, "country": "US"},
        )
    assert paid.status_code == 303, paid.text
    delivered(live)
    donation: str = checkout["donationId"]
    return donation


def delivered(live: LiveService) -> None:
    """Wait until the sandbox has told everything, and the ledger shows it."""
    assert live.service.payments.sandbox is not None
    if not live.service.payments.sandbox.wait_delivered(WAIT_SECONDS):
        raise UnavailableError("the sandbox's webhooks were not delivered")
    live.applied()
