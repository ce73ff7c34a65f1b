"""Reads on a streaming standby are as fresh as on the primary, and answered if the standby lags, hangs or dies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from adapters.postgres import migrations
from adapters.postgres.database import connect
from adapters.read_models.replica import NOT_A_STANDBY, OTHER_DATABASE, State
from domain.values import Role
from entrypoints.composition.service import Parts
from tests.client import LiveService, Ticket, eventually
from tests.entrypoints.http.contract import Contract
from tests.fakes.databases import recorded_statements
from tests.fakes.standby import Standby, primary
from tests.load import Load
from tests.postgres import OwnServer

MASTER_KEY = ("replica-0123456789-abcdefghijklmnopqrstuvwxyz",)
METRICS = "metrics-" + "0123456789abcdef" * 2


@pytest.fixture(scope="module")
def leader() -> Iterator[OwnServer]:
    server = primary()
    with connect(server.url) as connection:
        migrations.migrate(connection)
    yield server
    server.close()


@pytest.fixture(scope="module")
def standby(leader: OwnServer) -> Iterator[Standby]:
    server = Standby(leader)
    yield server
    server.close()


@pytest.fixture(scope="module")
def epoch_keys(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the place of the epoch keys, which all services on one database share."""
    return tmp_path_factory.mktemp("epoch").as_uri()


@pytest.fixture(scope="module")
def webs(
    leader: OwnServer, standby: Standby, tmp_path_factory: pytest.TempPathFactory, epoch_keys: str
) -> Iterator[list[LiveService]]:
    """Run two services on one primary and its standby. The first follows the history for both."""
    with ExitStack() as stack:
        started = []
        for parts in (frozenset({Parts.WEB, Parts.PROJECTIONS}), frozenset({Parts.WEB})):
            folder = tmp_path_factory.mktemp("web") / "var"
            running = LiveService(
                leader.url, folder, parts, read_database_url=standby.url, master_key=MASTER_KEY, metrics_token=METRICS,
                email_pepper=MASTER_KEY, epoch_key_url=epoch_keys,
            )  # fmt: skip
            running.watchers.append(Contract(running.openapi).check)
            started.append(stack.enter_context(running))
        yield started


@pytest.fixture
def live(webs: list[LiveService], standby: Standby) -> LiveService:
    """Return the first service, with its standby in use."""
    for web in webs:
        in_use(web)
    return webs[0]


@pytest.fixture
def ticket(live: LiveService) -> Ticket:
    return live.client().open_ticket()


def state(live: LiveService) -> State:
    assert live.service.history.replica is not None
    return live.service.history.replica.health.state


def in_use(live: LiveService) -> None:
    eventually(lambda: state(live) is State.USED)


def by(live: LiveService, server: str) -> float:
    """Return how many reads the replica or the primary has answered so far."""
    with live.client(METRICS) as prometheus:
        lines = prometheus.get("/metrics").text.splitlines()
    return sum(
        float(line.split()[-1]) for line in lines if line.startswith(f'storyledger_reads_total{{by="{server}"}}')
    )


@pytest.fixture
def paused(standby: Standby) -> Iterator[None]:
    """Pause the replay of the standby for the duration of the test."""
    standby.pause()
    yield
    standby.resume()


# Routing of reads.

LOOKS = [
    "?include=documents,attributions,support,draft",
    "/documents",
    "/donations",
    "/donations/total",
    "/donations/total?as_of=2999-01-01T00:00:00Z",
    "/history",
    "/history?at=2999-01-01T00:00:00Z",
]


@pytest.mark.parametrize("subpath", LOOKS)
def test_answers_are_read_from_the_standby_and_only_access_is_decided_on_the_primary(
    live: LiveService, ticket: Ticket, subpath: str
):
    def asked_of_the_primary() -> list[str]:
        with recorded_statements(live.service.database) as statements:
            assert ticket.get(subpath).status_code == 200
        return statements

    # Repeated, because the standby may just have been too slow.
    statements = eventually(lambda: len(primary_statements := asked_of_the_primary()) == 1 and primary_statements)
    assert "token_digest" in statements[0]


