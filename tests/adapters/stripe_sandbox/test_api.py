"""The sandbox's API answers callers other than Stripe's library correctly."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
import stripe
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from adapters.payments.gateway import StripeGateway
from adapters.stripe_sandbox import Sandbox
from entrypoints.http.sandbox_pages import sandbox_routes
from tests.adapters.payments.test_gateway import gift
from tests.client import WAIT_SECONDS, free_port
from tests.fakes.sandbox_world import API_KEY, SECRET
from tests.serving import serving

SESSION = {
    "mode": "payment",
    "line_items[0][quantity]": "2",
    "line_items[0][price_data][currency]": "usd",
    "line_items[0][price_data][unit_amount]": "2500",
    "line_items[0][price_data][product_data][name]": "Well",
    "success_url": "https://example.com/thanks",
}


@pytest.fixture
def call(world):
    def send(method: str, path: str, data=None, key: str | None = API_KEY, **headers: str):
        authorization = {} if key is None else {"Authorization": f"Bearer {key}"}
        url = f"{world.url}/sandbox/stripe/v1/{path}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return requests.request(method, url, data=data, headers=authorization | named, timeout=WAIT_SECONDS)

    return send


def fault(answer) -> tuple[int, str | None, str | None]:
    error = answer.json()["error"]
    return answer.status_code, error.get("code"), error.get("param")


@pytest.mark.parametrize("key", [None, "", "sk_test_other", API_KEY + "x", "ü"])
def test_requests_without_the_api_key_are_refused(call, key):
    answer = call("POST", "checkout/sessions", SESSION, key and key.encode().decode("latin-1"))
    assert answer.status_code == 401
    assert "sk_test" not in answer.text


def test_a_session_made_by_hand_is_a_session(call):
    answer = call("POST", "checkout/sessions", SESSION)
    assert answer.status_code == 200
    assert answer.json()["amount_total"] == 5000
    assert answer.headers["Request-Id"].startswith("req_")


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"mode": "setup"}, None, "mode"),
        ({"mode": None}, "parameter_missing", "mode"),
        ({"success_url": "javascript:alert(1)"}, None, "success_url"),
        ({"success_url": "https://a b/"}, None, "success_url"),
        ({"success_url": "https:///nowhere"}, None, "success_url"),
        ({"cancel_url": "//example.com"}, None, "cancel_url"),
        ({"unknown": "1"}, "parameter_unknown", "unknown"),
        ({"metadata[a]": "x" * 501}, None, "metadata[a]"),
        ({f"metadata[{number}k]": "1" for number in range(51)}, None, "metadata"),
        ({"metadata": "x"}, None, "metadata"),
        ({"metadata[a]": "\x00"}, None, "metadata[a]"),
        ({"line_items[0][quantity]": "0"}, "parameter_invalid_integer", "line_items[0][quantity]"),
        ({"line_items[0][quantity]": "1.5"}, "parameter_invalid_integer", "line_items[0][quantity]"),
        ({"line_items[0][quantity]": "9" * 5000}, "parameter_invalid_integer", "line_items[0][quantity]"),
        (
            {"line_items[0][price_data][unit_amount]": "-1"},
            "parameter_invalid_integer",
            "line_items[0][price_data][unit_amount]",
        ),
        ({"line_items[1][quantity]": "1"}, None, "line_items"),
        ({"line_items[0]": "x"}, None, "line_items"),
        ({"line_items[0][price_data][product_data][name]": ""}, "parameter_invalid_empty", None),
        ({"expires_at": "1"}, None, "expires_at"),
        ({"expires_at": "99999999999"}, None, "expires_at"),
        ({"a[b][c][d][e][f][g][h]": "1"}, None, None),
        ({"[]": "1"}, None, None),
        ({"a[": "1"}, None, None),
    ],
)
def test_a_parameter_stripe_would_not_take_is_named(call, change, code, param):
    data = {name: value for name, value in (SESSION | change).items() if value is not None}
    status, error_code, named = fault(call("POST", "checkout/sessions", data))
    assert (status, error_code) == (400, code)
    assert param is None or named == param


@pytest.mark.parametrize("body", [b"\xff\xfe", b"a=%ff", b"&".join([b"a=1"] * 500), b"mode=payment&mode=payment", b"a"])
def test_a_body_that_is_no_form_is_refused(call, body):
    assert fault(call("POST", "checkout/sessions", body))[0] == 400


def test_a_body_beyond_all_bounds_is_refused(call):
    assert call("POST", "checkout/sessions", b"a=" + b"x" * 100_000).status_code == 413


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "customers"),
        ("GET", ""),
        ("GET", "charges/ch_1/refunds"),
        ("POST", "charges"),
        ("POST", "events"),
        ("DELETE", "refunds/re_1"),
        ("PUT", "checkout/sessions"),
        ("GET", "checkout"),
    ],
)
def test_an_unsupported_request_is_answered_as_unrecognized(call, method, path):
    assert fault(call(method, path))[0] == 404


def test_the_same_key_and_form_get_the_same_answer_marked_as_replayed(call):
    first, second = (call("POST", "checkout/sessions", SESSION, Idempotency_Key="k") for _ in range(2))
    assert first.json() == second.json()
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert second.headers["Idempotency-Key"] == "k"


def test_the_same_key_with_another_form_is_an_idempotency_error(call):
    call("POST", "checkout/sessions", SESSION, Idempotency_Key="k")
    answer = call("POST", "checkout/sessions", SESSION | {"metadata[a]": "b"}, Idempotency_Key="k")
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "idempotency_error")


def test_a_key_used_on_a_refused_request_is_free_again(call):
    assert call("POST", "checkout/sessions", SESSION | {"mode": "x"}, Idempotency_Key="k").status_code == 400
    assert call("POST", "checkout/sessions", SESSION, Idempotency_Key="k").status_code == 200


def test_sixteen_at_once_with_one_key_make_one_session(call):
    with ThreadPoolExecutor(16) as threads:
        answers = threads.map(lambda _: call("POST", "checkout/sessions", SESSION, Idempotency_Key="k"), range(16))
    assert len({answer.json()["id"] for answer in answers}) == 1


def test_a_key_beyond_255_characters_is_refused(call):
    assert fault(call("POST", "checkout/sessions", SESSION, Idempotency_Key="k" * 256))[0] == 400


def test_expanded_ids_become_their_objects(world, call):
    session = world.sandbox.pay(world.gateway.open(gift()).session_id)
    path = "expand[]=payment_intent.latest_charge.balance_transaction"
    expanded = call("GET", f"checkout/sessions/{session['id']}?{path}").json()
    assert expanded["payment_intent"]["latest_charge"]["balance_transaction"]["fee"] == 175
    listed = call("GET", "charges?expand[0]=data.payment_intent").json()
    assert listed["data"][0]["payment_intent"]["amount"] == 5000
    assert fault(call("GET", "charges?expand[]=data.nonsense"))[0] == 400


def test_lists_are_filtered_and_paged(world, call):
    sessions = [world.sandbox.pay(world.gateway.open(gift()).session_id) for _ in range(3)]
    intent = sessions[1]["payment_intent"]
    assert [charge["payment_intent"] for charge in call("GET", f"charges?payment_intent={intent}").json()["data"]] == [
        intent
    ]
    first = call("GET", "checkout/sessions?limit=2").json()
    assert (len(first["data"]), first["has_more"], first["url"]) == (2, True, "/v1/checkout/sessions")
    next_page = call("GET", f"checkout/sessions?limit=2&starting_after={first['data'][-1]['id']}").json()
    assert ([listed["id"] for listed in next_page["data"]], next_page["has_more"]) == ([sessions[0]["id"]], False)
    only = call("GET", "events?type=checkout.session.completed").json()["data"]
    assert [event["type"] for event in only] == ["checkout.session.completed"] * 3


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "starting_after=evt_unknown", "created[gte]=x", "created[eq]=1", "x=1"]
)
def test_a_list_asked_for_badly_is_refused(call, query):
    assert fault(call("GET", f"events?{query}"))[0] in (400, 404)


def test_the_library_expires_a_session(world):
    client = stripe.StripeClient(API_KEY, base_addresses={"api": f"{world.url}/sandbox/stripe"})
    opened = world.gateway.open(gift())
    assert client.v1.checkout.sessions.expire(opened.session_id).status == "expired"
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.checkout.sessions.expire(opened.session_id)


def test_requests_that_hold_every_thread_of_the_process_still_reach_the_sandbox(world):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    sandbox = Sandbox(world.pool.connection, url, f"{url}/webhook", SECRET, API_KEY)
    gateway = StripeGateway(API_KEY, f"{url}/sandbox/stripe", retries=0)
    together = threading.Barrier(40)

    def give(_):
        together.wait(WAIT_SECONDS)
        return JSONResponse({"id": gateway.open(gift()).session_id})

    app = Starlette(routes=[*sandbox_routes(sandbox), Route("/give", give, methods=["POST"])])
    with serving(app, port), ThreadPoolExecutor(40) as threads:
        answers = list(threads.map(lambda _: requests.post(f"{url}/give", timeout=WAIT_SECONDS), range(40)))
    assert [answer.status_code for answer in answers] == [200] * 40
