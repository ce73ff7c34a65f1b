"""Events are delivered at least once, whatever fails or is killed, and with the faults that a test sets."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from adapters.stripe_sandbox import delivery
from tests.adapters.payments.test_gateway import gift
from tests.adapters.stripe_sandbox.test_sandbox import PAID
from tests.client import WAIT_SECONDS, eventually
from tests.fakes.sandbox_world import API_KEY, QUICK, SECRET

ROOT = Path(__file__).parents[3]


@pytest.fixture
def session(world) -> str:
    return world.gateway.open(gift()).session_id


def test_events_arrive_in_order_and_properly_signed(world, session):
    world.sandbox.pay(session)
    assert world.arrive() == PAID


def test_the_balance_transaction_comes_later(world, session):
    world.another_sandbox(timing=replace(QUICK, settlement=3600)).pay(session)
    world.sandbox.start()
    eventually(lambda: world.receiver.types == PAID[:3])
    assert not world.sandbox.wait_delivered(0)
    world.make_due()
    assert world.arrive() == PAID


@pytest.mark.parametrize("status", [302, 400, 503])
def test_anything_but_2xx_is_tried_again_until_it_is_taken(world, session, status):
    world.receiver.status = status
    world.sandbox.start()
    world.sandbox.pay(session)
    eventually(lambda: max(world.deliveries("attempts")) > (1,))
    assert not world.sandbox.wait_delivered(0)
    assert world.receiver.events == []
    world.receiver.status = 200
    assert sorted(world.arrive()) == sorted(PAID)


def test_a_receiver_that_is_away_gets_everything_when_it_is_back(world, session):
    world.sandbox.pay(session)
    nobody = world.another_sandbox("http://127.0.0.1:9/")
    nobody.start()
    eventually(lambda: max(world.deliveries("attempts")) > (1,))
    nobody.close()
    assert sorted(world.arrive()) == sorted(PAID)


def test_each_failure_is_followed_by_a_longer_pause(world, session, monkeypatch: pytest.MonkeyPatch):
    hour = 3600
    monkeypatch.setattr(delivery, "LONGEST_PAUSE_SECONDS", 12 * hour)
    world.receiver.status = 500
    world.sandbox.pay(session)
    world.make_due()
    failing = world.another_sandbox(timing=replace(QUICK, retry=3 * hour))
    failing.start()
    pauses = "attempts, round(extract(epoch FROM due - clock_timestamp()) / 3600)::int"
    for attempts, hours in ((1, 3), (2, 6), (3, 12), (4, 12)):
        eventually(lambda expected=(attempts, hours): set(world.deliveries(pauses)) == {expected})
        world.make_due()
    failing.close()


def test_a_restart_keeps_the_state_and_the_pending_deliveries(world, session):
    world.sandbox.pay(session)
    world.sandbox.close()
    restarted = world.another_sandbox()
    assert restarted.session(session)["payment_status"] == "paid"
    restarted.start()
    assert restarted.wait_delivered(WAIT_SECONDS)
    restarted.close()
    assert world.receiver.types == PAID


DELIVER_FOR_EVER = """
import sys, time, psycopg
from adapters.stripe_sandbox import Sandbox, delivery
delivery.LEASE_SECONDS = 1.0
database_url, url, secret, key = sys.argv[1:]
Sandbox(lambda: psycopg.connect(database_url), url, f"{url}/webhook", secret, key).start()
time.sleep(600)
"""


def test_a_process_killed_while_it_delivers_loses_nothing(world):
    for _ in range(5):
        world.sandbox.pay(world.gateway.open(gift()).session_id)
    world.receiver.most = 7
    process = subprocess.Popen(
        [sys.executable, "-c", DELIVER_FOR_EVER, world.database_url, world.url, SECRET, API_KEY], cwd=ROOT
    )
    eventually(lambda: len(world.receiver.events) == 7)
    process.kill()
    process.wait()
    world.receiver.most = None
    world.make_due()
    world.arrive()
    assert len({event.id for event in world.receiver.events}) == 20


def test_events_can_be_repeated(world, session):
    world.sandbox.set_delivery_faults(repeats=2)
    world.sandbox.pay(session)
    assert Counter(world.arrive()) == dict.fromkeys(PAID, 3)


def test_events_can_be_shuffled(world, session):
    world.sandbox.set_delivery_faults(shuffled=True)
    for _ in range(5):
        world.sandbox.pay(world.gateway.open(gift()).session_id)
    arrived = world.arrive()
    assert Counter(arrived) == dict.fromkeys(PAID, 5)
    assert arrived != PAID * 5


def test_all_events_of_a_payment_can_be_delivered_again(world, session):
    world.sandbox.pay(session)
    world.arrive()
    world.sandbox.deliver_again(session, shuffled=True)
    assert Counter(world.arrive()) == dict.fromkeys(PAID, 2)


def test_the_queue_survives_a_database_that_goes_away_for_a_moment(world, session):
    world.sandbox.start()
    with psycopg.connect(world.database_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    def paid() -> bool:
        with suppress(psycopg.Error):
            world.sandbox.pay(session)
            return True
        return False

    eventually(paid)
    assert Counter(world.arrive()) == dict.fromkeys(PAID, 1)
