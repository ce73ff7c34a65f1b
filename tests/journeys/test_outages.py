"""Clients get errors while the database is unavailable under load, and answers once it is back."""

from __future__ import annotations

import logging
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.postgres.database import connect
from tests.client import RECORDING, LiveService, eventually
from tests.fakes.openai_server import NO_REPLY
from tests.fakes.openai_transcriptions import speech_settings
from tests.load import CONNECTION_REFUSED, Answer, Load
from tests.postgres import OwnServer, migrated_server
from tests.processes import Serving

logger = logging.getLogger(__name__)

# The time that a client can measure includes the machine's own delays.
SLACK_SECONDS = 1.0
# The same master key for all services on the database, because their data folders differ.
MASTER_KEY = "outages-0123456789-abcdefghijklmnopqrstuvwxyz"

pytestmark = pytest.mark.usefixtures("hanging_is_noticed_soon")


@pytest.fixture(scope="module")
def postgres() -> Iterator[OwnServer]:
    with migrated_server() as server:
        yield server


def serving(postgres: OwnServer, folder: Path, only: str | None = None, **settings: Any) -> Serving:
    return Serving(only, **settings_on(postgres), data_dir=folder, **settings)


def settings_on(postgres: OwnServer) -> dict[str, Any]:
    """Return the settings that all services on one database share."""
    epoch_keys = (postgres.folder / "epoch").as_uri()
    return {"database_url": postgres.url, "master_key": MASTER_KEY, "epoch_key_url": epoch_keys}


