"""Holds every answer against the service's own description of itself."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

import httpx2
import jsonschema_rs

PROBLEM = "application/problem+json"
# What must never be seen in an answer: signs of a stack trace, of SQL, of a path on our disk, of a library's words.
LEAKS = re.compile(
    r"Traceback|psycopg|SELECT |INSERT |UPDATE |site-packages|/home/|/tmp/|/dev/shm|pydantic|starlette|"
    r"value_error|\.py\b|Extra inputs|Field required|Input should be"
)
# Whose answer has its own shape also when it is bad news.
TELLING = ("/health/db", "/health/ready", "/admin/db/self-test")
# Beside the described interface: styles, and the stand-in for Stripe.
BESIDE = re.compile(r"/static/|/favicon.ico|/sandbox(/|$)")


class Contract:
    """Checks answers against the OpenAPI document; `check` fails on the first that differs."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._paths = [
            (re.compile("".join(_pattern(part) for part in re.split(r"({\w+})", path)) + r"\Z"), path)
            # A literal path before one with a parameter in the same place.
            for path in sorted(document["paths"], key=lambda path: [part.startswith("{") for part in path.split("/")])
        ]
        self._validators: dict[str, jsonschema_rs.Draft202012Validator] = {}
        self.seen: set[tuple[str, str, int]] = set()

    def check(self, answer: httpx2.Response) -> None:
        answer.read()
        path = urlsplit(str(answer.request.url)).path
        said = f"{answer.request.method} {path}: {answer.status_code} {answer.text[:500]!r}"
        assert answer.status_code != 500, said
        if BESIDE.match(path) and answer.status_code not in (404, 405):
            return
        assert answer.headers.get("x-request-id"), said
        kind = answer.headers.get("content-type", "").split(";")[0]
        if kind in (PROBLEM, "application/json"):
            assert kind == PROBLEM or answer.status_code < 400 or path in TELLING, said
        if kind == PROBLEM and answer.content:
            problem = answer.json()
            # `instance` is the caller's own path, whatever it says.
            assert not LEAKS.search(json.dumps(problem | {"instance": ""})), said
            assert problem["status"] == answer.status_code, said
            assert problem["requestId"] == answer.headers["x-request-id"], said
        described = next((template for pattern, template in self._paths if pattern.match(path)), None)
        method = "get" if answer.request.method == "HEAD" else answer.request.method.lower()
        if described is None:
            assert answer.status_code in (404, 405, 429), said
            assert kind == PROBLEM, said
        elif method == "options":
            assert (answer.status_code, answer.content) == (204, b""), said
        elif method not in self._document["paths"][described]:
            assert answer.status_code in (405, 429), said
            assert answer.status_code == 429 or "OPTIONS" in answer.headers["allow"], said
        else:
            self._check_described(described, method, answer, kind, said)

    def _check_described(self, path: str, method: str, answer: httpx2.Response, kind: str, said: str) -> None:
        self.seen.add((method, path, answer.status_code))
        responses = self._document["paths"][path][method]["responses"]
        assert str(answer.status_code) in responses, f"not a declared status: {said}"
        response = responses[str(answer.status_code)]
        if "$ref" in response:
            response = self._document["components"]["responses"][response["$ref"].rpartition("/")[2]]
        content = response.get("content", {})
        if not content:
            assert not answer.content, f"declared empty: {said}"
            return
        assert kind in content, f"not a declared media type: {said}"
        if answer.request.method != "HEAD" and kind.endswith("json") and "schema" in content[kind]:
            for fault in self._validator(content[kind]["schema"]).iter_errors(answer.json()):
                raise AssertionError(f"{fault.instance_path} {fault.message}: {said}")

    def _validator(self, schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
        key = str(schema)
        if key not in self._validators:
            whole = {"components": self._document["components"], **schema}
            self._validators[key] = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
        return self._validators[key]


def _pattern(part: str) -> str:
    return "[^/]+" if part.startswith("{") else re.escape(part)


def problem(answer: httpx2.Response, status: int, name: str) -> dict[str, Any]:
    """The answer's problem, which must be of this status and name."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    body: dict[str, Any] = answer.json()
    assert body["type"] == f"/problems/{name}"
    return body


def pointers(answer: httpx2.Response) -> list[str]:
    """Where a refused body is at fault."""
    return [fault["pointer"] for fault in problem(answer, 422, "invalid")["errors"]]
