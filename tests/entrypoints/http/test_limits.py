"""The number of calls of one client is limited, and clients are told apart correctly."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from domain.values import Role
from entrypoints.composition.service import Parts
from entrypoints.composition.settings import SettingsError, load
from entrypoints.http.middleware.proxy_headers import proxy_headers
from tests.client import LiveService
from tests.entrypoints.http.contract import Contract, problem
from tests.fakes.clock import StandingClock
from tests.postgres import fresh_database

CREATE = "/api/tickets/create"
BODY = {"contactType": "EMAIL", "contactValue": "ada@example.com"}
LOOPBACK = ("127.0.0.0/8",)


SMALL = {
    "rate_limit_default": "5/minute",
    "rate_limit_payment": "2/minute",
    "rate_limit_create": "3/hour",
    "rate_limit_page": "4/minute",
    "rate_limit_gift": "3/minute",
}


@contextmanager
def running(url: str, folder: Path, **settings: Any) -> Iterator[LiveService]:
    parts = frozenset({Parts.WEB, Parts.PROJECTIONS})
    with LiveService(url, folder / "var", parts, **(SMALL | settings)) as live:
        live.watchers.append(Contract(live.openapi).check)
        yield live


@pytest.fixture(scope="module")
def database_of_all(server_url: str, migrated_template: str) -> Iterator[str]:
    with fresh_database(server_url, migrated_template) as url:
        yield url


@pytest.fixture(scope="module")
def folder_of_all(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("limits")


@pytest.fixture(scope="module")
def with_small_limits(database_of_all: str, folder_of_all: Path) -> Iterator[LiveService]:
    with running(database_of_all, folder_of_all) as live:
        yield live


@pytest.fixture(scope="module")
def days() -> Iterator[int]:
    return count(1)


@pytest.fixture
def limited(
    with_small_limits: LiveService, database_of_all: str, folder_of_all: Path, clock: StandingClock, days: Iterator[int]
) -> Iterator[Callable[..., LiveService]]:
    """Return a function that returns the service with small limits, or runs one with the given ones beside it.

    Each test has a day of its own, on which no call is counted yet.
    """
    clock.now += 86_400 * next(days)
    with ExitStack() as stack:
        yield (
            lambda **settings: (
                stack.enter_context(running(database_of_all, folder_of_all, **settings))
                if settings
                else with_small_limits
            )
        )


def statuses(times: int, send: Callable[[], Any]) -> list[int]:
    return [send().status_code for _ in range(times)]


def test_each_kind_of_call_has_its_own_limit(limited: Callable[..., LiveService]):
    live = limited()
    client = live.client()
    ticket = client.open_ticket()
    url = ticket.publish()  # two calls of the holder
    assert statuses(3, lambda: client.post(CREATE, json=BODY)) == [201, 201, 429]
    assert statuses(6, lambda: client.get("/openapi.json")) == [200] * 5 + [429]
    assert statuses(4, lambda: ticket.get("/status")) == [200, 200, 200, 429]
    pay = {"amount": 5, "currency": "USD"}
    assert statuses(3, lambda: ticket.post("/create-payment", pay)) == [201, 201, 429]
    assert statuses(4, lambda: client.post(url, data={"amount": "5"})) == [303, 303, 303, 429]
    assert statuses(5, lambda: client.get(url)) == [200, 200, 200, 200, 429]
    with live.client_with_key(Role.ADMIN) as admin:
        assert admin.get(ticket.path).status_code == 200


def test_code_requests_have_the_limit_of_new_tickets_and_are_counted_apart(limited: Callable[..., LiveService]):
    with limited().client() as client:
        assert statuses(4, lambda: client.post("/api/access/request", json=BODY)) == [202, 202, 202, 429]
        assert statuses(4, lambda: client.post(CREATE, json=BODY)) == [201, 201, 201, 429]
        verification = {"requestId": "0198c0de-0000-7000-8000-000000000000", "code": "1234 5678"}
        assert statuses(6, lambda: client.post("/api/access/verify", json=verification)) == [401] * 5 + [429]


def test_a_limited_request_gets_retry_after_and_has_no_effect(limited: Callable[..., LiveService]):
    live = limited(rate_limit_create="1/hour")
    with live.client() as client:
        client.post(CREATE, json=BODY)
        events = live.row_count("events")
        answer = client.post(CREATE, json=BODY)
        problem(answer, 429, "too-many-requests")
        assert 3500 < int(answer.headers["retry-after"]) <= 3600
        assert live.row_count("events") == events


def limits_of(answer: Any) -> tuple[str | None, str | None]:
    return answer.headers.get("ratelimit-policy"), answer.headers.get("ratelimit")


def test_every_answer_names_its_limit_and_what_is_left(limited: Callable[..., LiveService], clock: StandingClock):
    live = limited(rate_limit_default="3/minute", rate_limit_create="1/2hours")
    with live.client() as client:
        assert limits_of(client.post(CREATE, json=BODY)) == ('"create";q=1;w=7200', '"create";r=0;t=7200')
        clock.now += 100
        limited_answer = client.post(CREATE, json=BODY)
        assert limits_of(limited_answer) == ('"create";q=1;w=7200', '"create";r=0;t=7100')
        assert limited_answer.headers["retry-after"] == "7100"
        policy = '"default";q=3;w=60'
        assert limits_of(client.get("/openapi.json")) == (policy, '"default";r=2;t=60')
        clock.now += 20
        assert limits_of(client.get("/no-such-path")) == (policy, '"default";r=1;t=40')
        assert limits_of(client.delete("/docs")) == (policy, '"default";r=0;t=40')
        assert limits_of(client.get("/api/tickets/search")) == (policy, '"default";r=0;t=40')
        assert limits_of(client.get("/health/live")) == limits_of(client.get("/static/app.css")) == (None, None)
    with live.client("slk_guessed") as guesser:
        clock.now += 60
        assert limits_of(guesser.get("/api/tickets/search")) == (policy, '"default";r=2;t=60')


def test_a_replayed_answer_names_the_present_limit(limited: Callable[..., LiveService]):
    with limited().client() as client:
        headers = {"Idempotency-Key": "once"}
        assert limits_of(client.post(CREATE, json=BODY, headers=headers))[1] == '"create";r=2;t=3600'
        replayed = client.post(CREATE, json=BODY, headers=headers)
        assert replayed.headers["idempotency-replayed"] == "true"
        assert limits_of(replayed)[1] == '"create";r=1;t=3600'


BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def test_a_campaign_is_limited_apart_from_other_campaigns_and_from_the_api(limited: Callable[..., LiveService]):
    live = limited(rate_limit_default="9/minute")
    with live.client() as client:
        first, second = client.open_ticket().publish(), client.open_ticket().publish()
        assert statuses(5, lambda: client.get(first)) == [200] * 4 + [429]
        assert statuses(5, lambda: client.get(second)) == [200] * 4 + [429]
        assert limits_of(client.post(second, data={"amount": "5"})) == ('"gift";q=3;w=60', '"gift";r=2;t=60')
        assert statuses(10, lambda: client.get("/openapi.json")) == [200] * 9 + [429]


def test_a_view_of_a_page_with_its_images_counts_once(limited: Callable[..., LiveService]):
    with limited(rate_limit_default="9/minute").client() as client:
        url = client.open_ticket().publish()
        assert statuses(4, lambda: client.get(url)) == [200] * 4
        # There is no photo, but the request for it counts.
        assert statuses(3, lambda: client.get(f"{url}/picture")) == [404] * 3
        assert statuses(2, lambda: client.get(f"{url}/qr.svg")) == [200, 429]
        assert client.get(url).status_code == 429


def test_a_person_above_the_limit_gets_a_page_and_a_program_gets_json(limited: Callable[..., LiveService]):
    with limited(rate_limit_gift="1/hour").client() as client:
        url = client.open_ticket().publish()
        assert client.post(url, data={"amount": "5"}, headers=BROWSER).status_code == 303
        refused = client.post(url, data={"amount": "5"}, headers=BROWSER)
        assert (refused.status_code, refused.headers["content-type"]) == (429, "text/html; charset=utf-8")
        assert "Please wait a moment" in refused.text
        assert f"in {refused.headers['retry-after']} seconds" in refused.text
        assert refused.headers["x-request-id"] in refused.text
        assert "style-src 'self'" in refused.headers["content-security-policy"]
        assert refused.headers["vary"] == "Accept"
        problem(client.post(url, data={"amount": "5"}), 429, "too-many-requests")


def test_nobody_can_try_many_addresses_of_campaigns(limited: Callable[..., LiveService]):
    with limited().client() as client:
        url = client.open_ticket().publish()
        assert client.get(url).status_code == 200
        tried = [client.get(f"/d/nothinghere{number}", headers=BROWSER).status_code for number in range(3)]
        tried += [client.post(f"/d/nothinghere{number}", data={"amount": "5"}).status_code for number in range(3)]
        tried.append(client.get(f"/d/{'x' * 3000}").status_code)
        assert tried == [404] * 4 + [429] * 3
        assert client.get(url).status_code == 200


def test_an_api_key_may_have_limits_of_its_own(limited: Callable[..., LiveService]):
    live = limited()
    credentials = live.service.access.credentials
    scopes = ["tickets:read", "tickets:write", "payments:create"]
    own_limits = {"default": "7/minute", "payment": "4/hour"}
    key, secret = credentials.create(Role.CLIENT, scopes=scopes, rate_limits=own_limits)
    with live.client(secret) as client:
        path = f"/api/tickets/{client.post(CREATE, json=BODY).json()['id']}"
        assert statuses(8, lambda: client.get(path)) == [200] * 7 + [429]
        pay = {"amount": 5, "currency": "USD"}
        paid = [client.post(f"{path}/create-payment", json=pay) for _ in range(5)]
        assert [answer.status_code for answer in paid] == [201] * 4 + [429]
        assert limits_of(paid[0]) == ('"payment";q=4;w=3600', '"payment";r=3;t=3600')
        assert statuses(3, lambda: client.post(CREATE, json=BODY)) == [201, 201, 429]
        credentials.limit(key.id, {"default": "9/minute"})
        assert statuses(10, lambda: client.get(path)) == [200] * 9 + [429]
    _, secret = credentials.replace(key.id, timedelta(days=1))
    principal = credentials.principal(secret)
    assert principal is not None
    assert principal.rate_limits == {"default": "9/minute"}


def test_after_the_wait_the_client_is_served_again(limited: Callable[..., LiveService], clock: StandingClock):
    with limited(rate_limit_default="1/minute").client() as client:
        assert statuses(2, lambda: client.get("/openapi.json")) == [200, 429]
        clock.now += int(client.get("/openapi.json").headers["retry-after"])
        assert client.get("/openapi.json").status_code == 200


def test_guessing_credentials_is_limited_by_address(limited: Callable[..., LiveService]):
    with limited().client("slk_guessed") as guesser:
        assert statuses(6, lambda: guesser.get("/api/tickets/search")) == [401] * 5 + [429]


def test_health_checks_and_signed_webhooks_are_never_limited(limited: Callable[..., LiveService]):
    live = limited(rate_limit_default="1/minute")
    with live.client() as client:
        assert statuses(5, lambda: client.get("/health/live")) == [200] * 5
        assert statuses(5, lambda: client.get("/health/ready")) == [200] * 5
        assert statuses(5, lambda: client.get("/static/app.css")) == [200] * 5
        assert statuses(3, lambda: client.post("/api/webhooks/stripe", json={})) == [400, 429, 429]
    for number in range(5):
        event = {
            "id": f"evt_{number}", "object": "event", "type": "customer.created", "created": 1_760_000_000,
            "livemode": False, "data": {"object": {"id": "cus_1", "object": "customer"}},
        }  # fmt: skip
        assert live.webhook(event).status_code == 200


def test_clients_behind_a_trusted_proxy_are_limited_separately(limited: Callable[..., LiveService]):
    with limited(rate_limit_default="2/minute", trusted_proxies=LOOPBACK).client() as client:

        def status_of(forwarded: str) -> int:
            return client.get("/openapi.json", headers={"X-Forwarded-For": forwarded}).status_code

        assert [status_of("198.51.100.1"), status_of("198.51.100.1"), status_of("198.51.100.1")] == [200, 200, 429]
        assert status_of("198.51.100.2") == 200
        assert (
            status_of("198.51.100.2, 198.51.100.1") == 429
        )  # an address that the client itself may have written is not trusted
        assert status_of("2001:db8::1") == 200
        assert status_of("2001:db8::2") == 200
        assert status_of("2001:db8::3") == 429  # a /64 network counts as one client
        assert status_of("2001:db8:0:1::1") == 200


def test_forwarded_addresses_of_untrusted_clients_are_ignored(limited: Callable[..., LiveService]):
    with limited(rate_limit_default="2/minute", trusted_proxies=("10.0.0.0/8",)).client() as client:
        answers = [client.get("/openapi.json", headers={"X-Forwarded-For": f"198.51.100.{n}"}) for n in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded_for", "client"),
    [
        ((), "192.0.2.1", "198.51.100.1", "192.0.2.1"),
        (("192.0.2.1",), "192.0.2.1", None, "192.0.2.1"),
        (("192.0.2.1",), "192.0.2.1", "198.51.100.1", "198.51.100.1"),
        (("192.0.2.1",), "192.0.2.1", "6.6.6.6, 198.51.100.1", "198.51.100.1"),
        (("192.0.2.0/24",), "192.0.2.1", "6.6.6.6,198.51.100.1 , 192.0.2.7", "198.51.100.1"),
        (("192.0.2.0/24",), "192.0.2.1", "192.0.2.9", "192.0.2.9"),
        (("192.0.2.1",), "192.0.2.1", "6.6.6.6, 198.51.100.1:5678", "198.51.100.1"),
        (("192.0.2.1",), "192.0.2.1", "198.51.100.1, unknown", "unknown"),
        (("10.0.0.0/8",), "11.0.0.1", "198.51.100.1", "11.0.0.1"),
        (("10.0.0.0/8",), "::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        (("10.0.0.0/8",), "::ffff:11.0.0.1", "198.51.100.1", "::ffff:11.0.0.1"),
        (("10.1.2.3/8",), "10.0.0.1", "198.51.100.1", "198.51.100.1"),
        (("2001:db8::/32",), "2001:db8::1", "2001:db8:1::5, 198.51.100.1", "198.51.100.1"),
        (("192.0.2.1",), "", "198.51.100.1", ""),
    ],
)
def test_the_client_is_the_nearest_address_that_is_not_a_trusted_proxy(
    trusted: tuple[str, ...], peer: str, forwarded_for: str | None, client: str
):
    clients: list[str] = []

    async def remember(scope: Any, *_: Any) -> None:
        clients.append(scope["client"][0])

    headers = [] if forwarded_for is None else [(b"x-forwarded-for", forwarded_for.encode())]
    scope: Any = {"type": "http", "client": (peer, 1), "headers": headers}
    asyncio.run(proxy_headers(remember, trusted)(scope, None, None))  # type: ignore[arg-type]
    assert clients == [client]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rate_limit_default", "many"),
        ("rate_limit_default", "0/minute"),
        ("rate_limit_payment", "10/fortnight"),
        ("rate_limit_create", ""),
        ("rate_limit_page", "lots"),
        ("rate_limit_gift", "-1/minute"),
        ("rate_limit_storage", "file:///tmp"),
        ("rate_limit_storage", "redis://"),
        ("rate_limit_storage", "redis://cache:six"),
        ("rate_limit_storage", "redis://cache:70000"),
        ("rate_limit_storage", "redis://cache:6379/one"),
        ("rate_limit_storage", "redis://cache:6379/?no_such_option=1"),
        ("trusted_proxies", "everybody"),
        ("trusted_proxies", "10.0.0.0/64"),
        ("cors_origins", "*"),
        ("cors_origins", "app.example"),
        ("cors_origins", "https://app.example/path"),
    ],
)
def test_an_invalid_limit_is_named_at_the_start(name: str, value: str):
    with pytest.raises(SettingsError, match=name.upper()):
        load(**{name: value})
