"""Every part as processes of their own, several of each on one database: killed, stopped and started again."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest

import projections
from adapters.identity.credentials import Credentials
from adapters.payments.webhooks import sign
from adapters.postgres.database import Database
from adapters.read_models import rebuild
from domain.values import Role
from tests.client import Client, Ticket, eventually
from tests.postgres import fresh_database
from tests.processes import Serving
from tests.stripe_events import Payment

TOKEN = "a token for the metrics of this fleet"


class Fleet:
    """Two processes of each part on one database."""

    def __init__(self, url: str, folder: Path, stack: ExitStack) -> None:
        self.database = stack.enter_context(Database(url, size=4))
        env = {"database_url": url, "data_dir": folder / "var", "log_level": "WARNING"}

        def started(only: str, number: int, **more: Any) -> Serving:
            return stack.enter_context(Serving(only, log=folder / f"{only}-{number}.log", **env, **more))

        self.webs = [started("web", number) for number in (1, 2)]
        # Who is no web process asks the first for its stand-in for Stripe.
        others = {"base_url": self.webs[0].url, "metrics_token": TOKEN}
        self.workers = [started("worker", number, **others) for number in (1, 2)]
        self.followers = [started("projections", number, **others) for number in (1, 2)]
        self.secret = json.loads((folder / "var" / "secrets.json").read_text())["webhook_secret"]

    def count(self, query: str, *values: Any) -> int:
        with self.database.connection() as connection:
            row = connection.execute(query.encode(), values).fetchone()
        assert row is not None
        return int(row[0])

    def caught_up(self) -> bool:
        return self.count("SELECT min(position) = (SELECT max(position) FROM events) FROM projections") == 1

    def both_up(self) -> bool:
        """Whether two follow and two work: a process that was started needs a while to begin."""
        following = self.count(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'storyledger follower'"
            " AND datname = current_database()"
        )
        working = self.count(
            "SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - interval '5 seconds'"
        )
        return (following, working >= 2) == (2, True)

    def deliver(self, event: dict[str, Any], web: Serving) -> None:
        body = json.dumps(event).encode()
        headers = {"Stripe-Signature": sign(body, self.secret, time.time()), "Content-Type": "application/json"}
        with web.client() as stripe:
            assert stripe.post("/api/webhooks/stripe", content=body, headers=headers).status_code == 200


@pytest.fixture(scope="module")
def fleet(server_url: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with fresh_database(server_url, migrated_template) as url, ExitStack() as stack:
        made = Fleet(url, tmp_path_factory.mktemp("fleet"), stack)
        with made.webs[0].client() as visitor:
            visitor.open_ticket()
        eventually(made.both_up)
        eventually(made.caught_up)
        yield made


def at(web: Serving, ticket: Ticket) -> Client:
    """The ticket's holder, at another process."""
    return Client(base_url=web.url, headers={"Authorization": f"Bearer {ticket.token}"}, timeout=30)


def test_what_was_written_at_one_process_is_read_at_another(fleet: Fleet):
    here, there = fleet.webs
    ticket = here.client().open_ticket()
    with at(there, ticket) as reader:
        for number in range(20):
            ticket.write_draft(title=f"Title {number}")
            shown = reader.get(ticket.path, params={"include": "draft"}).json()
            assert shown["donationDraft"]["title"] == f"Title {number}"
        paid = ticket.pay()
        listed = reader.get(f"{ticket.path}/donations").json()["donations"]
        assert [one["id"] for one in listed] == [paid["donationId"]]


def test_a_request_repeated_at_another_process_is_done_once(fleet: Fleet):
    body = {"contactType": "EMAIL", "contactValue": "once@example.com"}
    before = fleet.count("SELECT count(*) FROM events")

    def create(web: Serving) -> httpx2.Response:
        with web.client() as visitor:
            answer = visitor.post("/api/tickets/create", json=body, headers={"Idempotency-Key": "the same"})
            return answer if answer.status_code != 409 else create(web)

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(create, fleet.webs * 3))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert fleet.count("SELECT count(*) FROM events") == before + 1


