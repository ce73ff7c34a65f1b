"""Traces leave the service as `serve` sends them: over the network, to whoever collects them."""

from __future__ import annotations

from pathlib import Path

from tests.fakes.collector import Collector
from tests.processes import Serving


def test_spans_of_a_served_process_arrive_at_the_collector(migrated_url: str, tmp_path: Path):
    # Nothing is sent before the end, which hands out what is left.
    env = {"database_url": migrated_url, "data_dir": tmp_path, "otel_bsp_schedule_delay": 600_000}
    with Collector() as collector, Serving(otel_exporter_otlp_endpoint=collector.endpoint, **env) as serving:
        with serving.client() as client:
            ticket = client.open_ticket(contactValue="qzkanarix@example.com")
        assert serving.stop() == 0
        told = collector.spans()
    assert told["POST /api/tickets/create"]["http.response.status_code"] == 201
    assert told["append"]["storyledger.ticket"] == ticket.id
    assert "projection batch" in told
    assert "qzkanarix" not in str(told)
    assert collector.services() == {"storyledger"}


def test_an_unreachable_collector_does_not_disturb_requests(migrated_url: str, tmp_path: Path):
    env = {"database_url": migrated_url, "data_dir": tmp_path, "otel_exporter_otlp_endpoint": "http://127.0.0.1:1"}
    with Serving(**env) as serving:
        with serving.client() as client:
            client.open_ticket()
        assert serving.stop() == 0
