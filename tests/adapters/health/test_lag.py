"""Readiness and metrics show one moment: an event that is applied while they are read is not lost between the reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from adapters.health.lag import HealthProbe
from adapters.observability import gauges
from adapters.observability.gauges import Gauges
from adapters.payments import inbox
from tests.money import Ledger


@pytest.fixture
def ledger(service) -> Ledger:
    return Ledger(service)


def after_applying(ledger: Ledger, read: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that applies what is in the inbox, and then reads."""

    def apply_and_read(*arguments: Any) -> Any:
        assert ledger.service.payments.applier.apply_batch()
        return read(*arguments)

    return apply_and_read


def test_an_event_that_is_applied_during_the_health_check_waits_or_lags(ledger, monkeypatch: pytest.MonkeyPatch):
    ledger.deliver(ledger.payment().completed())
    ledger.follow()
    monkeypatch.setattr(inbox, "health", after_applying(ledger, inbox.health))
    lag = HealthProbe(ledger.service.database)._read()
    assert {projection.head - projection.position for projection in lag.projections.values()} == {0}
    assert lag.inbox.waiting == 1


def test_an_event_that_is_applied_while_metrics_are_read_waits_or_lags(ledger, monkeypatch: pytest.MonkeyPatch):
    ledger.deliver(ledger.payment().completed())
    ledger.follow()
    monkeypatch.setattr(gauges, "_inbox", after_applying(ledger, gauges._inbox))
    metrics = {metric.name: metric for metric in Gauges(ledger.service.database, 24)._read()}
    assert {sample.value for sample in metrics["storyledger_projection_lag_events"].samples} == {0}
    assert {sample.labels["state"]: sample.value for sample in metrics["storyledger_inbox_events"].samples} == {
        "waiting": 1,
        "held": 0,
        "dead": 0,
    }
