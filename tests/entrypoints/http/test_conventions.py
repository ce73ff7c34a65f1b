"""Every path keeps the same rules for errors, methods, media types, limits and headers."""

from __future__ import annotations

import gzip
import json
import re
import socket
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import entrypoints.http
from domain.errors import FaultCode
from entrypoints.composition.service import Parts
from entrypoints.http.problems import PROBLEM_TYPES
from entrypoints.http.table import OPERATIONS
from tests.client import WAIT_SECONDS, Client, LiveService, Ticket
from tests.entrypoints.conftest import ORIGIN, Deal
from tests.entrypoints.http.contract import pointers, problem

ID = "01890000-0000-7000-8000-000000000000"
PATHS = sorted({operation.path for operation in OPERATIONS})
CREATE = "/api/tickets/create"
BODY = {"contactType": "EMAIL", "contactValue": "ada@example.com"}


def filled(path: str) -> str:
    return re.sub(r"{\w+}", ID, path)


def raw(live: LiveService, request: bytes) -> bytes:
    """Send these bytes and return the answer."""
    address = urlsplit(live.base_url)
    with socket.create_connection((address.hostname, address.port), timeout=WAIT_SECONDS) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while block := connection.recv(65536):
            answer += block
    return answer


# Paths and methods.


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/api", "/api/tickets/create/audio", "/api/tickets/create/", "/d/", "/docs/", "/%00", "/%ff%fe"],
)
def test_an_unknown_path_is_not_found(client: Client, path: str):
    body = problem(client.get(path), 404, "not-found")
    assert set(body) == {"type", "title", "status", "detail", "instance", "requestId"}


def test_a_wrong_method_is_refused_with_the_allowed_methods(client: Client, dealt: Deal):
    for number, path in enumerate((*PATHS, "/static/app.css")):
        methods = {operation.method for operation in OPERATIONS if operation.path == path} or {"GET"}
        allowed = methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
        wrong = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"} - allowed
        for method in dealt(sorted(wrong), number, 3):
            answer = client.request(method, filled(path))
            assert answer.status_code == 405, (method, path, answer.text)
            assert set(answer.headers["allow"].split(", ")) == allowed, (method, path)
            if method != "HEAD":
                problem(answer, 405, "method-not-allowed")


def test_every_path_tells_its_methods(client: Client):
    for path in (*PATHS, "/static/app.css"):
        answer = client.options(filled(path))
        assert (answer.status_code, answer.content) == (204, b""), path
        assert "OPTIONS" in answer.headers["allow"], path


@pytest.mark.parametrize("path", ["/openapi.json", "/docs", "/health/live", "/problems/invalid", "/static/app.css"])
def test_head_answers_as_get_does_but_without_a_body(client: Client, path: str):
    get_answer, head_answer = client.get(path), client.head(path)
    assert (head_answer.status_code, head_answer.content) == (200, b"")
    assert head_answer.headers["content-type"] == get_answer.headers["content-type"]
    if path != "/health/live":
        assert head_answer.headers["content-length"] == str(len(get_answer.content))


def test_every_problem_is_explained_at_its_type(client: Client):
    for name, problem_type in PROBLEM_TYPES.items():
        explanation = client.get(f"/problems/{name}").json()
        assert explanation["type"] == f"/problems/{name}"
        assert (explanation["status"], explanation["title"]) == (problem_type.status, problem_type.title)


def test_every_problem_has_a_page_for_people(client: Client):
    for name, problem_type in PROBLEM_TYPES.items():
        page = client.get(f"/problems/{name}", headers={"Accept": "text/html,*/*;q=0.8"})
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8"), name
        assert f"<h1>{problem_type.title}</h1>" in page.text
        assert page.headers["vary"].startswith("Accept"), name


def test_all_problems_are_listed(client: Client):
    listed = [listed["type"] for listed in client.get("/problems").json()["problems"]]
    assert listed == [f"/problems/{name}" for name in PROBLEM_TYPES]
    page_html = client.get("/problems", headers={"Accept": "text/html"}).text
    for address in listed:
        assert f'href="{address}"' in page_html


