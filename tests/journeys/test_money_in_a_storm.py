"""A storm of webhooks through which the service is killed again and again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, SimpleQueue
from random import Random
from typing import Any

import httpx2
import pytest

from adapters.payments.webhooks import sign
from adapters.stripe_sandbox.simulation import world
from entrypoints.composition.settings import Generated
from entrypoints.composition.simulation_runner import SimulationRunner
from tests.client import eventually, free_port

STORYLEDGER = Path(sys.executable).parent / "storyledger"
SENDERS = 6


class Process:
    """`storyledger serve` with all its parts, on the test's database."""

    def __init__(self, url: str, data_dir: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.env = os.environ | {"DATABASE_URL": url, "DATA_DIR": str(data_dir), "PORT": str(port)}
        self.start()

    def start(self) -> None:
        quiet: Any = subprocess.DEVNULL
        self.process = subprocess.Popen([STORYLEDGER, "serve"], env=self.env, stdout=quiet, stderr=quiet)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def process(migrated_url: str, tmp_path: Path) -> Iterator[Process]:
    running = Process(migrated_url, tmp_path / "var")
    yield running
    running.kill()


class Stripe:
    """Sends every event until it is thanked for it."""

    def __init__(self, process: Process, secret: str, events: list[dict[str, Any]]) -> None:
        self._process = process
        self._secret = secret
        self._owed: SimpleQueue[dict[str, Any]] = SimpleQueue()
        for event in events:
            self._owed.put(event)
        self.threads = [threading.Thread(target=self._send, daemon=True) for _ in range(SENDERS)]

    def _send(self) -> None:
        with httpx2.Client(base_url=self._process.url, timeout=5) as http:
            while True:
                try:
                    event = self._owed.get_nowait()
                except Empty:
                    return
                if not self._thanked(http, json.dumps(event).encode()):
                    self._owed.put(event)
                    time.sleep(0.05)

    def _thanked(self, http: httpx2.Client, body: bytes) -> bool:
        headers = {"Stripe-Signature": sign(body, self._secret, time.time())}
        try:
            return http.post("/api/webhooks/stripe", content=body, headers=headers).status_code == 200
        except httpx2.TransportError:
            return False


def test_a_service_killed_in_a_storm_owes_nobody_a_cent(process, make_service, tmp_path):
    service = make_service()
    rehearsal = SimulationRunner(service, world.build(77, 40, "storm"))
    rehearsal.open()
    sent = rehearsal.world.deliveries(Random(77))
    stripe = Stripe(process, Generated(tmp_path / "var")["webhook_secret"], sent)
    for thread in stripe.threads:
        thread.start()

    kills, probe = 0, httpx2.Client(base_url=process.url, timeout=2)
    while any(thread.is_alive() for thread in stripe.threads):
        eventually(lambda: _answers(probe) or not any(t.is_alive() for t in stripe.threads), 40)
        time.sleep(0.25 + 0.1 * kills)
        if kills < 4:
            kills += 1
            process.kill()
            process.start()
    assert kills >= 2
    process.kill()
    # What the killed process asked of Stripe in vain is due again at once.
    with service.database.connection() as connection:
        connection.execute("UPDATE stripe_inbox SET next_attempt_at = now()")
    rehearsal.settle()
    assert rehearsal.differences() == []


def _answers(probe: httpx2.Client) -> bool:
    try:
        return probe.get("/health/ready").status_code == 200
    except httpx2.TransportError:
        return False
