"""A service that is killed while many webhooks arrive has a correct ledger."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from queue import Empty, SimpleQueue
from random import Random
from typing import Any

import httpx2
import pytest

from adapters.payments.webhooks import sign
from adapters.stripe_sandbox.simulation import scenario
from entrypoints.composition.generated_secrets import GeneratedSecrets
from entrypoints.composition.service import Service
from entrypoints.composition.simulation_runner import SimulationRunner
from tests.client import eventually
from tests.processes import Serving

SENDERS = 6


class StripeDeliveries:
    """Sends every event until it is acknowledged."""

    def __init__(self, serving: Serving, secret: str, events: list[dict[str, Any]]) -> None:
        self._serving = serving
        self._secret = secret
        self._pending: SimpleQueue[dict[str, Any]] = SimpleQueue()
        for event in events:
            self._pending.put(event)
        self._lock = threading.Lock()
        self.acknowledged = 0
        self.threads = [threading.Thread(target=self._send, daemon=True) for _ in range(SENDERS)]

    def _send(self) -> None:
        with httpx2.Client(base_url=self._serving.url, timeout=60, verify=False) as http:
            while True:
                try:
                    event = self._pending.get_nowait()
                except Empty:
                    return
                if self._deliver(http, json.dumps(event).encode()):
                    with self._lock:
                        self.acknowledged += 1
                else:
                    self._pending.put(event)
                    time.sleep(0.05)  # like Stripe, which does not retry at once

    def _deliver(self, http: httpx2.Client, body: bytes) -> bool:
        headers = {"Stripe-Signature": sign(body, self._secret, time.time())}
        try:
            return http.post("/api/webhooks/stripe", content=body, headers=headers).status_code == 200
        except httpx2.TransportError:
            return False


def differences(service: Service, data_dir: Path, donations: int, kills: int) -> list[str]:
    """Kill the service while Stripe reports these donations, and return the ledger's differences from the oracle."""
    runner = SimulationRunner(service, scenario.build(77, donations, "storm"))
    runner.open()
    events = runner.scenario.deliveries(Random(77))
    with Serving(database_url=service.url, data_dir=data_dir) as serving:
        deliveries = StripeDeliveries(serving, GeneratedSecrets(data_dir)["webhook_secret"], events)
        for thread in deliveries.threads:
            thread.start()
        for number in range(1, kills + 1):
            goal = len(events) * number // (kills + 1)
            eventually(lambda goal=goal: deliveries.acknowledged >= goal)
            serving.kill()
            serving.start()
        for thread in deliveries.threads:
            thread.join()
        serving.kill()
    # The killed process may have left calls to Stripe unanswered, which are retried only later.
    with service.database.connection() as connection:
        connection.execute("UPDATE stripe_inbox SET next_attempt_at = now()")
    runner.settle()
    return runner.differences()


def test_a_service_killed_while_webhooks_arrive_has_the_ledger_of_the_oracle(service: Service, tmp_path: Path):
    assert differences(service, tmp_path / "var", donations=8, kills=1) == []


@pytest.mark.soak
def test_a_service_killed_several_times_while_webhooks_arrive_has_the_ledger_of_the_oracle(
    service: Service, tmp_path: Path
):
    assert differences(service, tmp_path / "var", donations=40, kills=4) == []
