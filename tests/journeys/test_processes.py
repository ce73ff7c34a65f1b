"""Two web parts and two worker processes share a database, and one is killed and started again."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import httpx2
import pytest

import projections
from adapters.identity.credentials import Credentials
from adapters.postgres.database import Database
from adapters.read_models import rebuild
from domain.values import Role
from entrypoints.composition.service import Parts
from tests.client import LiveService, eventually
from tests.load import Load
from tests.postgres import fresh_database
from tests.processes import Serving
from tests.stripe_events import Payment


class Fleet:
    """Two web parts, and two processes with worker and projections, on one database."""

    def __init__(self, url: str, folder: Path, stack: ExitStack) -> None:
        self.database = stack.enter_context(Database(url, size=4))
        web_only = frozenset({Parts.WEB})
        self.webs = [stack.enter_context(LiveService(url, folder / "var", web_only)) for _ in range(2)]
        # The other processes find the sandbox at the first web part.
        env = {"database_url": url, "data_dir": folder / "var", "base_url": self.webs[0].base_url}
        self.workers = [
            stack.enter_context(Serving("worker,projections", log=folder / f"{number}.log", **env))
            for number in range(2)
        ]

    def count(self, query: str, *values: Any) -> int:
        with self.database.connection() as connection:
            row = connection.execute(query.encode(), values).fetchone()
        assert row is not None
        return int(row[0])

    def caught_up(self) -> bool:
        return self.count("SELECT min(position) = (SELECT max(position) FROM events) FROM projections") == 1

    def both_up(self) -> bool:
        """Return True if two followers and two workers are running, each with three queues. A start takes a while."""
        following = self.count(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'storyledger follower'"
            " AND datname = current_database()"
        )
        working = self.count(
            "SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - interval '5 seconds'"
        )
        return (following, working >= 2 * 3) == (2, True)


@pytest.fixture(scope="module")
def fleet(server_url: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with fresh_database(server_url, migrated_template) as url, ExitStack() as stack:
        fleet = Fleet(url, tmp_path_factory.mktemp("fleet"), stack)
        with fleet.webs[0].client() as visitor:
            visitor.open_ticket()
        eventually(fleet.both_up)
        eventually(fleet.caught_up)
        yield fleet


def test_a_write_at_one_web_part_is_read_at_another(fleet: Fleet):
    first_web, second_web = fleet.webs
    ticket = first_web.client().open_ticket()
    with second_web.client(ticket.token) as reader:
        for number in range(5):
            ticket.write_draft(title=f"Title {number}")
            ticket_body = reader.get(ticket.path, params={"include": "draft"}).json()
            assert ticket_body["donationDraft"]["title"] == f"Title {number}"
        paid = ticket.pay()
        listed = reader.get(f"{ticket.path}/donations").json()["donations"]
        assert [donation["id"] for donation in listed] == [paid["donationId"]]


def test_a_request_repeated_at_another_web_part_is_done_once(fleet: Fleet):
    body = {"contactType": "EMAIL", "contactValue": "once@example.com"}
    # A visitor gets the token again only for a key that nobody can guess.
    key = str(uuid4())
    before = fleet.count("SELECT count(*) FROM events")

    def create(web: LiveService) -> httpx2.Response:
        with web.client() as visitor:

            def answered() -> httpx2.Response | None:
                answer = visitor.post("/api/tickets/create", json=body, headers={"Idempotency-Key": key})
                return answer if answer.status_code != 409 else None

            return cast(httpx2.Response, eventually(answered))

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(create, fleet.webs * 3))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert fleet.count("SELECT count(*) FROM events") == before + 1


def test_a_revoked_key_is_refused_at_every_web_part_at_once(fleet: Fleet):
    credentials = Credentials(fleet.database)
    key, secret = credentials.create(Role.ADMIN)

    def statuses() -> list[int]:
        return [web.client(secret).get("/admin/dead-letters").status_code for web in fleet.webs]

    assert statuses() == [200, 200]
    credentials.revoke(key.id)
    assert statuses() == [401, 401]


class Gifts:
    """Donations at a steady pace, each reported by Stripe to both web processes."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._ticket = fleet.webs[0].client().open_ticket()
        self.made = 0

    def give(self) -> httpx2.Response:
        checkout = self._ticket.pay(10)
        payment = Payment(UUID(self._ticket.id), 1_000, donation_id=UUID(checkout["donationId"]))
        for web in self._fleet.webs:
            answer = web.webhook(payment.completed())
            assert answer.status_code == 200
        self.made += 1
        return answer

    def count_shown(self) -> int:
        with self._fleet.webs[1].client(self._ticket.token) as reader:
            totals = reader.get(f"{self._ticket.path}/donations/total").json()
        return sum(total["paidMinor"] for total in totals["byCurrency"]) // 1_000

    def wait_for_more(self) -> None:
        """Wait until donations that are made from now on are visible."""
        before = self.made
        eventually(lambda: self.count_shown() > before)


def test_when_one_process_is_killed_the_other_continues_and_nothing_happens_twice(fleet: Fleet):
    gifts = Gifts(fleet)
    first, second = fleet.workers
    with Load(("gift", gifts.give), pause_seconds=0.2):
        gifts.wait_for_more()
        first.kill()
        gifts.wait_for_more()
        first.start()
        eventually(fleet.both_up)
        # Now the first process has to take over, so that the process that held the lock has been killed as well.
        second.kill()
        gifts.wait_for_more()
    eventually(lambda: gifts.count_shown() == gifts.made)
    assert fleet.count("SELECT count(*) FROM events WHERE topic = 'payment_received'") == fleet.count(
        "SELECT count(DISTINCT stream) FROM events WHERE topic = 'payment_received'"
    )
    eventually(fleet.caught_up)
    for projection in projections.ALL:
        assert rebuild.verify(fleet.database.url, projection, lambda *_: None).differences == []
