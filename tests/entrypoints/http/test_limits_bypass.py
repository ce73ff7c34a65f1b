"""A client cannot evade its limits, and only trusted proxies are believed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from entrypoints.composition.service import Parts
from tests.client import Client, LiveService
from tests.entrypoints.http.contract import Contract, problem
from tests.entrypoints.http.test_protocol_limits import connected, statuses

CALLS = 12


@pytest.fixture
def limited(migrated_url: str, tmp_path: Path) -> Iterator[Callable[..., LiveService]]:
    """Return a function that runs a service with a limit of three calls an hour for a client."""
    with ExitStack() as stack:

        def make(**settings: Any) -> LiveService:
            parts = frozenset({Parts.WEB, Parts.PROJECTIONS})
            small = {"rate_limit_default": "3/hour", "rate_limit_create": "3/hour"}
            running = stack.enter_context(LiveService(migrated_url, tmp_path / "var", parts, **(small | settings)))
            running.watchers.append(Contract(running.openapi).check)
            return running

        yield make


def count_accepted(live: LiveService, send: Callable[[Any, int], Any]) -> int:
    with live.client() as client:
        return sum(send(client, number).status_code != 429 for number in range(CALLS))


HEADERS = (
    "X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Client-IP", "CF-Connecting-IP", "True-Client-IP", "Via",
    "X-Forwarded-Host", "Host", "X-Request-Id", "User-Agent", "Origin", "Referer", "Cookie", "Accept",
    "X-Original-URL", "X-Rewrite-URL", "X-HTTP-Method-Override", "Idempotency-Key", "Connection",
)  # fmt: skip


def test_no_header_makes_one_client_count_as_several(limited: Callable[..., LiveService]):
    live = limited()
    assert count_accepted(live, lambda client, _: client.get("/openapi.json")) == 3
    for header in HEADERS:

        def send_call(client: Any, number: int, header: str = header) -> Any:
            value = f"for=198.51.100.{number}" if header == "Forwarded" else f"198.51.100.{number}"
            return client.get("/openapi.json", headers={header: value})

        assert (header, count_accepted(live, send_call)) == (header, 0)


def test_no_spelling_of_a_path_is_counted_apart(limited: Callable[..., LiveService]):
    spellings = [
        "/docs", "//docs", "/docs/", "/DOCS", "/%64ocs", "/./docs", "/docs?a=1", "/docs;x", "/docs%00", "/docs%2f",
        "/static/%2e%2e/docs", "/docs#a",
    ]  # fmt: skip
    assert count_accepted(limited(), lambda client, number: client.get(spellings[number % len(spellings)])) == 3


def test_wrong_methods_count_together(limited: Callable[..., LiveService]):
    methods = ["POST", "PUT", "DELETE", "PATCH", "TRACE"]
    accepted = count_accepted(limited(), lambda client, number: client.request(methods[number % len(methods)], "/docs"))
    assert accepted == 3


def test_requests_for_unknown_paths_are_limited_with_retry_after(limited: Callable[..., LiveService]):
    live = limited()
    assert count_accepted(live, lambda client, number: client.get(f"/wp-admin/{number}.php")) == 3
    with live.client() as client:
        answer = client.get("/.env")
        problem(answer, 429, "too-many-requests")
        assert 0 < int(answer.headers["retry-after"]) <= 3600


@pytest.mark.parametrize(
    "override", ["X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method", "X-Original-Method"]
)
def test_no_header_changes_the_method_that_is_counted(client: Client, override: str):
    assert client.post("/docs?_method=GET", headers={override: "GET"}).status_code == 405
    assert client.get("/docs", headers={override: "DELETE"}).status_code == 200


def test_guessed_credentials_count_for_the_clients_address(limited: Callable[..., LiveService]):
    def send_call(client: Any, number: int) -> Any:
        return client.get("/api/tickets/search", headers={"Authorization": f"Bearer slk_{number:043}"})

    assert count_accepted(limited(), send_call) == 3


def test_the_address_that_the_proxy_added_counts_if_two_are_forwarded(limited: Callable[..., LiveService]):
    """Some proxies add a header line of their own after the one that the client wrote."""
    live = limited(trusted_proxies=("127.0.0.0/8",))
    assert urlsplit(live.base_url).hostname == "127.0.0.1"
    answers = b""
    for number in range(CALLS):
        with connected(live) as connection:
            connection.sendall(
                b"GET /openapi.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                b"X-Forwarded-For: 203.0.113.%d\r\nX-Forwarded-For: 198.51.100.1\r\n\r\n" % number
            )
            while block := connection.recv(65_536):
                answers += block
    assert statuses(answers) == [200] * 3 + [429] * (CALLS - 3)
