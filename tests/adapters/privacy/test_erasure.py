"""An erasure removes all personal data, whatever is written at the same time, and keeps the amounts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, BinaryIO
from uuid import UUID, uuid4

import pytest

from adapters.encryption.ticket_keys import CACHE_SECONDS
from domain.commands.recordings import Upload
from domain.errors import NotFoundError, StaleVersionError
from domain.values import SYSTEM, AudioFacts, Content, DocumentFormat, DocumentType, Step
from entrypoints.composition.service import Service
from tests.fakes.speech import TRANSCRIPT, FakeTranscriber
from tests.money import Ledger
from tests.stripe_events import Payment, event

SOUND = b"a recording of somebody" * 100
FACTS = AudioFacts("audio/webm", 1_000)


@pytest.fixture
def ledger(service: Service) -> Ledger:
    return Ledger(service)


@pytest.fixture
def ticket(ledger: Ledger) -> UUID:
    return ledger.ticket()


def stored(service: Service) -> list[str]:
    return sorted(service.content.storage.keys())


def upload(service: Service, ticket: UUID, data: bytes = SOUND, if_match: int | None = None) -> Content:
    upload = Upload(uuid4(), BytesIO(data), FACTS, "story.webm")
    return service.commands.recordings.upload(SYSTEM, ticket, upload, if_match)


def erase_before(service: Service, ticket: UUID, monkeypatch: pytest.MonkeyPatch, act: str) -> None:
    """Erase the ticket in another process just before this one calls `act` of the storage."""
    real = getattr(service.content.storage, act)

    def late(*arguments: Any) -> Any:
        monkeypatch.setattr(service.content.storage, act, real)
        service.commands.tickets.erase(SYSTEM, ticket)
        return real(*arguments)

    monkeypatch.setattr(service.content.storage, act, late)


def test_the_key_is_destroyed_with_the_event_even_if_every_other_step_fails(
    service: Service, ticket: UUID, monkeypatch: pytest.MonkeyPatch
):
    def crash(_: UUID) -> None:
        raise SystemExit

    upload(service, ticket)
    monkeypatch.setattr(service.commands.tickets.erasure, "complete", crash)
    with pytest.raises(SystemExit):
        service.commands.tickets.erase(SYSTEM, ticket)
    assert not service.history.keys.key_exists(ticket)
    with service.database.connection() as connection:
        [(task, args)] = connection.execute(
            "SELECT task_name, args FROM procrastinate_jobs WHERE task_name = 'forget'"
        ).fetchall()
    assert (task, args) == ("forget", {"ticket": str(ticket)})
    monkeypatch.undo()
    # The erasure job.
    service.commands.tickets.finish_erasure(ticket)
    assert stored(service) == []


def test_a_destroyed_key_is_cached_for_at_most_five_seconds():
    assert CACHE_SECONDS <= 5


@pytest.mark.parametrize("act", ["exists", "put"])
def test_a_recording_that_is_uploaded_during_the_erasure_leaves_nothing(
    service: Service, ticket: UUID, monkeypatch: pytest.MonkeyPatch, act: str
):
    erase_before(service, ticket, monkeypatch, act)
    with pytest.raises(NotFoundError):
        upload(service, ticket)
    assert stored(service) == []


@pytest.mark.parametrize("act", ["exists", "put"])
def test_a_job_that_runs_during_the_erasure_leaves_nothing(
    service: Service, ticket: UUID, monkeypatch: pytest.MonkeyPatch, act: str
):
    upload(service, ticket)
    service.commands.recordings.process(SYSTEM, ticket)
    [recording] = service.aggregates.tickets.get(ticket).recordings
    erase_before(service, ticket, monkeypatch, act)
    working = replace(service.commands.recordings, transcriber=FakeTranscriber(TRANSCRIPT))
    with pytest.raises(NotFoundError):
        working.run_step(Step.TRANSCRIBE, ticket, recording.id, lambda _: None)
    assert stored(service) == []
    assert [entry.topic for entry in service.history.log.ticket_events(ticket)][-1] == "erased"


# A refused upload leaves no object behind.


def test_a_recording_refused_for_a_stale_version_is_not_stored(service: Service, ticket: UUID):
    first_recording = upload(service, ticket, b"first")
    with pytest.raises(StaleVersionError):
        upload(service, ticket, b"second", if_match=1)
    assert stored(service) == [f"tickets/{ticket}/{first_recording.sha256}"]


def test_a_recording_refused_after_a_conflict_is_not_stored(
    service: Service, ticket: UUID, monkeypatch: pytest.MonkeyPatch
):
    keep = service.content.contents.keep

    def renamed_meanwhile(ticket_id: UUID, source: BinaryIO) -> Content:
        service.commands.tickets.rename(SYSTEM, ticket, "Ada")
        return keep(ticket_id, source)

    monkeypatch.setattr(service.content.contents, "keep", renamed_meanwhile)
    version = service.aggregates.tickets.get(ticket).version
    with pytest.raises(StaleVersionError):
        upload(service, ticket, if_match=version)
    assert stored(service) == []


def test_a_recorded_file_stays_when_an_upload_of_the_same_bytes_is_refused(service: Service, ticket: UUID):
    content = upload(service, ticket)
    with pytest.raises(StaleVersionError):
        upload(service, ticket, if_match=1)
    with service.content.contents.open(ticket, content) as stream:
        assert stream.read() == SOUND


def test_content_discarded_by_one_request_stays_for_another_that_recorded_it(
    service: Service, ticket: UUID, monkeypatch: pytest.MonkeyPatch
):
    discard = service.content.contents.discard

    def noted_meanwhile(ticket_id: UUID, content: Content) -> None:
        monkeypatch.undo()
        upload(service, ticket)
        discard(ticket_id, content)

    keep = service.content.contents.keep

    def renamed_meanwhile(ticket_id: UUID, source: BinaryIO) -> Content:
        monkeypatch.setattr(service.content.contents, "keep", keep)
        service.commands.tickets.rename(SYSTEM, ticket, "Ada")
        return keep(ticket_id, source)

    monkeypatch.setattr(service.content.contents, "discard", noted_meanwhile)
    monkeypatch.setattr(service.content.contents, "keep", renamed_meanwhile)
    with pytest.raises(StaleVersionError):
        upload(service, ticket, if_match=service.aggregates.tickets.get(ticket).version)
    [recording] = service.aggregates.tickets.get(ticket).recordings
    with service.content.contents.open(ticket, recording.content) as stream:
        assert stream.read() == SOUND


def test_a_document_refused_for_a_stale_version_is_not_stored(service: Service, ticket: UUID):
    service.commands.tickets.edit_draft(SYSTEM, ticket, {"title": "Help", "story": "It burned."})
    order = (SYSTEM, ticket, uuid4(), DocumentType.GOFUNDME_DRAFT, DocumentFormat.DOCX)
    with pytest.raises(StaleVersionError):
        service.commands.documents.generate(*order, dated=datetime.now(UTC), if_match=1)
    assert stored(service) == []


def test_erasure_deletes_the_image_of_the_qr_code(make_service: Callable[..., Service]):
    service = make_service(save_qr_images=True)
    ticket = Ledger(service).ticket()
    service.content.save_qr_image(ticket, "https://stories.example/d/abc")
    assert stored(service) == [f"qr/{ticket}.png"]
    service.commands.tickets.erase(SYSTEM, ticket)
    assert stored(service) == []


# Stripe's events.


def readable(service: Service) -> str:
    """Return all bodies in the inbox that can still be decrypted."""
    bodies = []
    with service.database.connection() as connection:
        rows = connection.execute("SELECT event_id, body, ticket_id, donation_stream FROM stripe_inbox").fetchall()
    for id, body, *owners in rows:
        try:
            bodies.append(service.payments.inbox.open_body(id, bytes(body), *owners).decode() if body else "")
        except NotFoundError:
            continue
    return "\n".join(bodies)


def misunderstood(payment: Payment) -> Iterator[dict[str, Any]]:
    """Return events with personal data that cannot be applied: malformed, or of an unknown donation or business."""
    yield event("charge.succeeded", payment.charge(metadata=payment.metadata, amount_captured="much"))
    unknown = {"ticketId": str(payment.ticket_id), "donationId": str(uuid4())}
    yield event("charge.succeeded", payment.charge(metadata=unknown, id="ch_1", payment_intent="pi_1"))
    yield event("customer.created", {"id": "cus_1", "object": "customer", "name": "Grace Hopper"})
    yield event("charge.failed", payment.charge(status="failed", metadata=payment.metadata))


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_inbox_has_no_readable_donor_data_after_the_erasure(ledger: Ledger, ticket: UUID, when: str):
    payment = ledger.payment(ticket)
    events = [payment.completed(), payment.succeeded(), *misunderstood(payment)]
    if when == "before":
        ledger.take(*events)
        assert "Hopper" in readable(ledger.service)
        ledger.service.commands.tickets.erase(SYSTEM, ticket)
    else:
        ledger.service.commands.tickets.erase(SYSTEM, ticket)
        ledger.take(*events)
    assert "Hopper" not in readable(ledger.service)
    assert "xample.com" not in readable(ledger.service)
    assert ledger.totals(ticket) == {"USD": (10_000, 0, 10_000)}


def test_an_ignored_webhook_is_stored_without_its_body(ledger: Ledger):
    ledger.take(event("customer.created", {"id": "cus_1", "object": "customer", "name": "Grace Hopper"}))
    assert readable(ledger.service) == ""


def test_a_held_payment_for_an_erased_ticket_is_applied_once_it_is_linked(ledger: Ledger, ticket: UUID):
    payment = ledger.payment(ticket)
    early = payment.charge(metadata={"ticketId": str(ticket), "donationId": "later"})
    ledger.take(event("charge.succeeded", early))
    assert list(ledger.inbox().values()) == ["held"]
    ledger.service.commands.tickets.erase(SYSTEM, ticket)
    assert "Hopper" not in readable(ledger.service)
    ledger.take(payment.completed())
    assert ledger.totals(ticket) == {"USD": (10_000, 0, 10_000)}
    # The held event had lost its donor, and the checkout names the donor again.
    assert ledger.view(payment).donor == "Hopper"
    assert set(ledger.inbox().values()) == {"applied"}


def test_an_unmatched_dead_letter_is_erased_by_the_ids_that_it_contains(
    ledger: Ledger, ticket: UUID, monkeypatch: pytest.MonkeyPatch
):
    payment = ledger.payment(ticket)
    ledger.take(payment.completed())
    ledger.deliver(event("charge.updated", payment.charge(metadata={})))
    monkeypatch.setattr(type(ledger.service.payments.applier), "_decide", lambda *_: 1 / 0)
    with ledger.service.database.connection() as connection:
        for _ in range(8):
            ledger.service.payments.applier.apply_batch()
            connection.execute("UPDATE stripe_inbox SET next_attempt_at = now()")
    assert "dead" in ledger.inbox().values()
    assert "Hopper" in readable(ledger.service)
    ledger.service.commands.tickets.erase(SYSTEM, ticket)
    assert "Hopper" not in readable(ledger.service)
    # The money in it can still be applied.
    monkeypatch.undo()
    ledger.service.payments.dead_letters.retry()
    ledger.settle()
    assert set(ledger.inbox().values()) == {"applied"}


# Stored answers.


def test_a_stored_answer_for_a_repeated_request_is_deleted_by_the_erasure(service: Service, ticket: UUID):
    place = ("visitor", "POST /api/tickets/create", "key")
    service.access.idempotency.begin(*place, "body")
    service.access.idempotency.store_answer(*place, b'{"contactValue": "ada@example.com"}', ticket)
    service.commands.tickets.erase(SYSTEM, ticket)
    for _ in range(2):
        with pytest.raises(NotFoundError):
            service.access.idempotency.begin(*place, "body")


def test_an_answer_that_is_ready_after_the_erasure_is_not_stored(service: Service, ticket: UUID):
    place = ("visitor", "POST /api/tickets/create", "key")
    service.access.idempotency.begin(*place, "body")
    service.commands.tickets.erase(SYSTEM, ticket)
    service.access.idempotency.store_answer(*place, b"ada@example.com", ticket)
    with pytest.raises(NotFoundError):
        service.access.idempotency.begin(*place, "body")


def test_stored_idempotency_keys_reveal_neither_caller_nor_key_nor_body(service: Service):
    service.access.idempotency.begin("visitor:@203.0.113.7", "POST /d/quill", "quill@example.com", "quill@example.com")
    with service.database.connection() as connection:
        [row] = connection.execute("SELECT row_to_json(k)::text FROM idempotency_keys k").fetchall()
    # Not hexadecimal, because the digests could contain hexadecimal digits by chance.
    assert not any(text in row[0] for text in ("203.0.113.7", "quill", b"quill@example.com".hex()))
    json.loads(row[0])
