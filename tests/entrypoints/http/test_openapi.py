"""The OpenAPI document is valid and complete, and hostile requests made from it cause no internal error."""

from __future__ import annotations

import html
import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from functools import reduce
from operator import getitem
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx2
import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openapi_spec_validator.schemas import schema_v31

from adapters.ids import uuid7
from domain.values import Role
from entrypoints.http import bodies
from entrypoints.http.openapi import operation_id
from entrypoints.http.pages import static_url
from entrypoints.http.reference import Reference
from entrypoints.http.table import OPERATIONS
from tests.client import Client, LiveService, Ticket
from tests.entrypoints.http.contract import Validators
from tests.examples import examples


@pytest.fixture
def document(client: Client) -> dict[str, Any]:
    answer = client.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    described: dict[str, Any] = answer.json()
    return described


def test_the_document_is_valid(document: dict[str, Any]):
    assert document["openapi"].startswith("3.1.")
    assert [fault.message for fault in jsonschema_rs.Draft202012Validator(dict(schema_v31)).iter_errors(document)] == []
    schemas = [*document["components"]["schemas"].values(), *values_of(document, "schema")]
    assert [schema for schema in schemas if not jsonschema_rs.meta.is_valid(schema)] == []
    for reference in {*values_of(document, "$ref")}:
        reduce(getitem, reference.removeprefix("#/").split("/"), document)


def values_of(part: Any, key: str) -> Iterator[Any]:
    """Yield every value of this key in the document."""
    if isinstance(part, dict):
        if key in part:
            yield part[key]
        part = list(part.values())
    if isinstance(part, list):
        for inner in part:
            yield from values_of(inner, key)


def test_every_operation_of_the_table_is_described_once(document: dict[str, Any]):
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described == {(o.method, o.path) for o in OPERATIONS if not o.hidden}
    assert [o.path for o in OPERATIONS if o.hidden] == ["/static/{name}", "/favicon.ico"]
    ids = [
        operation_object["operationId"]
        for methods in document["paths"].values()
        for operation_object in methods.values()
    ]
    assert len(ids) == len(set(ids))


def test_operation_ids_are_valid_function_names(document: dict[str, Any]):
    ids = [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]
    assert [id for id in ids if not re.fullmatch(r"[a-z][a-zA-Z0-9]*", id)] == []
    assert {"createTicket", "getTicketStatus", "getDonationTotals"} <= set(ids)


def test_every_field_and_parameter_has_a_sentence(document: dict[str, Any]):
    fields = [
        f"{name}.{field}"
        for name, schema in document["components"]["schemas"].items()
        for field, described in schema.get("properties", {}).items()
        if not described.get("description")
    ]
    assert fields == [], "add a sentence for each to entrypoints/http/field_descriptions.py"
    parameters = [
        parameter["name"]
        for methods in document["paths"].values()
        for operation in methods.values()
        for parameter in operation["parameters"]
        if not parameter.get("description")
    ]
    assert parameters == [], "add a sentence for each to entrypoints/http/field_descriptions.py"


def test_every_operation_describes_its_callers_body_and_problems(document: dict[str, Any]):
    for operation in OPERATIONS:
        if operation.hidden:
            continue
        operation_object = document["paths"][operation.path][operation.method.lower()]
        assert operation_object["summary"]
        assert ("requestBody" in operation_object) is (operation.body_kind.name != "NONE")
        names = {parameter["name"] for parameter in operation_object["parameters"]}
        assert set(re.findall(r"{(\w+)}", operation.path)) <= names
        assert ("Idempotency-Key" in names) is operation.idempotency_key
        if operation.access.metrics_token:
            assert {"401", "404"} <= set(operation_object["responses"])
            assert "403" not in operation_object["responses"]
        elif not operation.access.ignores_credentials:
            assert {"401", "403", "429"} <= set(operation_object["responses"])


