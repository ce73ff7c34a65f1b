"""Several processes of each part on one database: killed, stopped and started again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import cycle
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
from tests.load import CONNECTION_REFUSED, Load
from tests.postgres import fresh_database
from tests.processes import Serving
from tests.stripe_events import Payment

TOKEN = "a token for the metrics of this fleet"


class Fleet:
    """Two web processes, and two that work and follow, on one database."""

    def __init__(self, url: str, folder: Path, stack: ExitStack) -> None:
        self.database = stack.enter_context(Database(url, size=4))
        env = {"database_url": url, "data_dir": folder / "var", "log_level": "WARNING"}

        def started(only: str, number: int, **more: Any) -> Serving:
            return stack.enter_context(Serving(only, log=folder / f"{only}-{number}.log", **env, **more))

        self.webs = [started("web", number) for number in (1, 2)]
        # The other processes find the sandbox at the first web process.
        others = {"base_url": self.webs[0].url, "metrics_token": TOKEN}
        self.workers = [started("worker,projections", number, **others) for number in (1, 2)]
        self.secret = json.loads((folder / "var" / "secrets.json").read_text())["webhook_secret"]

    def count(self, query: str, *values: Any) -> int:
        with self.database.connection() as connection:
            row = connection.execute(query.encode(), values).fetchone()
        assert row is not None
        return int(row[0])

    def caught_up(self) -> bool:
        return self.count("SELECT min(position) = (SELECT max(position) FROM events) FROM projections") == 1

    def both_up(self) -> bool:
        """Return True if two followers and two workers are at work; a process needs a while to begin."""
        following = self.count(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'storyledger follower'"
            " AND datname = current_database()"
        )
        working = self.count(
            "SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - interval '5 seconds'"
        )
        return (following, working >= 2) == (2, True)

    def deliver(self, event: dict[str, Any], web: Serving) -> httpx2.Response:
        body = json.dumps(event).encode()
        headers = {"Stripe-Signature": sign(body, self.secret, time.time()), "Content-Type": "application/json"}
        with web.client() as stripe:
            answer = stripe.post("/api/webhooks/stripe", content=body, headers=headers)
            assert answer.status_code == 200
            return answer


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
    """Return a client of the ticket's holder at another process."""
    return Client(base_url=web.url, headers={"Authorization": f"Bearer {ticket.token}"}, timeout=30)


def test_a_write_at_one_process_is_read_at_another(fleet: Fleet):
    here, there = fleet.webs
    ticket = here.client().open_ticket()
    with at(there, ticket) as reader:
        for number in range(20):
            ticket.write_draft(title=f"Title {number}")
            shown = reader.get(ticket.path, params={"include": "draft"}).json()
            assert shown["donationDraft"]["title"] == f"Title {number}"
        paid = ticket.pay()
        listed = reader.get(f"{ticket.path}/donations").json()["donations"]
        assert [donation["id"] for donation in listed] == [paid["donationId"]]


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


def test_a_revoked_key_is_refused_at_every_process_at_once(fleet: Fleet):
    credentials = Credentials(fleet.database)
    made, secret = credentials.create(Role.ADMIN)
    headers = {"Authorization": f"Bearer {secret}"}

    def statuses() -> list[int]:
        return [httpx2.get(f"{web.url}/admin/dead-letters", headers=headers).status_code for web in fleet.webs]

    assert statuses() == [200, 200]
    credentials.revoke(made.id)
    assert statuses() == [401, 401]


class Gifts:
    """Gifts that keep coming, each reported by Stripe at both web processes."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._ticket = fleet.webs[0].client().open_ticket()
        self.given = 0

    def give(self) -> httpx2.Response:
        checkout = self._ticket.pay(10)
        payment = Payment(UUID(self._ticket.id), 1_000, donation_id=UUID(checkout["donationId"]))
        for web in self._fleet.webs:
            answer = self._fleet.deliver(payment.succeeded(), web)
        self.given += 1
        return answer

    def shown(self) -> int:
        totals = at(self._fleet.webs[1], self._ticket).get(f"{self._ticket.path}/donations/total").json()
        return sum(total["paidMinor"] for total in totals["byCurrency"]) // 1_000

    def wait_for_more(self) -> None:
        """Wait until gifts that are given from now on are visible."""
        before = self.given
        eventually(lambda: self.shown() > before)


def test_when_one_process_is_killed_the_other_continues_and_nothing_happens_twice(fleet: Fleet):
    gifts = Gifts(fleet)
    with Load(("gift", gifts.give)):
        gifts.wait_for_more()
        # Each is killed once, so that the one that was at work is among them.
        for process in fleet.workers:
            process.kill()
            gifts.wait_for_more()
            process.start()
            eventually(fleet.both_up)
    eventually(lambda: gifts.shown() == gifts.given)
    assert fleet.count("SELECT count(*) FROM events WHERE topic = 'payment_received'") == fleet.count(
        "SELECT count(DISTINCT stream) FROM events WHERE topic = 'payment_received'"
    )
    eventually(fleet.caught_up)
    for projection in projections.ALL:
        assert rebuild.verify(fleet.database.url, projection, lambda *_: None).differences == []


def test_processes_restarted_one_after_the_other_lose_no_accepted_request(fleet: Fleet):
    def visits(number: int) -> Callable[[], httpx2.Response]:
        urls = cycle(web.url for web in fleet.webs[number % 2 :] + fleet.webs[: number % 2])
        return lambda: httpx2.get(f"{next(urls)}/d/nobody", timeout=60)

    with Load(*[("visit", visits(number)) for number in range(4)]) as load:
        for web in fleet.webs:
            load.wait_for_more(50)
            assert web.stop() == 0
            web.start()
    # A load balancer sends a refused connection to the next process.
    assert load.statuses() <= {404, CONNECTION_REFUSED}