def test_every_problem_that_the_code_names_has_a_type():
    sources = [path.read_text() for path in Path(entrypoints.http.__file__).parent.rglob("*.py")]
    names = {name for source in sources for name in re.findall(r'Problem\(\s*"([a-z-]+)"', source)}
    assert names
    assert names <= set(PROBLEM_TYPES)


def test_every_code_of_an_invalid_value_is_explained(client: Client):
    codes = client.get("/problems/invalid").json()["codes"]
    assert [meaning["code"] for meaning in codes] == list(FaultCode)
    assert all(meaning["description"] for meaning in codes)
    page_html = client.get("/problems/invalid", headers={"Accept": "text/html"}).text
    assert all(f"<code>{code}</code>" in page_html for code in FaultCode)


def test_an_unknown_problem_type_is_not_found(client: Client):
    problem(client.get("/problems/none"), 404, "not-found")
    page = client.get("/problems/none", headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "<h1>Page not found</h1>" in page.text


# Bodies.


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=latin1",
        "x",
        "",
        "application/json; a=b; charset=utf-16",
    ],
)
def test_a_body_that_is_not_declared_as_json_is_an_unsupported_media_type(client: Client, kind: str):
    answer = client.post(CREATE, content=json.dumps(BODY), headers={"Content-Type": kind})
    problem(answer, 415, "unsupported-media-type")


@pytest.mark.parametrize("kind", ["gzip", "br", "deflate, gzip", "x"])
def test_a_body_that_is_packed_is_an_unsupported_media_type(client: Client, kind: str):
    for body in (gzip.compress(json.dumps(BODY).encode()), json.dumps(BODY).encode()):
        headers = {"Content-Type": "application/json", "Content-Encoding": kind}
        problem(client.post(CREATE, content=body, headers=headers), 415, "unsupported-media-type")
    plain = {"Content-Type": "application/json", "Content-Encoding": "identity"}
    assert client.post(CREATE, content=json.dumps(BODY), headers=plain).status_code == 201


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "application/json; charset=utf-8",
        'APPLICATION/JSON;charset="UTF-8"',
        "application/json; odata=verbose;charset=utf-8",
        "application/json;",
    ],
)
def test_json_in_utf_8_is_read_however_it_is_spelt(client: Client, kind: str):
    assert client.post(CREATE, content=json.dumps(BODY), headers={"Content-Type": kind}).status_code == 201


@pytest.mark.parametrize("kind", ["application/json", "application/merge-patch+json"])
def test_a_change_is_a_merge_patch_or_plain_json(ticket: Ticket, kind: str):
    answer = ticket.http.patch(ticket.path, content=b'{"displayName": "Ada"}', headers={"Content-Type": kind})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"{", b"nul", b"{'a': 1}", b'{"a": NaN}', b'{"a": Infinity}', b"\xff\xfe", b'{"a": "\xff"}',
        b'{"a":1}{"b":2}',
        b'{"contactType": "EMAIL", "contactType": "PHONE"}', b"[" * 100_000, b'{"a":' * 50_000, b'{"a": 01}',
        b"\xef\xbb\xbf{}",
    ],
)  # fmt: skip
def test_malformed_json_is_told_from_a_broken_contract(client: Client, body: bytes):
    problem(client.post(CREATE, content=body, headers={"Content-Type": "application/json"}), 400, "malformed")


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({}, {"/contactType", "/contactValue"}),
        ([], {""}),
        ("text", {""}),
        (12, {""}),
        (BODY | {"contactType": "FAX"}, {"/contactType"}),
        (BODY | {"contactType": ["EMAIL"]}, {"/contactType"}),
        (BODY | {"contactValue": None}, {"/contactValue"}),
        (BODY | {"contactValue": 5}, {"/contactValue"}),
        (BODY | {"contactValue": {"a": 1}}, {"/contactValue"}),
        (BODY | {"contactValue": ""}, {"/contactValue"}),
        (BODY | {"contactValue": "x" * 321 + "@example.com"}, {"/contactValue"}),
        (BODY | {"contactValue": "ada\0@example.com"}, {"/contactValue"}),
        (BODY | {"displayName": "Ada\0"}, {"/displayName"}),
        (BODY | {"displayName": "x" * 121}, {"/displayName"}),
        (BODY | {"displayName": "two\nlines"}, {"/displayName"}),
        (BODY | {"displayname": "Ada"}, {"/displayname"}),
        (BODY | {"display_name": "Ada"}, {"/display_name"}),
        (BODY | {"a/b~c": 1}, {"/a~1b~0c"}),
        (BODY | {"\0": 1, "é": 2}, {"/\0", "/é"}),
    ],
)
def test_a_body_that_breaks_the_contract_is_told_where(client: Client, body: object, at: set[str]):
    assert set(pointers(client.post(CREATE, json=body))) == at