def schemas_and_examples(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Yield each example with the place where it is shown and the schema beside it; None if there is no example."""
    places = {f"response {name}": part for name, part in document["components"]["responses"].items()}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            places[f"body of {method} {path}"] = operation.get("requestBody", {})
            places |= {f"{status} of {method} {path}": part for status, part in operation["responses"].items()}
    for place, part in places.items():
        for media_type in part.get("content", {}).values():
            schema = media_type.get("schema", {})
            if "example" in media_type:
                yield place, schema, media_type["example"]
            for name, reference in media_type.get("examples", {}).items():
                assert reference == {"$ref": f"#/components/examples/{name}"}
                yield place, schema, document["components"]["examples"][name]["value"]
            if not media_type.keys() & {"example", "examples"} and "/schemas/" in json.dumps(schema):
                yield place, schema, None


def test_every_body_and_answer_of_a_named_schema_has_an_example_that_its_schema_allows(document: dict[str, Any]):
    pairs = list(schemas_and_examples(document))
    assert [place for place, _, example in pairs if example is None] == []
    assert len(pairs) > 200
    validators = Validators(document)
    for place, schema, example in pairs:
        assert validators.faults(schema, example) == [], place


def test_the_example_of_a_body_is_accepted(document: dict[str, Any]):
    for model in {operation.body_model for operation in OPERATIONS if operation.body_model}:
        example = document["components"]["examples"][model.__name__]["value"]
        assert bodies.read(model, json.dumps(example).encode()), model


def test_an_example_of_a_problem_names_the_problem(document: dict[str, Any]):
    response = document["components"]["responses"]["not-found"]
    example = response["content"]["application/problem+json"]["example"]
    assert (example["type"], example["status"]) == ("/problems/not-found", 404)
    assert "errors" not in example


def test_the_reference_lists_every_operation_and_loads_nothing_from_other_hosts(client: Client):
    answer = client.get("/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    for operation in OPERATIONS:
        if not operation.hidden:
            assert f'href="/docs/{operation_id(operation)}"' in answer.text
    loaded = re.findall(r'(?:src|href|action)="([^"#]+)"', answer.text)
    assert loaded
    for address in loaded:
        assert address.startswith(("/", "?lang="))
        address = address if address.startswith("/") else f"/docs{address}"
        # The pages of operations have a test of their own.
        assert address.startswith("/docs/") or client.get(address).status_code == 200
    assert re.findall(r"<script[^>]*>", answer.text) == [
        f'<script type="module" src="{static_url("reference.js")}">',
    ]


def test_the_page_of_an_operation_has_command_fields_and_examples(client: Client):
    page = html.unescape(client.get("/docs/refundDonation").text)
    assert "/admin/donations/{donation_id}/refund" in page
    assert "curl -X POST -H 'Authorization: Bearer …' -H 'Content-Type: application/json'" in page
    assert '"reason": "The donor asked for it."' in page
    assert "The reason, in words." in page
    assert client.get("/docs/nothing").status_code == 404


def test_every_operation_can_be_shown_and_found_by_its_fields(document: dict[str, Any]):
    reference = Reference(document)
    for entry in reference.entries:
        shown = reference.operation(entry.id)
        assert shown is not None
        assert shown["curl"].startswith("curl ")
        assert entry.id in [found.id for entries in reference.areas(entry.path).values() for found in entries]
    [[found]] = reference.areas("admin refund reason donation_id").values()
    assert found.id == "refundDonation"
    assert reference.areas("no such words anywhere") == {}


def test_the_reference_is_searched_without_scripts_and_in_the_readers_language(client: Client):
    page = client.get("/docs?words=refund+reason&lang=es").text
    assert "Los textos sobre las operaciones están en inglés." in page
    assert "/docs/refundDonation" in page
    assert "/docs/createTicket" not in page
    assert client.get('/docs?words="><script>').text.count("<script") == 1


# Requests made from the document.

HOSTILE = st.one_of(
    st.text(max_size=40),
    st.text(st.characters(blacklist_categories=())).map(lambda text: text[:40]),
    st.sampled_from(
        [
            "", " ", "\0", "a\0b", "\ud800", "\udfff\ud800", "' OR 1=1 --", "%00", "../../etc/passwd", "{{7*7}}",
            "<script>",
            "\u202e", "\ufeff", "𝕬" * 20, "0", "-1", "1e999", "NaN", "9" * 30, "9223372036854775808", "null",
            "true", "[]",
            "2026-01-01", "2026-13-45", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-01-01T00:00:00+14:00",
            "WzEwXQ", "W10", "bnVsbA", "WyIwMDAxLTAxLTAxVDAwOjAwOjAwKzE0OjAwIiwiYSJd",
            "WzAsIjIwMjYtMDEtMDFUMDA6MDA6MDBaIiwiYSJd",
            str(uuid7()), "a@b.co", "+1 415 555 0100", "x" * 3000,
        ]
    ),
)  # fmt: skip
JSON_VALUE = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), HOSTILE),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(HOSTILE, inner, max_size=3)),
    max_leaves=6,
)


def fitting(schema: dict[str, Any], document: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return values for a schema, mostly of the right type and often at or beyond its limits."""
    if "$ref" in schema:
        resolved: Any = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            resolved = resolved[part]
        return fitting(resolved, document)
    if "anyOf" in schema:
        return st.one_of([fitting(alternative, document) for alternative in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"]) | HOSTILE
    match schema.get("type"):
        case "object":
            properties = {
                name: fitting(part, document) | JSON_VALUE for name, part in schema.get("properties", {}).items()
            }
            needed = {name: properties[name] for name in schema.get("required", []) if name in properties}
            optional = {name: strategy for name, strategy in properties.items() if name not in needed}
            fit = st.fixed_dictionaries(needed, optional=optional)
            return fit | st.builds(lambda a, b: a | b, fit, st.dictionaries(HOSTILE, JSON_VALUE, max_size=2))
        case "array":
            return st.lists(fitting(schema.get("items", {}), document), max_size=25)
        case "integer":
            return st.integers(-(2**70), 2**70) | st.integers(-1, 101)
        case "number":
            return st.floats(allow_nan=False, allow_infinity=False) | st.integers(-1, 6000) | st.just(10**400)
        case "boolean":
            return st.booleans()
        case "string" if schema.get("format") == "uuid":
            return st.uuids().map(str) | HOSTILE
        case "string":
            return HOSTILE
        case _:
            return JSON_VALUE


def encoded(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=True).encode()


def in_url(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


@pytest.fixture(scope="module")
def callers(shared_live: LiveService) -> list[Client]:
    visitor = shared_live.client()
    ticket = visitor.open_ticket()
    ticket.publish()
    ticket.pay(5)
    return [visitor, ticket.http, shared_live.client_with_key(Role.ADMIN), shared_live.client_with_key(Role.AUDITOR)]


@pytest.fixture(scope="module")
def known(callers: list[Client]) -> dict[str, str]:
    """Return values for the path parameters that name existing objects."""
    holder = callers[1]
    token = holder.headers["authorization"].removeprefix("Bearer tkt_")
    id = str(UUID(bytes=urlsafe_b64decode(token + "=" * (-len(token) % 4))[:16]))
    return {"ticket_id": id, "slug": holder.get(f"/api/tickets/{id}/qr-code").json()["targetUrl"].rpartition("/")[2]}


@examples(60)
@given(data=st.data())
def test_no_request_causes_an_internal_error(
    shared_live: LiveService, callers: list[Client], known: dict[str, str], data: st.DataObject
):
    """Each answer is also checked against the OpenAPI document, as in every test here."""
    document = shared_live.openapi
    path = data.draw(st.sampled_from(sorted(document["paths"])))
    method = data.draw(st.sampled_from(sorted(document["paths"][path])))
    # Erasing the ticket would leave the other requests without an object.
    if method == "delete":
        return
    operation = document["paths"][path][method]
    place = re.sub(
        r"{(\w+)}",
        lambda part: data.draw(st.sampled_from([known.get(part[1], "x"), None])) or in_url(data.draw(HOSTILE)) or "x",
        path,
    )
    query, headers = [], {}
    for parameter in operation["parameters"]:
        if parameter["in"] == "query" and data.draw(st.booleans()):
            value = data.draw(fitting(parameter["schema"], document))
            query.append(f"{parameter['name']}={in_url(str(value))}")
        if parameter["in"] == "header" and data.draw(st.integers(0, 3)) == 0:
            headers[parameter["name"]] = data.draw(
                st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=300)
            )
    content = None
    if "requestBody" in operation:
        kind, body = data.draw(st.sampled_from(sorted(operation["requestBody"]["content"].items())))
        headers["Content-Type"] = kind
        if kind.endswith("json"):
            content = encoded(data.draw(fitting(body["schema"], document)))
        else:
            content = data.draw(st.binary(max_size=200) | HOSTILE.map(lambda text: f"amount={in_url(text)}".encode()))
    caller = data.draw(st.sampled_from(callers))
    answer: httpx2.Response = caller.request(
        method, place + ("?" + "&".join(query) if query else ""), headers=headers, content=content
    )
    assert answer.status_code < 500


def test_a_hostile_include_is_answered_or_refused(ticket: Ticket):
    for text in ("\0", "%", "a" * 5000, "é", "draft,draft", ",", "draft,\0"):
        assert ticket.get(params={"include": text}).status_code in (200, 422)
