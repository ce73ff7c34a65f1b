"""The interface described for people: one page made from the OpenAPI document, with nothing from another host."""

from __future__ import annotations

import json
from typing import Any

from entrypoints.http.pages import PAGES

# The last document and its page: there is one document for as long as a service runs, and its page takes a while.
_made: tuple[dict[str, Any], bytes] | None = None


def page(document: dict[str, Any]) -> bytes:
    """The document for people, rendered once."""
    global _made
    if _made is None or _made[0] is not document:
        _made = document, _rendered(document).encode()
    return _made[1]


def _rendered(document: dict[str, Any]) -> str:
    tags: dict[str, list[dict[str, Any]]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            tags.setdefault(operation["tags"][0], []).append(
                {"path": path, "method": method.upper(), **_for_people(operation, document)}
            )
    return PAGES.render("reference.html", document=document, tags=tags)


def _for_people(operation: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    body = next(iter(operation.get("requestBody", {}).get("content", {}).items()), None)
    return {
        "id": operation["operationId"],
        "summary": operation["summary"],
        "description": operation["description"],
        "parameters": [p for p in operation["parameters"] if p["in"] != "path"],
        "body": body and {"type": body[0], "schema": _pretty(_resolved(body[1]["schema"], document))},
        "responses": [
            {
                "status": status,
                "description": _resolved(response, document)["description"],
                "schema": _pretty(
                    _resolved(response, document).get("content", {}).get("application/json", {}).get("schema")
                ),
            }
            for status, response in sorted(operation["responses"].items())
        ],
    }


def _resolved(value: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in value:
        return value
    found: Any = document
    for part in value["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    resolved: dict[str, Any] = found
    return resolved


def _pretty(schema: dict[str, Any] | None) -> str | None:
    return json.dumps(schema, indent=2, ensure_ascii=False) if schema else None
