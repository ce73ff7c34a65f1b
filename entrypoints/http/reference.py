"""The API reference: what its page shows, made from the OpenAPI document."""

import json
import shlex
from typing import Any

from entrypoints.http.openapi import JsonObject

# An example value for fields whose name says more than their type.
_EXAMPLES: JsonObject = {
    "contactType": "EMAIL",
    "contactValue": "ada@example.com",
    "contact": "ada@example.com",
    "newContactValue": "ada@example.com",
    "displayName": "Ada Lovelace",
    "beneficiary": "Ada Lovelace",
    "title": "A roof for Ada",
    "story": "The storm took our roof.",
    "location": "Lima",
    "amount": 50,
    "goalAmount": 1500,
    "currency": "USD",
    "reason": "The donor asked for it.",
    "consent": True,
    "scopes": ["story", "name"],
    "language": "en",
    "code": "1234 5678",
}
_BY_FORMAT = {"uuid": "0192f0c1-7e51-7cc4-8d09-1f3b5c0a9e77", "date-time": "2026-05-01T12:00:00Z"}
_BY_TYPE: JsonObject = {"string": "text", "integer": 1, "number": 1, "boolean": True, "null": None}
# Every operation may answer with these; they are shown once.
_SHARED = (
    "400",
    "401",
    "403",
    "404",
    "405",
    "409",
    "412",
    "413",
    "415",
    "416",
    "422",
    "429",
    "431",
    "500",
    "503",
    "507",
)


def contents(document: JsonObject) -> dict[str, object]:
    tags: dict[str, list[JsonObject]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            tags.setdefault(operation["tags"][0], []).append(
                {
                    "path": path,
                    "method": method.upper(),
                    "curl": _curl(method.upper(), path, operation, document),
                    **_shown_operation(operation, document),
                }
            )
    problems = sorted(
        (response["description"].partition(": ") for response in document["components"]["responses"].values()),
        key=lambda parts: parts[0],
    )
    return {"document": document, "tags": tags, "problems": [(title, text) for title, _, text in problems]}


def _shown_operation(operation: JsonObject, document: JsonObject) -> JsonObject:
    body = next(iter(operation.get("requestBody", {}).get("content", {}).items()), None)
    responses = {status: _resolved(response, document) for status, response in sorted(operation["responses"].items())}
    success = next((response for status, response in responses.items() if status < "400"), {})
    answer = success.get("content", {}).get("application/json", {}).get("schema")
    return {
        "id": operation["operationId"],
        "summary": operation["summary"],
        "description": operation["description"],
        "parameters": operation["parameters"],
        "body": body and {"type": body[0], "fields": _fields(body[1].get("schema"), document)},
        "answer": answer and {
            "fields": _fields(answer, document),
            "example": json.dumps(_example(answer, document), indent=2, ensure_ascii=False),
        },
        "statuses": [(status, response["description"]) for status, response in responses.items() if status < "400"],
        "problems": [status for status in responses if status in _SHARED],
    }  # fmt: skip


def _fields(schema: JsonObject | None, document: JsonObject) -> list[JsonObject]:
    """Return the fields of a schema with their types and sentences, those of parts of it left out."""
    resolved = _resolved(schema or {}, document)
    if "anyOf" in resolved:
        return [field for part in resolved["anyOf"] for field in _fields(part, document)]
    required = resolved.get("required", [])
    return [
        {
            "name": name,
            "type": _type(part, document),
            "required": name in required,
            "description": part.get("description", ""),
        }
        for name, part in resolved.get("properties", {}).items()
    ]


def _type(schema: JsonObject, document: JsonObject) -> str:
    if "$ref" in schema:
        resolved = _resolved(schema, document)
        return " | ".join(map(str, resolved["enum"])) if "enum" in resolved else schema["$ref"].rpartition("/")[2]
    if "anyOf" in schema:
        return " | ".join(_type(part, document) for part in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}), document)}"
    return str(schema.get("format") or schema.get("type", "any"))


def _example(schema: JsonObject, document: JsonObject, name: str = "", depth: int = 0) -> Any:
    """Return a value that the schema allows."""
    if name in _EXAMPLES:
        return _EXAMPLES[name]
    resolved = _resolved(schema, document)
    if "anyOf" in resolved:
        return _example(resolved["anyOf"][0], document, name, depth)
    for fixed in ("const", "default"):
        if fixed in resolved:
            return resolved[fixed]
    if "enum" in resolved:
        return resolved["enum"][0]
    if "properties" in resolved:
        if depth > 3:
            return {}
        return {field: _example(part, document, field, depth + 1) for field, part in resolved["properties"].items()}
    if resolved.get("type") == "array":
        return [_example(resolved["items"], document, name, depth + 1)] if "items" in resolved else []
    return _BY_FORMAT.get(resolved.get("format", ""), _BY_TYPE.get(resolved.get("type", ""), {}))


def _curl(method: str, path: str, operation: JsonObject, document: JsonObject) -> str:
    """Return a command that calls the operation."""
    query = "&".join(f"{p['name']}=…" for p in operation["parameters"] if p["in"] == "query" and p["required"])
    parts = ["curl", *([] if method == "GET" else ["-X", method])]
    if {} not in operation["security"] and operation["security"]:
        parts += ["-H", "Authorization: Bearer …"]
    for type, content in list(operation.get("requestBody", {}).get("content", {}).items())[:1]:
        schema = _resolved(content.get("schema", {}), document)
        required = schema.get("required") or list(schema.get("properties", {}))
        example = {name: _example(part, document, name) for name, part in schema.get("properties", {}).items()}
        fields = {name: value for name, value in example.items() if name in required}
        if type.endswith("json"):
            parts += ["-H", f"Content-Type: {type}", "-d", json.dumps(fields, ensure_ascii=False)]
        elif type.startswith("multipart"):
            parts += [part for name in fields for part in ("-F", f"{name}=@{name}")]
        elif type.endswith("urlencoded"):
            parts += [part for name, value in fields.items() for part in ("-d", f"{name}={value}")]
        else:
            parts += ["--data-binary", "@file"]
    parts.append(document["servers"][0]["url"] + path + (f"?{query}" if query else ""))
    return " ".join(shlex.quote(part) if part != "curl" else part for part in parts)


def _resolved(value: JsonObject, document: JsonObject) -> JsonObject:
    if "$ref" not in value:
        return value
    target = document
    for part in value["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return target
