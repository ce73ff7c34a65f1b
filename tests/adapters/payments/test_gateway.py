"""The gateway works with Stripe's real library against a running sandbox."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from adapters.payments.gateway import StripeGateway
from adapters.stripe_sandbox import Outcome
from domain.errors import InvalidError, NotFoundError, RefusedError, UnavailableError
from domain.ports import CheckoutRequest
from domain.values import Money
from tests.serving import serving

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def gift(minor: int = 5000, currency: str = "USD", description: str = "Rebuild the well") -> CheckoutRequest:
    return CheckoutRequest(
        ticket_id=uuid4(),
        donation_id=uuid4(),
        amount=Money(minor, currency),
        description=description,
        return_url="http://127.0.0.1:9/thanks?session={CHECKOUT_SESSION_ID}",
        cancel_url="http://127.0.0.1:9/",
    )


def test_a_checkout_carries_ticket_and_donation_on_session_and_intent(world):
    request = gift()
    opened = world.gateway.open(request)
    world.sandbox.pay(opened.session_id)
    session = world.gateway.retrieve(opened.session_id)
    intent = world.gateway.retrieve(session["payment_intent"])
    ids = {"ticketId": str(request.ticket_id), "donationId": str(request.donation_id)}
    assert session["metadata"] == intent["metadata"] == ids
    assert session["client_reference_id"] == str(request.donation_id)
    assert (session["amount_total"], session["currency"]) == (5000, "usd")


def test_an_open_checkout_has_a_page_and_lasts_a_day(world):
    opened = world.gateway.open(gift())
    assert opened.session_id.startswith("cs_test_")
    assert opened.url == f"{world.url}/sandbox/pay/{opened.session_id}"
    assert timedelta(hours=23) < opened.expires_at - datetime.now(UTC) <= timedelta(hours=24)
    assert opened.livemode is False


def test_a_repeated_request_returns_the_same_checkout(world):
    request = gift()
    assert world.gateway.open(request) == world.gateway.open(request)


def test_sixteen_simultaneous_requests_open_one_checkout(world):
    request = gift()
    with ThreadPoolExecutor(16) as threads:
        opened = {checkout.session_id for checkout in threads.map(world.gateway.open, [request] * 16)}
    assert len(opened) == 1
    assert len(world.sandbox.overview()["payments"]) == 1


def test_a_repeated_request_with_another_amount_is_refused(world):
    request = gift()
    world.gateway.open(request)
    with pytest.raises(RefusedError):
        world.gateway.open(replace(request, amount=Money(6000, "USD")))


@pytest.mark.parametrize(("minor", "currency"), [(1000, "JPY"), (12340, "KWD"), (99_999_999, "EUR")])
def test_every_kind_of_currency_is_sent_in_its_smallest_unit(world, minor, currency):
    session = world.gateway.retrieve(world.gateway.open(gift(minor, currency)).session_id)
    assert (session["amount_total"], session["currency"]) == (minor, currency.lower())


@pytest.mark.parametrize(
    ("minor", "currency", "pointer"),
    [(1, "USD", "/amount"), (100_000_000, "USD", "/amount"), (12345, "KWD", "/amount"), (5000, "XYZ", "/currency")],
)
def test_an_invalid_request_names_the_field_that_stripe_refused(world, minor, currency, pointer):
    with pytest.raises(InvalidError) as refused:
        world.gateway.open(gift(minor, currency))
    assert refused.value.pointer == pointer


@pytest.mark.parametrize("description", ["", " \n ", "w" * 5000, "Ein 'Zitat' & <b>mehr</b> 🎈[a]=%5B"])
def test_any_description_fits_on_a_checkout(world, description):
    opened = world.gateway.open(gift(description=description))
    product = world.sandbox.session(opened.session_id)["product"]
    assert product == (" ".join(description.split())[:250] or "Donation")


def test_an_open_checkout_is_expired_and_a_repetition_has_the_same_result(world):
    opened = world.gateway.open(gift())
    assert [world.gateway.expire(opened.session_id) for _ in range(2)] == [True, True]
    with pytest.raises(RefusedError, match="no longer open"):
        world.sandbox.pay(opened.session_id)


@pytest.mark.parametrize("outcome", [Outcome.PAID, Outcome.PAID_LATER])
def test_a_checkout_that_was_paid_is_not_expired(world, outcome: Outcome):
    opened = world.gateway.open(gift())
    world.sandbox.pay(opened.session_id, outcome)
    assert world.gateway.expire(opened.session_id) is False


def test_an_unknown_checkout_cannot_be_expired(world):
    with pytest.raises(NotFoundError):
        world.gateway.expire("cs_test_unknown")


def test_an_open_checkout_is_found_by_its_donation(world):
    request, another = gift(), gift()
    opened = world.gateway.open(request)
    world.gateway.open(another)
    assert world.gateway.find(request.donation_id, LONG_AGO) == opened
    assert world.gateway.find(uuid4(), LONG_AGO) is None
    assert world.gateway.find(request.donation_id, datetime.now(UTC) + timedelta(hours=2)) is None
    world.sandbox.pay(opened.session_id)
    assert world.gateway.find(request.donation_id, LONG_AGO) is None


def test_a_payment_is_refunded_in_two_parts(world):
    intent = world.sandbox.pay(world.gateway.open(gift()).session_id)["payment_intent"]
    first = world.gateway.refund(intent, Money(2000, "USD"), "r1", {"reason": "asked for"})
    second_refund = world.gateway.refund(intent, Money(3000, "USD"), "r2", {})
    assert (first["amount"], first["status"], first["metadata"]) == (2000, "succeeded", {"reason": "asked for"})
    assert second_refund["amount"] == 3000
    assert world.gateway.retrieve(first["charge"])["refunded"] is True


def test_a_repeated_refund_is_made_once(world):
    intent = world.sandbox.pay(world.gateway.open(gift()).session_id)["payment_intent"]
    refund_ids = [world.gateway.refund(intent, Money(2000, "USD"), "the same key", {})["id"] for _ in range(3)]
    assert len(set(refund_ids)) == 1
    assert world.gateway.retrieve(world.gateway.retrieve(refund_ids[0])["charge"])["amount_refunded"] == 2000


def test_no_more_is_refunded_than_was_paid(world):
    intent = world.sandbox.pay(world.gateway.open(gift()).session_id)["payment_intent"]
    with pytest.raises(RefusedError):
        world.gateway.refund(intent, Money(5001, "USD"), "r1", {})
    world.gateway.refund(intent, Money(5000, "USD"), "r2", {})
    with pytest.raises(RefusedError):
        world.gateway.refund(intent, Money(1, "USD"), "r3", {})


def test_a_disputed_payment_is_not_refunded(world):
    session = world.sandbox.pay(world.gateway.open(gift()).session_id)
    world.sandbox.dispute(session["id"])
    with pytest.raises(RefusedError):
        world.gateway.refund(session["payment_intent"], Money(5000, "USD"), "r1", {})


def test_every_object_of_a_payment_can_be_retrieved_by_its_id(world):
    session = world.sandbox.pay(world.gateway.open(gift()).session_id)
    intent = world.gateway.retrieve(session["payment_intent"])
    charge = world.gateway.retrieve(intent["latest_charge"])
    fee = world.gateway.retrieve(charge["balance_transaction"])
    refund = world.sandbox.refund(session["id"], 100)
    dispute = world.sandbox.dispute(session["id"])
    event = next(world.gateway.objects("evt", LONG_AGO))
    assert (fee["amount"], fee["fee"], fee["net"]) == (5000, 175, 4825)
    for stripe_object in (session, intent, charge, fee, refund, dispute, event):
        retrieved = world.gateway.retrieve(stripe_object["id"])
        assert (retrieved["id"], retrieved["object"]) == (stripe_object["id"], stripe_object["object"])


def test_a_charge_of_a_bank_account_is_retrieved_by_its_other_prefix(world):
    session = world.sandbox.pay(world.gateway.open(gift()).session_id, Outcome.PAID_LATER)
    world.sandbox.settle(session["id"])
    charge = world.gateway.retrieve(world.gateway.retrieve(session["payment_intent"])["latest_charge"])
    assert charge["id"].startswith("py_")
    assert charge["payment_method_details"]["type"] == "us_bank_account"


@pytest.mark.parametrize("id", ["", "cs_test_unknown", "zz_1", "pi_../../charges", "evt_ü", "ch_" + "x" * 300, "pi"])
def test_an_unknown_id_is_not_found(world, id):
    with pytest.raises(NotFoundError):
        world.gateway.retrieve(id)


def test_events_are_listed_over_several_pages_newest_first(world):
    for _ in range(26):
        world.sandbox.pay(world.gateway.open(gift()).session_id)
    events = list(world.gateway.objects("evt", LONG_AGO))
    assert len({event["id"] for event in events}) == len(events) == 104
    assert events[0]["type"] == "charge.updated"
    assert events[-1]["type"] == "charge.succeeded"


def test_only_events_since_a_time_are_listed(world):
    world.sandbox.pay(world.gateway.open(gift()).session_id)
    assert list(world.gateway.objects("evt", datetime.now(UTC) + timedelta(minutes=1))) == []


def test_all_sessions_and_charges_can_be_listed(world):
    opened = [world.gateway.open(gift()).session_id for _ in range(3)]
    world.sandbox.pay(opened[0])
    assert [stripe_object["id"] for stripe_object in world.gateway.objects("cs", LONG_AGO)] == opened[::-1]
    assert [stripe_object["amount"] for stripe_object in world.gateway.objects("ch", LONG_AGO)] == [5000]


def test_an_unreachable_service_is_unavailable():
    with pytest.raises(UnavailableError):
        StripeGateway("sk_test_x", "http://127.0.0.1:9", retries=0).open(gift())


@pytest.mark.parametrize(
    "answer",
    [
        JSONResponse({"error": {"type": "api_error", "message": "sk_test_secret"}}, 500),
        JSONResponse({"error": {"type": "invalid_request_error", "message": "slow down"}}, 429),
        JSONResponse({"error": {"type": "invalid_request_error", "message": "sk_test_secret"}}, 401),
        PlainTextResponse("<html>sk_test_secret"),
        JSONResponse({"error": {"type": "invalid_request_error", "message": "Unrecognized URL"}}, 404),
        PlainTextResponse("", 502),
        PlainTextResponse("", 301, {"Location": "https://example.com/"}),
    ],
)
def test_a_service_with_invalid_answers_is_unavailable_and_quoted_nowhere(answer, caplog):
    async def reply(_):
        return answer

    caplog.set_level(logging.DEBUG)
    app = Starlette(routes=[Route("/{path:path}", reply, methods=["POST"])])
    with serving(app) as url, pytest.raises(UnavailableError) as away:
        StripeGateway("sk_test_secret", url, retries=0).open(gift())
    assert "sk_test" not in str(away.value)
    assert "sk_test" not in caplog.text


def test_a_wrong_key_appears_in_no_error_and_no_log(world, caplog):
    with pytest.raises(UnavailableError) as away:
        StripeGateway("sk_test_another", f"{world.url}/sandbox/stripe", retries=0).open(gift())
    assert "sk_test" not in str(away.value) + caplog.text


def test_neither_proxies_nor_netrc_of_the_environment_are_used(world, monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert world.gateway.open(gift()).session_id


def test_a_call_of_the_gateway_writes_nothing_into_the_home_folder(world, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    world.gateway.open(gift())
    assert list(tmp_path.iterdir()) == []


def test_one_gateway_serves_many_threads(world):
    barrier = threading.Barrier(8)

    def open_one(_: int) -> str:
        barrier.wait()
        return world.gateway.open(gift()).session_id

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(open_one, range(8)))) == 8


def test_a_rate_limited_call_is_retried_a_little_later(world):
    answers = [
        JSONResponse({"error": {"type": "invalid_request_error", "code": "rate_limit"}}, 429),
        JSONResponse({"object": "list", "data": [], "has_more": False, "url": "/v1/events"}),
    ]

    async def reply(_):
        return answers.pop(0)

    with serving(Starlette(routes=[Route("/{path:path}", reply)])) as url:
        assert list(StripeGateway("sk_test_secret", url).objects("evt", LONG_AGO)) == []
    assert answers == []


@pytest.mark.parametrize("code", ["insufficient_funds", "resource_already_exists", None])
def test_a_refund_that_stripe_refuses_for_any_reason_is_refused(code):
    async def reply(_):
        return JSONResponse({"error": {"type": "invalid_request_error", "code": code, "message": "your balance"}}, 400)

    app = Starlette(routes=[Route("/{path:path}", reply, methods=["POST"])])
    with serving(app) as url, pytest.raises(RefusedError) as refused:
        StripeGateway("sk_test_secret", url, retries=0).refund("pi_1", Money(500, "USD"), "key", {})
    assert str(refused.value) == "The payment service does not accept this refund."
