"""Checks every answer against the service's OpenAPI document."""

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
    r"value_error|(?<!checker)\.py\b|Extra inputs|Field required|Input should be"
)
# Operations whose answers with an error status are no problem documents.
WITHOUT_PROBLEMS = ("/health/db", "/health/ready", "/admin/db/self-test")
# Paths outside the described interface: styles, and the sandbox for Stripe.
BESIDE = re.compile(r"/static/|/favicon.ico|/sandbox(/|$)")


class Validators:
    """Validators of the schemas of an OpenAPI document, whose components they share.

    A copy of the hundreds of components in each validator would take 4 milliseconds to compile instead of 0.1.
    """

    _DOCUMENT = "urn:document"

    def __init__(self, document: dict[str, Any]) -> None:
        schemas = {"schemas": document["components"]["schemas"]}
        self._registry = jsonschema_rs.Registry([(self._DOCUMENT, {"components": schemas})])
        self._validators: dict[str, jsonschema_rs.Draft202012Validator] = {}

    def faults(self, schema: dict[str, Any], value: Any) -> list[str]:
        """Return the errors of the value under this schema of the document."""
        # A reference that begins with `#` would be resolved within the schema instead of the document.
        absolute = json.dumps(schema).replace('"$ref": "#', f'"$ref": "{self._DOCUMENT}#')
        validator = self._validators.get(absolute)
        if validator is None:
            validator = self._validators[absolute] = jsonschema_rs.Draft202012Validator(
                json.loads(absolute), validate_formats=True, registry=self._registry
            )
        return [f"{fault.message} at {list(fault.instance_path)}" for fault in validator.iter_errors(value)]


class Contract:
    """Checks answers against the OpenAPI document. `check` fails on the first difference."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._paths = [
            (re.compile("".join(_pattern(part) for part in re.split(r"({\w+})", path)) + r"\Z"), path)
            # Literal paths come before paths with a parameter in the same place.
            for path in sorted(document["paths"], key=lambda path: [part.startswith("{") for part in path.split("/")])
        ]
        self._validators = Validators(document)
        self.seen: set[tuple[str, str, int]] = set()

    def check(self, answer: httpx2.Response) -> None:
        answer.read()
        path = urlsplit(str(answer.request.url)).path
        assert answer.status_code != 500, exchange(answer)
        if BESIDE.match(path) and answer.status_code not in (404, 405):
            return
        assert answer.headers.get("x-request-id"), exchange(answer)
        kind = answer.headers.get("content-type", "").split(";")[0]
        if kind in (PROBLEM, "application/json"):
            assert kind == PROBLEM or answer.status_code < 400 or path in WITHOUT_PROBLEMS, exchange(answer)
        if kind == PROBLEM and answer.content:
            problem = answer.json()
            # `instance` is the caller's own path and may contain anything.
            assert not LEAKS.search(json.dumps(problem | {"instance": ""})), exchange(answer)
            assert problem["status"] == answer.status_code, exchange(answer)
            assert problem["requestId"] == answer.headers["x-request-id"], exchange(answer)
        described = next((template for pattern, template in self._paths if pattern.match(path)), None)
        method = answer.request.method.lower()
        if method == "head" and "head" not in self._document["paths"].get(described, {}):
            method = "get"
        if described is None:
            assert answer.status_code in (404, 405, 429), exchange(answer)
            assert kind == PROBLEM, exchange(answer)
        elif method == "options":
            assert (answer.status_code, answer.content) == (204, b""), exchange(answer)
        elif method not in self._document["paths"][described]:
            assert answer.status_code in (405, 429), exchange(answer)
            assert answer.status_code == 429 or "OPTIONS" in answer.headers["allow"], exchange(answer)
        else:
            self._check_described(described, method, answer, kind)

    def _check_described(self, path: str, method: str, answer: httpx2.Response, kind: str) -> None:
        self.seen.add((method, path, answer.status_code))
        responses = self._document["paths"][path][method]["responses"]
        assert str(answer.status_code) in responses, f"not a declared status: {exchange(answer)}"
        response = responses[str(answer.status_code)]
        if "$ref" in response:
            response = self._document["components"]["responses"][response["$ref"].rpartition("/")[2]]
        content = response.get("content", {})
        if not content:
            assert not answer.content, f"declared empty: {exchange(answer)}"
            return
        assert kind in content, f"not a declared media type: {exchange(answer)}"
        if answer.request.method != "HEAD" and kind.endswith("json") and "schema" in content[kind]:
            faults = self._validators.faults(content[kind]["schema"], answer.json())
            assert faults == [], exchange(answer)


def exchange(answer: httpx2.Response) -> str:
    """Return the request and the beginning of its answer, for messages."""
    return f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text[:500]!r}"


def _pattern(part: str) -> str:
    return "[^/]+" if part.startswith("{") else re.escape(part)


def problem(answer: httpx2.Response, status: int, name: str) -> dict[str, Any]:
    """Return the answer's problem, which must have this status and name."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    body: dict[str, Any] = answer.json()
    assert body["type"] == f"/problems/{name}"
    return body


def pointers(answer: httpx2.Response) -> list[str]:
    """Return the JSON pointers to the faults of a refused body."""
    return [fault["pointer"] for fault in problem(answer, 422, "invalid")["errors"]]