@pytest.fixture(scope="module")
def lasting(postgres: OwnServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    settings = settings_on(postgres)
    folder, url = tmp_path_factory.mktemp("outages"), settings.pop("database_url")
    with speech_settings() as speech, LiveService(url, folder, **settings, **speech) as running:
        yield running


def status(running: LiveService, path: str) -> int:
    with running.client() as supervisor:
        return supervisor.get(path).status_code


def load_of(running: Serving | LiveService) -> Load:
    """Return clients that read, write, open tickets and read the health of the process."""
    with running.client() as visitor:
        ticket = visitor.open_ticket()
    contact = {"contactType": "EMAIL", "contactValue": "ada@example.com"}

    def read() -> Any:
        return ticket.get()

    def write() -> Any:
        return ticket.patch("/draft", {"title": f"Help {time.monotonic_ns()}"})

    def open_ticket() -> Any:
        with running.client() as visitor:
            return visitor.post("/api/tickets/create", json=contact)

    def live() -> Any:
        with running.client() as visitor:
            return visitor.get("/health/live")

    requests = (("read", read), ("write", write), ("open", open_ticket), ("live", live))
    return Load(*requests, pause_seconds=0.05)


def answers_about_tickets(load: Load, since: float = 0.0, until: float = float("inf")) -> list[Answer]:
    return [answer for answer in load.answers if answer.request != "live" and since <= answer.at <= until]


def answers_to_requests_after(load: Load, moment: float) -> list[Answer]:
    return [answer for answer in answers_about_tickets(load) if answer.at - answer.seconds > moment]


def outage(
    running: Serving | LiveService,
    go_away: Callable[[], None],
    come_back: Callable[[], None],
    *,
    seconds: float = 0.0,
    noticed_within: float | None = None,
) -> None:
    """Make the database unavailable for this long while clients send requests, and check their answers.

    With `noticed_within`, the times are checked too, which needs a machine on which nothing else runs.
    """
    with load_of(running) as load:
        eventually(lambda: sum(answer.status < 300 for answer in answers_about_tickets(load)) > 20)
        unavailable_at = time.monotonic()
        go_away()
        eventually(lambda: any(answer.status == 503 for answer in answers_about_tickets(load, unavailable_at)))
        noticed = time.monotonic()
        eventually(
            lambda: time.monotonic() > unavailable_at + seconds and len(answers_about_tickets(load, noticed)) > 20
        )
        returned = time.monotonic()
        come_back()
        available_at = time.monotonic()
        eventually(lambda: any(answer.status < 300 for answer in answers_about_tickets(load, returned)))
        recovered = time.monotonic()
        eventually(lambda: len(answers_to_requests_after(load, recovered + 1)) > 20)
    refused = [answer for answer in load.answers if answer.status == 503]
    first_503 = min(answer.at for answer in refused) - unavailable_at
    first_success = min(a.at for a in answers_about_tickets(load, returned) if a.status < 300) - available_at
    logger.info(
        "away for %.1f s: %d answers %s; first 503 after %.2f s, slowest %.2f s; first success %.2f s after the return",
        available_at - unavailable_at,
        len(load.answers),
        dict(Counter(answer.status for answer in load.answers)),
        first_503,
        max(answer.seconds for answer in refused),
        first_success,
    )
    assert load.statuses() <= {200, 201, 503}
    assert {answer.status for answer in load.answers if answer.request == "live"} == {200}
    assert all(answer.retry_after for answer in refused)
    # A second after the first success no request is refused any more.
    assert {answer.status for answer in answers_to_requests_after(load, recovered + 1)} <= {200, 201}
    if noticed_within is not None:
        meanwhile = answers_about_tickets(load, unavailable_at + noticed_within + SLACK_SECONDS, returned)
        assert {answer.status for answer in meanwhile} == {503}
        assert max(answer.seconds for answer in meanwhile) < 2
        assert first_503 < noticed_within + SLACK_SECONDS
        assert max(answer.seconds for answer in answers_about_tickets(load)) < noticed_within + SLACK_SECONDS
        assert first_success < 3 + SLACK_SECONDS


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    with connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


def test_while_a_database_is_stopped_requests_are_refused_and_afterwards_all_are_answered(
    lasting: LiveService, postgres: OwnServer
):
    outage(lasting, postgres.stop, postgres.start)


def test_while_a_database_hangs_requests_are_refused_and_afterwards_all_are_answered(
    lasting: LiveService, postgres: OwnServer
):
    outage(lasting, postgres.freeze, postgres.thaw)


def test_work_that_was_begun_continues_by_itself_after_an_outage(lasting: LiveService, postgres: OwnServer):
    with lasting.client() as visitor:
        ticket = visitor.open_ticket()
        assert ticket.upload(RECORDING.read_bytes()).status_code == 200
        checkout = ticket.pay(50)
        assert ticket.post("/process").status_code == 202
        postgres.stop()
        assert status(lasting, "/health/live") == 200
        eventually(lambda: status(lasting, "/health/db") == 503)
        postgres.start()
        eventually(lambda: status(lasting, "/health/ready") == 200)
        payment = {"outcome": "paid", "email": "grace@example.com", "name": "Grace Hopper", "country": "US"}
        assert visitor.post(checkout["checkoutUrl"], data=payment).status_code == 303
        eventually(lambda: ticket.get("/donations/total").json()["counts"]["paid"] == 1)
        assert ticket.when("DONE")["error"] is None


def test_each_outage_is_recorded(lasting: LiveService, postgres: OwnServer):
    postgres.stop()
    try:
        with lasting.client() as visitor:
            health = eventually(
                lambda: (answer := visitor.get("/health/db").json())["lastError"] == "refuses connections" and answer
            )
            assert health["ready"] is False
            assert health["failureCount"] > 0
            assert visitor.get("/health/ready").json()["database"] is False
            # What was recorded until now was recorded before this outage.
            noticed = datetime.now(UTC)
    finally:
        postgres.start()
    eventually(lambda: status(lasting, "/health/db") == 200)
    query = (
        "SELECT away_seconds > 0, failures > 0 FROM health_checks"
        f" WHERE outcome = 'back' AND checked_at > '{noticed.isoformat()}' ORDER BY id"
    )
    assert eventually(lambda: rows(postgres.url, query)) == [(True, True)]


def test_a_service_that_is_stopped_answers_every_request_that_it_accepted(migrated_url: str, tmp_path: Path):
    # On a database of its own: the worker of another service would take its job.
    with (
        speech_settings(NO_REPLY) as speech,
        Serving(database_url=migrated_url, data_dir=tmp_path, **speech) as running,
    ):
        with running.client() as visitor:
            # Its transcription is still running when the service stops.
            ticket = visitor.open_ticket()
        assert ticket.upload(RECORDING.read_bytes()).status_code == 200
        assert ticket.post("/process").status_code == 202
        query = f"SELECT status::text FROM procrastinate_jobs WHERE args->>'ticket' = '{ticket.id}'"
        eventually(lambda: ("doing",) in rows(migrated_url, query))
        with load_of(running) as load:
            load.wait_for_more(10)
            assert running.stop() == 0
        assert load.statuses() <= {200, 201, CONNECTION_REFUSED}
    # Its jobs are available to the next worker at once, and not only after the heartbeat of the old one ends.
    assert ("doing",) not in rows(migrated_url, query)


@pytest.mark.soak
def test_a_service_that_is_stopped_under_load_exits_within_ten_seconds(postgres: OwnServer, tmp_path: Path):
    with serving(postgres, tmp_path) as running, load_of(running) as load:
        load.wait_for_more(10)
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(10) == 0


@pytest.mark.soak
@pytest.mark.parametrize("seconds", [4, 33, 65])
def test_the_service_recovers_from_a_long_outage_as_fast_as_from_a_short_one(
    postgres: OwnServer, tmp_path: Path, seconds: float
):
    with serving(postgres, tmp_path) as running:
        outage(running, postgres.stop, postgres.start, seconds=seconds, noticed_within=2)
        outage(running, postgres.freeze, postgres.thaw, seconds=seconds + 4, noticed_within=5)


@pytest.mark.soak
@pytest.mark.parametrize("seconds", [33, 65])
def test_separate_processes_work_again_after_a_long_outage(postgres: OwnServer, tmp_path: Path, seconds: float):
    with serving(postgres, tmp_path, "web") as web, ExitStack() as stack:
        for part in ("worker", "projections"):
            stack.enter_context(serving(postgres, tmp_path, part, base_url=web.url))
        for go_away, come_back, noticed_within in (
            (postgres.stop, postgres.start, 2),
            (postgres.freeze, postgres.thaw, 5),
        ):
            outage(web, go_away, come_back, seconds=seconds, noticed_within=noticed_within)
            with web.client() as visitor:
                ticket = visitor.open_ticket()
                assert ticket.upload(RECORDING.read_bytes()).status_code == 200
                assert ticket.post("/process").status_code == 202
                assert ticket.when("DONE")["error"] is None
