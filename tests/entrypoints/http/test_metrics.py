"""The metrics need the metrics token, work during outages, and contain no personal data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from uuid import UUID

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from adapters.observability import counters, gauges
from adapters.postgres import database
from adapters.postgres.database import connect
from entrypoints.composition.service import Parts
from entrypoints.composition.settings import Settings
from entrypoints.http.handlers import metrics as handler
from tests.client import WAIT_SECONDS, LiveService, eventually
from tests.entrypoints.http.contract import Contract, problem
from tests.postgres import fresh_database
from tests.stripe_events import Payment, event

TOKEN = "metrics-" + "0123456789abcdef" * 2
DATA = Path(__file__).parents[3] / "docs" / "monitoring"


@pytest.fixture(scope="module", autouse=True)
def _requests_of_other_modules_are_not_counted() -> None:
    # All services of a process count together, and thousands of samples take long to write and to parse.
    counters.requests._by_operation.clear()


@contextmanager
def measured_service(url: str, folder: Path) -> Iterator[LiveService]:
    with LiveService(url, folder / "var", Parts.ALL, metrics_token=TOKEN) as running:
        running.watchers.append(Contract(running.openapi).check)
        yield running


@pytest.fixture(scope="module")
def lasting(server_url: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    """Run a service with a metrics token for the tests that do not depend on what happened before."""
    folder = tmp_path_factory.mktemp("metrics")
    with fresh_database(server_url, migrated_template) as url, measured_service(url, folder) as running:
        yield running


class Metrics:
    """The metrics at one moment."""

    def __init__(self, live: LiveService) -> None:
        with live.client(TOKEN) as prometheus:
            self.answer = prometheus.get("/metrics")
        assert self.answer.status_code == 200

    def samples(self, name: str = "") -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """Return all samples, or those whose names begin with this one, because parsing all takes long."""
        lines = "".join(line for line in self.answer.text.splitlines(keepends=True) if line.startswith(name))
        families = text_string_to_metric_families(lines)
        return {(s.name, frozenset(s.labels.items())): s.value for f in families for s in f.samples}

    def __call__(self, name: str, **labels: str) -> float:
        """Return the sum of the samples with these labels."""
        expected = set(labels.items())
        return sum(
            value
            for (sample_name, sample_labels), value in self.samples(name).items()
            if sample_name == name and expected <= sample_labels
        )

    @property
    def names(self) -> set[str]:
        return {name for name, _ in self.samples()}


def test_metrics_need_the_metrics_token(lasting: LiveService):
    with lasting.client() as visitor:
        problem(visitor.get("/metrics"), 401, "unauthenticated")
        for header in (f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", "Bearer", "Bearer é"):
            headers = {"Authorization": header.encode()}
            problem(visitor.get("/metrics", headers=headers), 401, "unauthenticated")
        problem(visitor.get("/metrics", params={"token": TOKEN}), 401, "unauthenticated")
        problem(visitor.post("/metrics"), 405, "method-not-allowed")
    with lasting.client(lasting.service.secrets.admin_key) as admin:
        problem(admin.get("/metrics"), 401, "unauthenticated")
    with lasting.client(TOKEN) as prometheus:
        answer = prometheus.get("/metrics")
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        problem(prometheus.get("/admin/projections"), 401, "unauthenticated")


def test_without_a_configured_token_there_are_no_metrics(migrated_url: str, tmp_path: Path):
    with LiveService(migrated_url, tmp_path / "var", frozenset({Parts.WEB}), metrics_token=" ") as live:
        for credential in (None, TOKEN, live.service.secrets.admin_key):
            with live.client(credential) as client:
                problem(client.get("/metrics"), 404, "not-found")
        # A blank token is the same as none.
        assert live.settings.metrics_token == Settings(data_dir=tmp_path).metrics_token


def test_requests_are_counted_by_path_template(lasting: LiveService):
    path = "/api/tickets/{ticket_id}"
    before = Metrics(lasting)
    with lasting.client() as client:
        ticket = client.open_ticket()
        for _ in range(3):
            assert ticket.get().status_code == 200
        assert client.get(f"/api/tickets/{ticket.id}").status_code == 401
        assert client.get("/no/such/place").status_code == 404
        assert client.request("REPORT", "/no/such/place").status_code == 404
    after = Metrics(lasting)

    def grown(name: str, **labels: str) -> float:
        return after(name, **labels) - before(name, **labels)

    requests, durations = "storyledger_http_requests_total", "storyledger_http_request_duration_seconds_count"
    assert grown(requests, operation=path, method="GET", status="200") == 3
    assert grown(requests, operation=path, method="GET", status="401") == 1
    assert grown(requests, operation="/api/tickets/create", method="POST", status="201") == 1
    assert grown(requests, operation="none", method="GET", status="404") == 1
    assert grown(requests, operation="none", method="other", status="404") == 1
    assert grown(durations, operation=path, method="GET") == 4
    # The request for the metrics itself is still in progress.
    assert after("storyledger_http_requests_in_progress") == 1


def test_background_work_is_measured(lasting: LiveService):
    before = Metrics(lasting)
    with lasting.client() as client:
        ticket = client.open_ticket()
        body = {"contactType": "EMAIL", "contactValue": "ada@example.com"}
        eventually(lambda: Metrics(lasting)("storyledger_projection_lag_events") == 0)
        assert client.post("/api/access/request", json=body).status_code == 202
        assert client.post("/api/webhooks/stripe", content=b"{}").status_code == 400
    stranger = Payment(UUID(ticket.id))
    held_event, other = stranger.charged(), event("customer.created", {"id": "cus_1", "object": "customer"})
    for stripe_event in (held_event, held_event, other):
        assert lasting.webhook(stripe_event).status_code == 200
    lasting.applied()
    received, applied = "storyledger_webhooks_received_total", "storyledger_webhooks_applied_total"
    counted = [("storyledger_mails_total", "sent"), (applied, "held"), (applied, "ignored")]

    def metrics_with_work() -> Metrics | None:
        """Return the metrics once the work is counted, which may be just before or after it is recorded."""
        now = Metrics(lasting)
        is_counted = all(now(name, outcome=outcome) > before(name, outcome=outcome) for name, outcome in counted)
        return now if is_counted and now("storyledger_outbox_mails") == 0 else None

    after = eventually(metrics_with_work)

    def grown(name: str, **labels: str) -> float:
        return after(name, **labels) - before(name, **labels)

    assert [grown(received, outcome=outcome) for outcome in ("new", "repeated", "refused")] == [2, 1, 1]
    assert [grown(applied, outcome=outcome) for outcome in ("held", "ignored", "applied")] == [1, 1, 0]
    assert after("storyledger_inbox_events", state="held") == 1
    assert after("storyledger_inbox_events", state="waiting") == 0
    assert grown("storyledger_mails_total", outcome="sent") == 1
    assert after("storyledger_outbox_mails") == 0
    assert grown("storyledger_events_appended_total") == 1
    assert after("storyledger_database_up") == 1
    assert after("storyledger_info", version=lasting.service.version, parts="projections,web,worker") == 1
    assert after("storyledger_pool_size_max", pool="service") == 24
    assert after("process_resident_memory_bytes") > 1e6
    positions = {value for (name, _), value in after.samples().items() if name == "storyledger_projection_position"}
    assert positions == {after("storyledger_events_appended_total")}


@pytest.fixture(scope="module")
def web(server_url: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    """Run a service that leaves all work to other processes, although none runs, and that waits long for locks."""
    with fresh_database(server_url, migrated_template) as url, pytest.MonkeyPatch.context() as patch:
        for name in ("LOCK_SECONDS", "STATEMENT_SECONDS"):
            patch.setattr(database, name, 3 * WAIT_SECONDS)
        folder = tmp_path_factory.mktemp("web") / "var"
        with LiveService(url, folder, frozenset({Parts.WEB}), metrics_token=TOKEN) as running:
            running.service.history.barrier.patience_seconds = 0
            yield running


def test_stuck_work_shows_in_the_metrics(web: LiveService):
    with web.client() as client:
        client.open_ticket()
    with connect(web.service.url) as connection:
        connection.execute(
            "INSERT INTO outbox (id, key, kind, sealed, state, created_at, next_attempt_at)"
            " SELECT gen_random_uuid(), state, 'access_code', '', state, now() - interval '1 hour', 'infinity'"
            " FROM unnest(array['waiting', 'dead', 'sent']) AS s (state)"
        )
        connection.execute(
            "INSERT INTO stripe_inbox (event_id, type, stripe_created, body, state, received_at, next_attempt_at)"
            " SELECT state, 'x', 0, '', state, now() - interval '2 hours', 'infinity'"
            " FROM unnest(array['received', 'dead', 'applied']) AS s (state)"
        )
        connection.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args, status) VALUES"
            " ('steps', 'work', '{\"step\": \"draft\"}', 'failed'), ('steps', 'forget', '{}', 'todo')"
        )
    metrics = Metrics(web)
    assert metrics("storyledger_projection_lag_events", projection="ticket_status") == 1
    assert metrics("storyledger_projection_lag_seconds", projection="ticket_status") > 0
    assert metrics("storyledger_proof_lag_events") == 1
    assert metrics("storyledger_checkpoint_lag_events") == 1
    assert [metrics("storyledger_outbox_mails", state=state) for state in ("waiting", "dead")] == [1, 1]
    assert metrics("storyledger_outbox_oldest_seconds") == pytest.approx(3600, abs=60)
    assert [metrics("storyledger_inbox_events", state=state) for state in ("waiting", "held", "dead")] == [1, 0, 1]
    assert metrics("storyledger_inbox_oldest_seconds") == pytest.approx(7200, abs=60)
    assert metrics("storyledger_jobs", kind="draft", state="failed") == 1
    assert metrics("storyledger_jobs", kind="forget", state="waiting") == 1
    assert metrics("storyledger_jobs", kind="transcribe", state="waiting") == 0


def test_the_service_reports_its_own_metrics_without_a_database(web: LiveService):
    for _, pool in web.service.pools:
        pool.shut()
    try:
        metrics = Metrics(web)
    finally:
        for _, pool in web.service.pools:
            pool.reopen()
    assert metrics("storyledger_database_up") == 0
    assert metrics("storyledger_http_requests_total") > 0
    assert not {name for name in metrics.names if re.match("storyledger_(projection|inbox|jobs|outbox|events)", name)}


@pytest.mark.parametrize("limit", [(gauges, "STATEMENT_SECONDS"), (handler, "QUERY_TIMEOUT_SECONDS")])
def test_a_hanging_database_delays_the_metrics_only_briefly(
    web: LiveService, monkeypatch: pytest.MonkeyPatch, limit: tuple[ModuleType, str]
):
    for module, name in ((gauges, "STATEMENT_SECONDS"), (handler, "QUERY_TIMEOUT_SECONDS")):
        monkeypatch.setattr(module, name, 3 * WAIT_SECONDS)
    # Only the answer with the lock held is limited so briefly, because a busy machine may take longer for the other.
    with connect(web.service.url) as connection, connection.transaction(), monkeypatch.context() as patch:
        connection.execute("LOCK TABLE stripe_inbox IN ACCESS EXCLUSIVE MODE")
        patch.setattr(*limit, 0.1)
        # The answer comes before any other timeout has passed.
        metrics = Metrics(web)
    assert metrics("storyledger_database_up") == 0
    eventually(lambda: Metrics(web)("storyledger_database_up") == 1)


def test_no_label_contains_client_input(lasting: LiveService):
    with lasting.client() as client:
        ticket = client.open_ticket(contactValue="qzkanarix@example.com", displayName="Qzkanarix")
        client.get("/qzkanarix/qzkanarix")
        client.request("DELETE", f"/api/tickets/{ticket.id}", headers={"X-Request-Id": "qzkanarix"})
        client.get("/d/qzkanarix", headers={"User-Agent": "qzkanarix"})
        client.get("/problems/qzkanarix")
    metrics = Metrics(lasting)
    values = " ".join(value for _, labels in metrics.samples() for _, value in labels)
    assert "qzkanarix" not in metrics.answer.text.lower()
    assert ticket.id not in values
    assert not re.search(r"[0-9a-f]{8}-|tkt_|@", values)


# The dashboard and the alerts.


def named(text: str) -> set[str]:
    return set(re.findall(r"\b(?:(?:storyledger|process|python)_[a-z_]+|up\b)", text))


def expressions(folder: Path) -> Iterator[tuple[str, str]]:
    dashboard = json.loads((folder / "dashboard.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield f"panel {panel['title']}", target["expr"]
    for line in (folder / "alerts.yml").read_text().splitlines():
        if match := re.match(r"\s+expr: (.*)", line):
            yield "alert", match[1]


def test_every_metric_that_the_dashboard_and_the_alerts_name_exists(lasting: LiveService):
    metrics = Metrics(lasting)
    # Metrics that Prometheus itself adds.
    names = metrics.names | kinds(metrics.answer) | {"up"}
    all_expressions = list(expressions(DATA))
    assert len(all_expressions) > 30
    for place, expression in all_expressions:
        assert named(expression), place
        assert named(expression) <= names, f"{place}: {named(expression) - names}"


def kinds(answer: httpx2.Response) -> set[str]:
    """Return the names of all samples of the described families, including those that have no sample yet."""
    names = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", answer.text, re.MULTILINE):
        suffixes = ("_bucket", "_count", "_sum") if kind == "histogram" else ("",)
        names |= {name + suffix for suffix in suffixes}
    return names


def test_the_dashboard_shows_every_metric(lasting: LiveService):
    names_in_dashboard = {
        name for place, expression in expressions(DATA) if place != "alert" for name in named(expression)
    }
    own_names = {name for name in kinds(Metrics(lasting).answer) if name.startswith("storyledger_")}
    left_out = {name for name in own_names - names_in_dashboard if not name.endswith(("_count", "_sum"))}
    assert left_out == set()