def test_a_key_that_was_revoked_is_worthless_at_every_process_at_once(fleet: Fleet):
    credentials = Credentials(fleet.database)
    made, secret = credentials.create(Role.ADMIN)
    headers = {"Authorization": f"Bearer {secret}"}

    def statuses() -> list[int]:
        return [httpx2.get(f"{web.url}/admin/dead-letters", headers=headers).status_code for web in fleet.webs]

    assert statuses() == [200, 200]
    credentials.revoke(made.id)
    assert statuses() == [401, 401]


class Giving:
    """Gifts that come in all the while, at both doors, each told twice."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._ticket = fleet.webs[0].client().open_ticket()
        self._done = threading.Event()
        self.given = 0
        self._thread = threading.Thread(target=self._give)

    def __enter__(self) -> Giving:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _give(self) -> None:
        while not self._done.is_set():
            checkout = self._ticket.pay(10)
            payment = Payment(UUID(self._ticket.id), 1_000, donation_id=UUID(checkout["donationId"]))
            for web in self._fleet.webs:
                self._fleet.deliver(payment.succeeded(), web)
            self.given += 1

    def shown(self) -> int:
        totals = at(self._fleet.webs[1], self._ticket).get(f"{self._ticket.path}/donations/total").json()
        return sum(one["paidMinor"] for one in totals["byCurrency"]) // 1_000

    def goes_on(self) -> None:
        """Gifts given from now on become visible."""
        before = self.given
        eventually(lambda: self.shown() > before)


@pytest.mark.parametrize("part", ["followers", "workers"])
def test_when_one_is_killed_the_other_goes_on_and_nothing_happens_twice(fleet: Fleet, part: str):
    with Giving(fleet) as giving:
        giving.goes_on()
        # Whichever of the two was at it: each is killed once.
        for process in getattr(fleet, part):
            process.kill()
            giving.goes_on()
            process.start()
            eventually(fleet.both_up)
    eventually(lambda: giving.shown() == giving.given)
    assert fleet.count("SELECT count(*) FROM events WHERE topic = 'payment_received'") == fleet.count(
        "SELECT count(DISTINCT stream) FROM events WHERE topic = 'payment_received'"
    )
    eventually(fleet.caught_up)
    for projection in projections.ALL:
        assert rebuild.verify(fleet.database.url, projection, lambda *_: None).differences == []


class Visiting:
    """A client that goes round the web processes and never asks twice: what was accepted must be answered."""

    def __init__(self, urls: list[str]) -> None:
        self._urls = urls
        self._done = threading.Event()
        self.answered: list[float] = []
        self.lost: list[str] = []
        self._threads = [threading.Thread(target=self._visit, args=(number,)) for number in range(4)]

    def __enter__(self) -> Visiting:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def _visit(self, number: int) -> None:
        while not self._done.is_set():
            number += 1
            url = self._urls[number % len(self._urls)]
            started = time.monotonic()
            try:
                status = httpx2.get(f"{url}/d/nobody", timeout=20).status_code
            except httpx2.ConnectError:
                continue  # turned away at the door: a balancer goes to the next
            except httpx2.TransportError as error:
                self.lost.append(type(error).__name__)
                continue
            if status != 404:
                self.lost.append(str(status))
            self.answered.append(time.monotonic() - started)
            self._done.wait(0.01)


def test_processes_restarted_one_after_the_other_lose_no_request(fleet: Fleet):
    with Visiting([web.url for web in fleet.webs]) as visiting:
        for web in fleet.webs:
            before = len(visiting.answered)
            eventually(lambda before=before: len(visiting.answered) > before + 50)
            assert web.stop() == 0
            web.start()
    assert visiting.lost == []
    assert max(visiting.answered) < 10
