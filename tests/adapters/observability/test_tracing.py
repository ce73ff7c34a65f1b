"""One trace covers a request, its events, its jobs and its mails. Without tracing, nothing is recorded."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from adapters.observability import tracing
from entrypoints.composition import content as composition_content
from entrypoints.composition.service import Parts
from tests.client import RECORDING, LiveService, eventually
from tests.fakes.speech import FakeTranscriber
from tests.postgres import fresh_database
from tests.stripe_events import Payment

ROOT = Path(__file__).parents[3]


class Spans:
    """Collects finished spans by name."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()

    def __call__(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.name == name]


@pytest.fixture
def spans() -> Iterator[Spans]:
    recorded = Spans()
    assert tracing.start("1", SimpleSpanProcessor(recorded.exporter))
    yield recorded
    tracing.stop()


@pytest.fixture(scope="module")
def live(server_url: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    """Return the service of all these tests. It hears the same words in every recording."""
    with pytest.MonkeyPatch.context() as patch, fresh_database(server_url, migrated_template) as url:
        patch.setattr(composition_content, "_local_transcriber", lambda _: FakeTranscriber())
        with LiveService(url, tmp_path_factory.mktemp("live") / "var", Parts.ALL) as running:
            yield running


def linked(span: ReadableSpan) -> set[int]:
    return {link.context.span_id for link in span.links}


def test_one_trace_covers_the_request_its_events_and_all_jobs(spans: Spans, live: LiveService):
    with live.client() as client:
        ticket = client.open_ticket(contactValue="qzkanarix@example.com", displayName="Qzkanarix")
        assert ticket.upload(RECORDING.read_bytes()).status_code == 200
        assert ticket.post("/process").status_code == 202
        eventually(lambda: len(spans("job")) == 3)
    [request] = eventually(lambda: spans("POST /api/tickets/{ticket_id}/process"))
    jobs = spans("job")
    assert [job.attributes["storyledger.step"] for job in jobs] == ["transcribe", "analyse", "draft"]
    trace = request.context.trace_id
    assert {job.context.trace_id for job in jobs} == {trace}
    appends = {span.context.span_id: span for span in spans("append") if span.context.trace_id == trace}
    assert appends[jobs[0].parent.span_id].parent.span_id == request.context.span_id
    for earlier, later in pairwise(jobs):
        assert appends[later.parent.span_id].parent.span_id == earlier.context.span_id
    assert request.attributes["http.response.status_code"] == 202
    assert request.attributes["storyledger.ticket"] == ticket.id
    append = appends[jobs[0].parent.span_id]
    assert append.attributes["storyledger.topics"] == ("processing_requested",)
    # A projection may fold an event just before its append is linkable, so a page may lack that link.
    assert eventually(lambda: [page for page in spans("projection batch") if linked(page) & appends.keys()])
    assert_no_personal_data(spans)


def assert_no_personal_data(spans: Spans) -> None:
    for span in spans.exporter.get_finished_spans():
        assert "qzkanarix" not in span.to_json().lower()
        assert not span.events


def test_an_applied_webhook_is_linked_to_its_delivery(spans: Spans, live: LiveService):
    with live.client() as client:
        ticket = client.open_ticket()
        event = Payment(UUID(ticket.id)).completed()
        assert live.webhook(event).status_code == 200
        live.applied()
    [delivery] = eventually(lambda: spans("POST /api/webhooks/stripe"))
    assert delivery.attributes["storyledger.stripe_event"] == event["id"]
    applied = eventually(lambda: spans("apply webhooks"))
    assert [delivery.context.span_id] == [id for span in applied for id in linked(span)]


def two_mails(spans: Spans, ticket_id: str) -> list[ReadableSpan] | None:
    mails = [mail for mail in spans("mail") if mail.attributes["storyledger.ticket"] == ticket_id]
    return mails if len(mails) == 2 else None


def test_a_mail_belongs_to_the_trace_of_the_request_that_queued_it(spans: Spans, live: LiveService):
    with live.client() as client, live.client(live.service.secrets.admin_key) as admin:
        ticket = client.open_ticket(contactValue="old-qzkanarix@example.com")
        path = f"/admin/profiles/{ticket.id}/approve-reset"
        assert admin.post(path, json={"newContactValue": "new-qzkanarix@example.com"}).status_code == 200
        mails = eventually(lambda: two_mails(spans, ticket.id))
    [request] = eventually(lambda: spans("POST /admin/profiles/{ticket_id}/approve-reset"))
    for mail in mails:
        assert mail.context.trace_id == request.context.trace_id
        assert mail.attributes["storyledger.outcome"] == "sent"
    assert_no_personal_data(spans)


def test_a_client_cannot_choose_its_trace(spans: Spans, live: LiveService):
    client_trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    with live.client() as client:
        client.get("/health/live", headers={"traceparent": f"00-{client_trace}-00f067aa0ba902b7-01"})
    [request] = eventually(lambda: spans("GET /health/live"))
    assert request.parent is None
    assert f"{request.context.trace_id:032x}" != client_trace


def test_a_span_records_the_type_of_an_error_and_not_its_message(spans: Spans):
    with pytest.raises(ValueError, match="qzkanarix"), tracing.span("something"):
        raise ValueError("qzkanarix")
    [span] = spans("something")
    assert span.attributes == {"error.type": "ValueError"}
    assert_no_personal_data(spans)


@pytest.mark.parametrize("parent", ["", "nonsense", "00-0-0-0", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"])
def test_an_invalid_traceparent_begins_a_new_trace(spans: Spans, parent: str):
    with tracing.span("something", parent=parent):
        assert tracing.traceparent() is not None
    [span] = spans("something")
    assert span.parent is None


def test_a_traceparent_continues_the_trace(spans: Spans):
    with tracing.span("first"):
        traceparent = tracing.traceparent()
    with tracing.span("second", parent=traceparent):
        pass
    [first], [second] = spans("first"), spans("second")
    assert second.parent.span_id == first.context.span_id
    assert second.context.trace_id == first.context.trace_id


def test_only_the_latest_spans_are_linkable_and_the_number_of_links_is_limited(spans: Spans):
    with tracing.span("old"):
        tracing.make_linkable("old")
    for number in range(tracing.MOST_LINKABLE):
        tracing.make_linkable(number)
    for number in range(tracing.MOST_LINKS + 1):
        with tracing.span("new"):
            tracing.make_linkable(number)
    tracing.record_span("page", tracing.now_ns(), links=["old", *range(1000)])
    [page] = spans("page")
    assert len(page.links) == tracing.MOST_LINKS
    assert spans("old")[0].context.span_id not in linked(page)


def test_without_tracing_every_call_does_nothing():
    with tracing.span("something", parent="x", links=["y"], ticket="z") as span:
        span.rename("else")
        span.set_attributes(position=1)
        tracing.make_linkable("y")
        tracing.record_span("page", tracing.now_ns(), links=["y"])
        assert tracing.traceparent() is None
    tracing.stop()


def test_without_tracing_opentelemetry_is_not_imported():
    code = (
        "import sys, entrypoints.cli.serving, adapters.observability.tracing as t\n"
        "t.span('x').__enter__()\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_tracing_cannot_start_without_opentelemetry():
    code = (
        "import sys\nsys.modules['opentelemetry'] = None\n"
        "import adapters.observability.tracing as t\n"
        "assert not t.start('1') and not t.is_enabled()"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