def test_an_unknown_query_parameter_is_refused_by_name(client: Client, ticket: Ticket):
    total = "/donations/total?as_off=2026-05-01T00:00:00Z&known_at=2026-05-01T00:00:00Z&~=1"
    assert pointers(ticket.get(total)) == ["/as_off", "/~0"]
    assert pointers(client.post(f"{CREATE}?dry_run=1", json=BODY)) == ["/dry_run"]


def test_additions_to_the_link_of_a_page_are_ignored(client: Client, ticket: Ticket):
    assert client.get(f"{ticket.publish()}?utm_source=mail").status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b'{"contactType": "EMAIL", "contactValue": "\\ud800@example.com"}',
        b'{"contactType": "\\ud800", "contactValue": "a@example.com"}',
        b'{"contactType": "EMAIL", "contactValue": "a@example.com", "displayName": "\\udfff"}',
        b'{"contactType": "EMAIL", "contactValue": "a@example.com", "\\ud800": 1}',
        b'{"contactType": "EMAIL", "contactValue": "a@example.com", "displayName": 1e1000000}',
        b'{"contactType": "EMAIL", "contactValue": "a@example.com", "displayName": 1e99999999999999999999999}',
        b'{"contactType": "EMAIL", "contactValue": "a@example.com", "displayName": -' + b"9" * 100_000 + b"}",
    ],
)
def test_text_and_numbers_that_cannot_be_stored_are_refused_as_invalid(client: Client, body: bytes):
    assert pointers(client.post(CREATE, content=body, headers={"Content-Type": "application/json"}))


def test_an_error_does_not_repeat_the_input(client: Client):
    answer = client.post(CREATE, json=BODY | {"contactValue": "canary-person", "contactType": "canary-type"})
    assert answer.status_code == 422
    assert "canary" not in answer.text


def test_a_body_over_the_limit_is_too_large(client: Client):
    problem(client.post(CREATE, json=BODY | {"displayName": "x" * 1_000_000}), 413, "too-large")


def test_a_body_over_the_limit_is_too_large_also_when_its_length_is_not_told(client: Client):
    chunks = (b"x" * 65_536 for _ in range(64))
    answer = client.post(CREATE, content=chunks, headers={"Content-Type": "application/json"})
    problem(answer, 413, "too-large")


