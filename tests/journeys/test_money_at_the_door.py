"""The webhook endpoint applies each event once, however often it is delivered, and refuses hostile requests."""

from __future__ import annotations

import json
import threading
import time
from typing import Any
from uuid import UUID, uuid4

from adapters.payments.webhooks import sign
from tests.client import LiveService
from tests.journeys.money_service import live
from tests.stripe_events import Payment, event

__all__ = ["live"]

PATH = "/api/webhooks/stripe"


def gift(live: LiveService, amount: int = 100) -> tuple[Any, Payment]:
    """Return a payment whose checkout is open, and about which no event has arrived."""
    with live.client() as visitor:
        ticket = visitor.open_ticket()
        checkout = ticket.pay(amount)
    payment = Payment(UUID(ticket.id), amount * 100, donation_id=UUID(checkout["donationId"]))
    payment.session_id = checkout["checkoutSessionId"]
    payment.metadata = {"ticketId": ticket.id, "donationId": checkout["donationId"]}
    return ticket, payment


def test_twenty_simultaneous_deliveries_of_one_event_have_one_effect_and_are_all_acknowledged(live: LiveService):
    ticket, payment = gift(live)
    stripe_event, answers, rows_before = payment.completed(), [], live.row_count("stripe_inbox")

    def deliver() -> None:
        answers.append(live.webhook(stripe_event))

    threads = [threading.Thread(target=deliver) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    live.applied()

    assert [answer.status_code for answer in answers] == [200] * 20
    assert sum("idempotent" not in answer.json() for answer in answers) == 1
    assert live.row_count("stripe_inbox") == rows_before + 1
    total = ticket.get("/donations/total").json()
    assert (total["totalMinor"], total["counts"]["paid"]) == (10_000, 1)
    history = ticket.get("/history", params={"limit": 100}).json()["events"]
    assert [e["type"] for e in history].count("PaymentReceived") == 1


def test_hostile_webhooks_are_refused_and_leave_no_trace(live: LiveService):
    good = json.dumps(Payment(uuid4()).completed()).encode()
    now, secret, rows_before = time.time(), live.webhook_secret, live.row_count("stripe_inbox")

    def signed(body: bytes, at: float = now) -> tuple[bytes, Any]:
        return body, sign(body, secret, at)

    knocks: list[tuple[bytes, Any]] = [
        (good, None),
        (good, ""),
        (good, "t=1"),
        (good, "v1=abc"),
        (good, "t=,v1="),
        (good, f"t={int(now)},v1={'0' * 64}"),
        (good, "t=99999999999999999999,v1=00"),
        (good, "tést=ü".encode("latin-1")),
        (good, b"t=1,v1=\xff\xfe"),
        (good, sign(good, "whsec_somebody_else", now)),
        (good + b" ", sign(good, secret, now)),
        signed(good, now - 301),
        signed(good, now + 3_600),
        signed(b""),
        signed(b"{}"),
        signed(b"[]"),
        signed(b"null"),
        signed(b"\xff\xfe{}"),
        signed(b'{"a":' * 5_000 + b"1" + b"}" * 5_000),
        signed(b"[" * 100_000),
        signed(good.replace(b'"livemode": false', b'"livemode": true')),
        signed(good.replace(b'"livemode": false', b'"livemode": "no"')),
        signed(good.replace(b'"object": "event"', b'"object": "thing"')),
        signed(good[:-1] + b', "id": "evt_twice"}'),
        signed(json.dumps(json.loads(good) | {"id": "evt_\u0000"}).encode()),
        signed(json.dumps(json.loads(good) | {"id": 5}).encode()),
        signed(json.dumps(json.loads(good) | {"created": 10**30}).encode()),
        signed(json.dumps(json.loads(good) | {"x": float("nan")}).encode()),
        signed(b'{"object":"event","id":"evt_1","x":"\\ud800"}'),
    ]
    with live.client() as stripe:
        for body, header in knocks:
            headers = {} if header is None else {"Stripe-Signature": header}
            answer = stripe.post(PATH, content=body, headers=headers)
            assert answer.status_code == 400, (body[:60], header)
            assert answer.json()["type"] == "/problems/malformed"
        assert stripe.post(PATH, content=b"x" * (256 * 1024 + 1)).status_code in (400, 413)
    assert live.row_count("stripe_inbox") == rows_before


def test_the_webhook_endpoint_has_three_paths(live: LiveService):
    with live.client() as stripe:
        for path in (PATH, "/webhooks/stripe", "/api/payments/stripe-webhook"):
            # Of a type that is not used, so that Stripe is asked about nothing later.
            body = json.dumps(event("payout.paid", {"id": "po_1", "object": "payout"})).encode()
            headers = {"Stripe-Signature": sign(body, live.webhook_secret, time.time())}
            answer = stripe.post(path, content=body, headers=headers)
            assert (answer.status_code, answer.json()["received"]) == (200, True), path