def test_lists_exports_and_the_public_page_are_read_from_the_standby_too(live: LiveService, ticket: Ticket):
    page = ticket.publish()
    with live.client_with_key(Role.AUDITOR) as auditor, live.client() as visitor:
        reads: list[Callable[[], httpx2.Response]] = [
            lambda: auditor.get("/api/tickets/search", params={"contact": "ada@example.com"}),
            lambda: auditor.get("/api/exports/donations"),
            lambda: auditor.get("/api/support/recent"),
            lambda: visitor.get(page),
        ]
        for read in reads:

            def comes_from_the_standby(read: Callable[[], httpx2.Response] = read) -> bool:
                before = by(live, "replica")
                assert read().status_code == 200
                return by(live, "replica") > before

            eventually(comes_from_the_standby)


def test_queries_reach_the_standby(live: LiveService, ticket: Ticket, standby: Standby):
    before = standby.read_model_scans()

    def scans() -> int:
        # One that the standby does not answer in time is answered by the primary.
        assert ticket.get("/donations").status_code == 200
        return standby.read_model_scans() - before

    eventually(lambda: scans() >= 15)


# Freshness of reads.


def test_a_client_reads_its_own_writes_at_every_process(live: LiveService, webs: list[LiveService]):
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: write_and_read(webs), range(3)))
    assert by(live, "replica") > 0


def write_and_read(webs: list[LiveService]) -> None:
    first_web, second_web = webs
    ticket = first_web.client().open_ticket()
    with second_web.client(ticket.token) as reader:
        for number in range(6):
            ticket.write_draft(title=f"Title {number}")
            contact = reader.get("/api/tickets/search", params={"contact": "ada@example.com"}).json()["tickets"]
            assert [ticket_body["donationDraft"]["title"] for ticket_body in contact] == [f"Title {number}"]
            versions = [event["version"] for event in reader.get(ticket.path + "/history").json()["events"]]
            assert len(versions) == number + 2


def test_a_lagging_standby_is_not_read(live: LiveService, ticket: Ticket, paused: None):
    for number in range(10):
        ticket.write_draft(title=f"Title {number}")
        assert len(ticket.get("/history").json()["events"]) == number + 2
    eventually(lambda: state(live) is State.BEHIND)
    # A standby that is known to lag is not queried at all.
    before = by(live, "replica")
    for _ in range(10):
        ticket.get("/history")
    assert by(live, "replica") == before


def test_a_standby_that_lags_does_not_show_an_erased_person(live: LiveService, webs: list[LiveService], paused: None):
    ticket = live.client().open_ticket(contactValue="gone@example.com", displayName="Gone Away")
    page = ticket.publish()
    with live.client_with_key(Role.AUDITOR) as auditor, live.client_with_key(Role.ADMIN) as admin:
        assert ticket.http.delete(ticket.path).status_code == 202
        for web in webs:
            answer = web.client(admin.headers["authorization"][7:]).get(ticket.path)
            assert "Gone" not in answer.text
            assert web.client().get(page.replace(live.base_url, web.base_url)).status_code == 404
            searched = web.client(auditor.headers["authorization"][7:]).get(
                "/api/tickets/search", params={"contact": "gone@example.com"}
            )
            assert searched.json()["tickets"] == []
            assert web.client(ticket.token).get(ticket.path).status_code == 401


def test_a_standby_that_has_caught_up_is_used_again(live: LiveService, ticket: Ticket, standby: Standby):
    with live.client() as visitor:

        def lags() -> Any:
            replica_health = visitor.get("/health/ready").json()["replica"]
            return replica_health if (replica_health["lagSeconds"] or 0) > 0.5 else None

        standby.pause()
        try:
            ticket.write_draft()
            replica_health = eventually(lags)
        finally:
            standby.resume()
        assert (replica_health["state"], replica_health["lagBytes"] > 0, replica_health["error"]) == (
            "behind",
            True,
            None,
        )
        in_use(live)
        readiness = visitor.get("/health/ready").json()
        assert readiness["ready"]
        assert readiness["replica"]["state"] == "used"


# Failures of the standby.


def reader(live: LiveService) -> Callable[[], httpx2.Response]:
    """Return a request that reads the history of a ticket and checks it; every fifth call edits the ticket first."""
    ticket, edits, reads = live.client().open_ticket(), 0, 0

    def read() -> httpx2.Response:
        nonlocal edits, reads
        if reads % 5 == 0:
            edits += 1
            assert ticket.patch("/draft", {"title": f"Title {edits}"}).status_code == 200
        reads += 1
        answer = ticket.get("/history?limit=100")
        assert answer.status_code == 200, answer.text
        if edits < 90:
            assert len(answer.json()["events"]) == edits + 1
        return answer

    return read


