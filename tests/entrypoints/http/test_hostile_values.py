"""Hostile values in every part of every request cause no internal error."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import product
from typing import Any

import psutil
import pytest

from adapters.ids import uuid7
from domain.values import Role
from entrypoints.http.operations import BodyKind, Operation
from entrypoints.http.table import OPERATIONS
from tests.client import Client, LiveService, Ticket
from tests.entrypoints.conftest import Deal
from tests.entrypoints.http.batches import batches, named
from tests.entrypoints.http.contract import LEAKS

MOST_GROWTH_BYTES = 512 * 1024 * 1024

# Values in a URL.
IN_PATHS = (
    "%00", "a%00b", "%2f", "..%2f..%2fetc%2fpasswd", "%252e%252e", "%ff%fe", "%ed%a0%80", "%c0%ae", "%0d%0aX:%20y",
    "%e2%80%ae", "%7f", "{ticket_id}", "%7b%7d", "*", "-1", "9" * 400, "x" * 5_000, "%f0%9d%95%ac" * 200, "null",
    "'%20OR%201=1--", "%3cscript%3e", "$where", "0" * 32, "ffffffff-ffff-ffff-ffff-ffffffffffff",
)  # fmt: skip
IN_QUERIES = (
    *IN_PATHS, "", "0", "1e400", "NaN", "-0", "1" * 5_000, "2026-99-99T99:99:99Z", "9999-12-31T23:59:59.999999999Z",
    "0000-00-00", "-0001-01-01T00:00:00Z", "2026-01-01T00:00:00+99:99", "Inf", "W10=", "bnVsbA", "%F0%9F%92%A9", "٣",
    "②", "WzFlNDAwXQ", "WyJcdWQ4MDAiXQ", "W1tbW1tbW10", "1&limit=2", "&&&===;;;", "a" * 30_000,
)  # fmt: skip
# Whole queries.
QUERIES = ("%00=%00", "=".join(["a"] * 500), "&".join(f"p{n}=1" for n in range(3_000)), "[]=1&[a][b]=2", "%")
# Values in JSON.
IN_BODIES = (
    r'"\u0000"', r'"a\u0000b"', r'"\ud800"', r'"\udc00\ud800"', '"' + "x" * 200_000 + '"', '"' + "é" * 100_000 + '"',
    "1" + "0" * 400, "-1" + "0" * 400, "1e400", "1e-400", "-0", "-0.0", "0.1e-99999", "1E+2147483648", "NaN",
    "Infinity", "-Infinity", "[" * 20_000 + "]" * 20_000, '{"a":' * 20_000 + "1" + "}" * 20_000, "null", "true",
    "[]", "{}", '""',
    '"\\u202e\\u2066\\u200f"', '"\ufeff"', '"\u2028\u2029"', r'"\ud83d\ude00"', '"' + "a\u0301" * 500 + '"',
    '"\x85\x9b"',
    '"=cmd|calc!A0"', r'"<img src=x onerror=alert(1)>"', r'"{{7*7}}${7*7}#{7*7}"', '"../../../etc/passwd"',
    '"0x10"', '"1e3"', '"٣"', '"1_000"', '" 12 "', '"１２"', "12.3456789", "99999999999999999999", '{"$ref": "#"}',
    r'"a\r\nSet-Cookie: x"', '"' + "(" * 5_000 + '"', '"' + "a" * 50_000 + '!"', '"' + "@" * 5_000 + '"',
    '"' + "1 " * 20_000 + '"', '"http://169.254.169.254/"', '"file:///etc/passwd"', '"\\ufffe\\uffff"',
)  # fmt: skip
IN_HEADERS = (
    b"", b"\xff\xfe", b"\xed\xa0\x80", b"x" * 5_000, b"*", b'"', b'W/"1"', b"1", b'"9999999999999999999999"',
    b"-1", b'"1", "2"', b"\xe2\x80\xae", b"%0d%0aX: y", b"null", b";;;;,,,,", b"=" * 1_000, b'"\\"',
    b"q=0;q=q;q=1e400",
)  # fmt: skip
HEADERS = (
    "Idempotency-Key", "If-Match", "Authorization", "Accept", "Origin", "Content-Type", "Stripe-Signature",
    "X-Request-Id", "X-Forwarded-For", "Range", "If-None-Match", "Accept-Encoding", "Cookie",
    "Access-Control-Request-Method",
)  # fmt: skip
# Whole bodies.
BODIES = (
    b"\xef\xbb\xbf{}", b"\xff\xfe{\x00}\x00", b"{}\x00", b'{"a":1,"a":2}', b"{}{}", b"{" * 100_000, b"[" * 100_000,
    b'{"a":' * 40_000, b'"' + b"x" * 255_000 + b'"', b"{\x00}", b'{"\\u0000": 1}', b'{"__proto__": {}}', b"// x\n{}",
    b'{"' + b"k" * 200_000 + b'": 1}', b"{" + b",".join(b'"%d":1' % n for n in range(20_000)) + b"}",
    b"\x1f\x8b\x08\x00", b'"' + b"x" * 1_000_000 + b'"',
)  # fmt: skip
# Values that are allowed, for the other fields of a body.
FILLED: dict[str, Any] = {
    "contactType": "EMAIL", "contactValue": "ada@example.com", "category": "OTHER", "message": "Help me.",
    "docType": "OTHER", "amount": 5, "currency": "USD", "consent": True, "newContactValue": "a@example.com",
    "type": "NOTE", "title": "A", "content": "B", "requestId": str(uuid7()), "code": "1", "reason": "x",
}  # fmt: skip
NO_END = {("DELETE", "/api/tickets/{ticket_id}"), ("POST", "/admin/profiles/{ticket_id}/approve-reset")}


@pytest.fixture(scope="module")
def askers(shared_live: LiveService) -> tuple[Ticket, Client]:
    visitor = shared_live.client()
    ticket = visitor.open_ticket()
    ticket.publish()
    ticket.pay(5)
    return ticket, shared_live.client_with_key(Role.ADMIN)


@pytest.fixture(scope="module", autouse=True)
def _memory_is_bounded(shared_live: LiveService) -> Iterator[None]:
    before = psutil.Process().memory_info().rss
    yield
    assert psutil.Process().memory_info().rss - before < MOST_GROWTH_BYTES


class CalledOperation:
    """An operation, called by a client that passes the access checks."""

    def __init__(self, operation: Operation, askers: tuple[Ticket, Client]) -> None:
        ticket, admin = askers
        self.operation = operation
        self._asker = admin if Role.HOLDER not in operation.access.roles else ticket.http
        existing_ids = {"ticket_id": ticket.id, "name": "ticket_status", "slug": "none"}
        self._parts = {name: existing_ids.get(name, str(uuid7())) for name in re.findall(r"{(\w+)}", operation.path)}
        self.names = list(self._parts)
        if operation.body_kind is BodyKind.FORM:
            self.type = "application/x-www-form-urlencoded"
        else:
            self.type = (
                "multipart/form-data; boundary=x"
                if operation.body_kind in (BodyKind.AUDIO, BodyKind.ATTACHMENT)
                else "application/json"
            )

    def send(
        self,
        parts: dict[str, str] | None = None,
        query: str = "",
        content: bytes = b"",
        headers: dict[str, bytes] | None = None,
    ) -> None:
        path = self.operation.path.format(**(self._parts | (parts or {})))
        all_headers: dict[str, Any] = ({"Content-Type": self.type} if content else {}) | (headers or {})
        url = f"{path}?{query}" if query else path
        answer = self._asker.request(self.operation.method, url, content=content, headers=all_headers)
        exchange = (named(self.operation), url[:300], content[:300], headers, answer.text[:500])
        assert answer.status_code < 500, exchange
        assert answer.headers["x-request-id"], exchange
        # One is the program that checks exports, the other names it.
        if self.operation.path not in ("/checkpoint/checker", "/verify"):
            assert not LEAKS.search(answer.text), exchange


@pytest.mark.parametrize("operations", batches([o for o in OPERATIONS if "{" in o.path], named))
def test_no_path_causes_an_internal_error(askers: tuple[Ticket, Client], operations: list[Operation], dealt: Deal):
    for operation in operations:
        place = CalledOperation(operation, askers)
        for at, name in enumerate(place.names):
            for value in dealt(IN_PATHS, at + OPERATIONS.index(operation), 24):
                # With an idempotency key, the path is stored as well.
                place.send(parts={name: value}, headers={"Idempotency-Key": b"k"} if operation.idempotency_key else {})


@pytest.mark.parametrize("operations", batches([o for o in OPERATIONS if o.query], named))
def test_no_query_causes_an_internal_error(askers: tuple[Ticket, Client], operations: list[Operation], dealt: Deal):
    for operation in operations:
        place = CalledOperation(operation, askers)
        for at, parameter in enumerate(operation.query):
            for value in dealt(IN_QUERIES, at + OPERATIONS.index(operation), 24):
                place.send(query=f"{parameter.name}={value}")
        for query in dealt(QUERIES, OPERATIONS.index(operation), 3):
            place.send(query=query)


@pytest.mark.parametrize("operations", batches([o for o in OPERATIONS if (o.method, o.path) not in NO_END], named))
def test_no_header_causes_an_internal_error(askers: tuple[Ticket, Client], operations: list[Operation], dealt: Deal):
    for operation in operations:
        place = CalledOperation(operation, askers)
        content = b"{}" if operation.body_kind is not BodyKind.NONE else b""
        # Headers are read before the operation is, so one operation for each header and value is enough in the suite.
        for header, value in dealt(list(product(HEADERS, IN_HEADERS)), OPERATIONS.index(operation), len(OPERATIONS)):
            place.send(headers={header: value}, content=content)


def fields(operation: Operation) -> list[str]:
    assert operation.body_model is not None
    return [field.alias or name for name, field in operation.body_model.model_fields.items()]


@pytest.mark.parametrize("operations", batches([o for o in OPERATIONS if o.body_model is not None], named))
def test_no_value_in_a_body_causes_an_internal_error(
    askers: tuple[Ticket, Client], operations: list[Operation], dealt: Deal
):
    for operation in operations:
        place = CalledOperation(operation, askers)
        for at, field in enumerate(fields(operation)):
            other_values = {name: FILLED[name] for name in fields(operation) if name in FILLED and name != field}
            for value in dealt(IN_BODIES, at + OPERATIONS.index(operation), 16):
                other_fields = json.dumps(other_values)[1:-1]
                body = f'{{{other_fields}{", " if other_fields else ""}"{field}": {value}}}'
                place.send(content=body.encode("utf-8", "surrogatepass"))
        for content in dealt(BODIES, OPERATIONS.index(operation), 8):
            place.send(content=content)


@pytest.mark.parametrize(
    "operations", batches([o for o in OPERATIONS if o.body_kind in (BodyKind.FORM, BodyKind.WEBHOOK)], named)
)
def test_no_form_and_no_event_causes_an_internal_error(
    askers: tuple[Ticket, Client], operations: list[Operation], dealt: Deal
):
    for operation in operations:
        place = CalledOperation(operation, askers)
        contents = (*BODIES, *(f"amount={value}".encode() for value in IN_QUERIES), b"&" * 5_000, b"a=b&" * 5_000)
        for content in dealt(contents, OPERATIONS.index(operation), 8):
            place.send(content=content, headers={"Stripe-Signature": b"t=1,v1=00"})


def test_a_gift_of_a_hostile_amount_shows_the_form_again(shared_live: LiveService):
    ticket = shared_live.client().open_ticket()
    url = ticket.publish()
    for value in IN_QUERIES:
        answer = ticket.http.post(
            url,
            content=f"amount={value}".encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        assert answer.status_code in (303, 422), (value, answer.text)
        assert "<script>" not in answer.text