def test_a_body_without_end_is_answered_all_the_same(live: LiveService):
    address = urlsplit(live.base_url)
    with socket.create_connection((address.hostname, address.port), timeout=WAIT_SECONDS) as connection:
        connection.sendall(
            b"POST /api/tickets/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
        sent_bytes = 0
        answer = b""
        while sent_bytes < 4000 and not answer:
            connection.settimeout(WAIT_SECONDS)
            try:
                connection.sendall(chunk)
            except OSError:
                break
            sent_bytes += 1
            connection.settimeout(0.001)
            try:
                answer = connection.recv(65536)
            except TimeoutError:
                continue
        connection.settimeout(WAIT_SECONDS)
        answer = answer or connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 413 ")


# Headers.


@pytest.mark.parametrize("token", ["abc", "6f9619ff-8b86-d011-b42d-00cf4fc964ff", "a.b_c-d", "x" * 128])
def test_a_sane_request_id_of_the_client_comes_back(client: Client, token: str):
    answer = client.get("/nothing", headers={"X-Request-Id": token})
    assert answer.headers["x-request-id"] == answer.json()["requestId"] == token


@pytest.mark.parametrize("token", ["", "x" * 129, "two words", "<script>", "-first", "é"])
def test_any_other_request_id_is_replaced(client: Client, token: str):
    answer = client.get("/nothing", headers={"X-Request-Id": token.encode()})
    assert re.fullmatch("[0-9a-f]{24}", answer.headers["x-request-id"])
    assert answer.json()["requestId"] == answer.headers["x-request-id"]


EVERYWHERE = [
    "/nothing",
    "/docs",
    "/openapi.json",
    "/static/app.css",
    "/health/live",
    "/sandbox",
    "/api/tickets/search",
]


@pytest.mark.parametrize("path", EVERYWHERE)
def test_every_answer_has_a_request_id_and_is_safe_in_a_browser(client: Client, path: str):
    headers = client.get(path).headers
    assert headers["x-request-id"]
    assert_is_safe(headers)
    assert headers["cache-control"]
    assert "server" not in headers


def assert_is_safe(headers: Mapping[str, str]) -> None:
    """Check the headers against framing, sniffing, and loading by or from other origins."""
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].rstrip("; ").split(";"))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert "form-action" in policy
    own = {"style-src": "'self'", "script-src": "'self'", "connect-src": "'self'"}
    # What a person has just recorded or chosen is shown before it is sent.
    own |= {"img-src": "'self' blob:", "media-src": "'self' blob:"}
    assert set(policy) <= {"default-src", "base-uri", "frame-ancestors", "form-action", *own}
    assert {name: policy.get(name, own[name]) for name in own} == own
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
    assert "microphone=()" in headers["permissions-policy"]
    assert "strict-transport-security" not in headers


def test_refusals_of_every_kind_are_as_safe_as_other_answers(client: Client, ticket: Ticket):
    url = ticket.publish()
    checkout = ticket.pay()["checkoutUrl"]
    answers = [
        (200, client.get(checkout)), (200, client.get(url)),
        (422, client.post(url, data={"amount": "x"})), (401, client.get(ticket.path)), (405, client.put("/sandbox")),
        (400, client.post(CREATE, content=b"{", headers={"Content-Type": "application/json"})),
        (413, client.post(CREATE, content=b"x" * 300_000, headers={"Content-Type": "application/json"})),
        (415, client.post(CREATE, content=b"x", headers={"Content-Type": "text/plain"})),
        (413, client.post("/sandbox/delivery-faults", content=b"x" * 300_000)), (204, client.options(CREATE)),
        (404, client.get("/static/..%2fsecrets.json")), (404, client.get("/static/base.html")),
        (405, client.delete("/docs")), (303, client.post(url, data={"amount": "5"})),
    ]  # fmt: skip
    for status, answer in answers:
        assert answer.status_code == status, answer.text
        assert_is_safe(answer.headers)


def test_a_form_of_the_sandbox_that_is_too_large_is_answered_with_a_page_or_a_problem(client: Client):
    problem(client.post("/sandbox/delivery-faults", content=b"x" * 70_000), 413, "too-large")
    page = client.post("/sandbox/delivery-faults", content=b"x" * 70_000, headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["content-type"]) == (413, "text/html; charset=utf-8")


def test_pages_name_no_other_host(client: Client, ticket: Ticket):
    url = ticket.publish()
    pages = [url, ticket.pay()["checkoutUrl"], "/sandbox", "/docs"]
    for page in pages + re.findall(r'href="(/[^"#]+\.(?:css|svg))"', "".join(client.get(path).text for path in pages)):
        text = client.get(page).text.replace(str(client.base_url).rstrip("/"), "")
        assert text
        if page.endswith(".css"):
            assert not re.search(r"@import|//[a-z0-9.\-]+\.[a-z]+", re.sub(r"/\*.*?\*/", "", text, flags=re.S)), page
            continue
        markup = Markup()
        markup.feed(text)
        assert not {"inline script", "style"} & markup.elements, page
        for name, value in markup.attributes:
            assert name != "style", page
            assert not name.startswith("on"), (page, name)
            if name == "href" and value.startswith("https://wa.me/?text="):
                # A link that a person may follow; the page itself asks nothing of that host.
                continue
            if name in ("src", "srcset", "href", "action", "formaction", "content"):
                assert not re.search(r"//[a-z0-9.\-]+\.[a-z]+|javascript:", value), (page, name, value)