def load_of(live: LiveService) -> Load:
    return Load(*[("read", reader(live)) for _ in range(3)], pause_seconds=0.03)


def test_while_a_standby_is_down_every_read_is_answered_and_afterwards_it_is_used_again(
    live: LiveService, standby: Standby
):
    with load_of(live) as load:
        load.wait_for_more()
        standby.stop()
        eventually(lambda: state(live) is State.AWAY)
        load.wait_for_more()
        with live.client() as visitor:
            readiness = visitor.get("/health/ready")
            assert readiness.status_code == 200
            assert readiness.json()["replica"]["state"] == "away"
        standby.start()
        in_use(live)
        before = by(live, "replica")
        eventually(lambda: by(live, "replica") > before)
    assert load.statuses() == {200}


def test_while_a_standby_hangs_every_read_is_answered_and_afterwards_it_is_used_again(
    live: LiveService, standby: Standby
):
    with load_of(live) as load:
        load.wait_for_more()
        standby.freeze()
        try:
            eventually(lambda: state(live) is State.AWAY)
            load.wait_for_more()
        finally:
            standby.thaw()
        in_use(live)
        before = by(live, "replica")
        eventually(lambda: by(live, "replica") > before)
    assert load.statuses() == {200}


def test_a_query_that_the_standby_cancels_is_repeated_on_the_primary(
    live: LiveService, ticket: Ticket, standby: Standby
):
    """A standby cancels a query that conflicts with the replay of the primary's changes."""
    with psycopg.connect(standby.url, autocommit=True) as killer:
        for _ in range(8):
            killer.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'storyledger reads'"
            )
            assert ticket.get("/history").status_code == 200


# Servers that must not be read.


def unfit(live: LiveService) -> str | None:
    assert live.service.history.replica is not None
    health = live.service.history.replica.health
    return health.error if health.state is State.UNFIT else None


def test_a_standby_that_was_promoted_is_never_read(leader: OwnServer, tmp_path: Path, epoch_keys: str):
    promoted = Standby(leader)
    try:
        with LiveService(
            leader.url, tmp_path / "var", frozenset({Parts.WEB, Parts.PROJECTIONS}), read_database_url=promoted.url,
            master_key=MASTER_KEY, metrics_token=METRICS, epoch_key_url=epoch_keys,
        ) as live:  # fmt: skip
            in_use(live)
            promoted.promote()
            assert eventually(lambda: unfit(live)) == NOT_A_STANDBY
            ticket = live.client().open_ticket()
            before = by(live, "replica")
            assert ticket.get("/history").status_code == 200
            assert by(live, "replica") == before
    finally:
        promoted.close()


@pytest.mark.parametrize("other_server", ["the primary itself", "a standby of somebody else's database"])
def test_a_server_that_is_not_a_standby_of_this_database_is_never_read(
    leader: OwnServer, standby: Standby, migrated_url: str, tmp_path: Path, epoch_keys: str, other_server: str
):
    url, read_url = (leader.url, leader.url) if other_server == "the primary itself" else (migrated_url, standby.url)
    with LiveService(
        url, tmp_path / "var", frozenset({Parts.WEB, Parts.PROJECTIONS}), read_database_url=read_url,
        master_key=MASTER_KEY, metrics_token=METRICS, epoch_key_url=epoch_keys,
    ) as live:  # fmt: skip
        assert eventually(lambda: unfit(live)) in (NOT_A_STANDBY, OTHER_DATABASE)
        ticket = live.client().open_ticket()
        assert len(ticket.get("/history").json()["events"]) == 1


def test_a_service_starts_without_its_standby_and_uses_it_once_it_is_there(
    leader: OwnServer, standby: Standby, tmp_path: Path, epoch_keys: str
):
    standby.stop()
    try:
        with LiveService(
            leader.url, tmp_path / "var", frozenset({Parts.WEB, Parts.PROJECTIONS}), read_database_url=standby.url,
            master_key=MASTER_KEY, metrics_token=METRICS, epoch_key_url=epoch_keys,
        ) as live:  # fmt: skip
            assert live.client().get("/health/ready").json()["replica"]["state"] == "away"
            ticket = live.client().open_ticket()
            assert ticket.get("/history").status_code == 200
            standby.start()
            in_use(live)
    finally:
        standby.start()
