"""Delivery: at least once, whatever fails or is killed, and as badly as one asks for."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psycopg
import pytest

from tests.adapters.payments.test_gateway import gift
from tests.adapters.stripe_sandbox.test_sandbox import PAID
from tests.fakes.sandbox_world import API_KEY, SECRET

ROOT = Path(__file__).parents[3]


@pytest.fixture
def session(world) -> str:
    return world.gateway.open(gift()).session_id


def test_events_arrive_in_order_and_properly_signed(world, session):
    world.sandbox.pay(session)
    assert world.arrive() == PAID


def test_the_balance_transaction_comes_a_little_later(world, session):
    world.sandbox.start()
    world.sandbox.pay(session)
    while len(world.receiver.types) < 3:
        assert not world.sandbox.wait_delivered(0)
    assert world.receiver.types == PAID[:3]
    assert world.arrive() == PAID


@pytest.mark.parametrize("status", [302, 400, 503])
def test_anything_but_2xx_is_tried_again_until_it_is_taken(world, session, status):
    world.receiver.status = status
    world.sandbox.start()
    world.sandbox.pay(session)
    assert not world.sandbox.wait_delivered(0.3)
    assert world.receiver.events == []
    world.receiver.status = 200
    assert sorted(world.arrive()) == sorted(PAID)


def test_a_receiver_that_is_away_gets_everything_when_it_is_back(world, session):
    world.sandbox.pay(session)
    nobody = world.another_sandbox("http://127.0.0.1:9/")
    nobody.start()
    assert not nobody.wait_delivered(0.3)
    nobody.close()
    assert sorted(world.arrive()) == sorted(PAID)


def test_each_failure_is_followed_by_a_longer_pause(world, session):
    world.receiver.status = 500
    world.sandbox.start()
    world.sandbox.pay(session)
    world.sandbox.wait_delivered(1.2)
    with psycopg.connect(world.database_url) as connection:
        row = connection.execute("SELECT max(attempts) FROM sandbox.deliveries").fetchone()
    # 0.05, 0.1, 0.2, 0.4, 0.8 seconds, and the next look at the queue within a quarter of a second.
    assert row is not None
    assert 3 <= row[0] <= 5


def test_a_restart_keeps_the_state_and_the_pending_deliveries(world, session):
    world.sandbox.pay(session)
    world.sandbox.close()
    again = world.another_sandbox()
    assert again.session(session)["payment_status"] == "paid"
    again.start()
    assert again.wait_delivered(8)
    again.close()
    assert world.receiver.types == PAID


DELIVER_FOR_EVER = """
import sys, time, psycopg
from adapters.stripe_sandbox import Sandbox, delivery
delivery.LEASE_SECONDS = 1.0
database_url, url, secret, key = sys.argv[1:]
Sandbox(lambda: psycopg.connect(database_url), url, f"{url}/webhook", secret, key).start()
time.sleep(60)
"""


def test_a_process_killed_while_it_delivers_loses_nothing(world):
    for _ in range(20):
        world.sandbox.pay(world.gateway.open(gift()).session_id)
    process = subprocess.Popen(
        [sys.executable, "-c", DELIVER_FOR_EVER, world.database_url, world.url, SECRET, API_KEY], cwd=ROOT
    )
    world.until(lambda: len(world.receiver.events) >= 10)
    process.kill()
    process.wait()
    assert len(world.receiver.events) < 80
    world.arrive()
    assert len({event.id for event in world.receiver.events}) == 80


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
    for _ in range(50):
        try:
            world.sandbox.pay(session)
            break
        except psycopg.Error:
            time.sleep(0.05)
    assert Counter(world.arrive()) == dict.fromkeys(PAID, 1)