class Markup(HTMLParser):
    """The elements and attributes of a page. Texts of other tests are on some pages too, but only as text."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add("inline script" if tag == "script" and not dict(attrs).get("src") else tag)
        self.attributes += [(name, value or "") for name, value in attrs]


def test_a_service_with_an_https_address_sends_strict_transport_security(migrated_url: str, tmp_path: Path):
    with (
        LiveService(migrated_url, tmp_path / "var", frozenset({Parts.WEB}), base_url="https://story.example") as secure,
        secure.client() as client,
    ):
        address = f"http://127.0.0.1:{secure.settings.port}"
        for path in ("/nothing", "/docs", "/health/live"):
            assert client.get(address + path).headers["strict-transport-security"].startswith("max-age=")


def test_answers_of_the_api_are_kept_by_no_cache(ticket: Ticket):
    assert ticket.get().headers["cache-control"] == "no-store"


@pytest.mark.parametrize("host", [b"[", b"a b", b"", b"x/y?z#", b"evil.example"])
def test_a_strange_host_header_is_no_fault_of_ours(live: LiveService, host: bytes):
    answer = raw(live, b"GET /nothing HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n")
    assert answer.split()[1] in (b"404", b"400")
    assert b"evil.example" not in answer


@pytest.mark.parametrize("hosts", [b"", b"Host: a.example\r\nHost: b.example\r\n", b"Host: a\r\nhost: a\r\n"])
def test_a_request_without_exactly_one_host_is_malformed(live: LiveService, hosts: bytes):
    answer = raw(live, b"GET /health/live HTTP/1.1\r\n" + hosts + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"/problems/malformed" in answer


def test_a_request_in_http_1_0_needs_no_host(live: LiveService):
    assert b" 200 " in raw(live, b"GET /health/live HTTP/1.0\r\n\r\n").splitlines()[0]


@pytest.mark.parametrize("path", ["/health%2Flive", "/api%2ftickets/create", "/docs%2F", "/%2fdocs"])
def test_an_encoded_slash_separates_no_parts_of_a_path(client: Client, path: str):
    problem(client.get(path), 404, "not-found")


@pytest.mark.parametrize("path", ["/nothing%3Fa", "/nothing%23a", "/nothing/%C3%A9%20b", "/%7Bx%7D"])
def test_a_problem_names_the_path_as_it_was_asked_for(client: Client, path: str):
    assert problem(client.get(path + "?secret=1"), 404, "not-found")["instance"] == path


# Other origins.


def preflight(client: Client, path: str, origin: str, method: str = "POST"):
    preflight_headers = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization",
    }
    return client.options(path, headers=preflight_headers)


def test_a_page_of_an_allowed_origin_may_call(client: Client):
    answer = preflight(client, CREATE, ORIGIN)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert set(answer.headers["access-control-allow-methods"].split(", ")) == {"POST", "OPTIONS"}
    allowed = answer.headers["access-control-allow-headers"].lower()
    for header in ("authorization", "content-type", "idempotency-key", "if-match", "if-none-match", "x-request-id"):
        assert header in allowed
    assert "access-control-allow-credentials" not in answer.headers
    assert "origin" in answer.headers["vary"].lower()


def test_an_allowed_page_may_read_answers_and_problems(client: Client):
    for path in ("/openapi.json", "/nothing", "/api/tickets/search"):
        headers = client.get(path, headers={"Origin": ORIGIN}).headers
        assert headers["access-control-allow-origin"] == ORIGIN
        exposed = headers["access-control-expose-headers"].lower()
        for header in ("etag", "location", "link", "x-request-id", "retry-after", "idempotency-replayed"):
            assert header in exposed
        assert "origin" in headers["vary"].lower()


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "https://app.example.evil.example", "http://app.example"]
)
def test_no_other_origin_is_let_in(client: Client, origin: str):
    for answer in (preflight(client, CREATE, origin), client.get("/openapi.json", headers={"Origin": origin})):
        assert not [name for name in answer.headers if name.startswith("access-control-")]
        assert "origin" in answer.headers["vary"].lower()
