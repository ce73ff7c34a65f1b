"""The API reference: what its page shows, made from the OpenAPI document."""

import json

from entrypoints.http.openapi import JsonObject


def contents(document: JsonObject) -> dict[str, object]:
    tags: dict[str, list[JsonObject]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            tags.setdefault(operation["tags"][0], []).append(
                {"path": path, "method": method.upper(), **_shown_operation(operation, document)}
            )
    return {"document": document, "tags": tags}


def _shown_operation(operation: JsonObject, document: JsonObject) -> JsonObject:
    body = next(iter(operation.get("requestBody", {}).get("content", {}).items()), None)
    responses = {status: _resolved(response, document) for status, response in sorted(operation["responses"].items())}
    return {
        "id": operation["operationId"],
        "summary": operation["summary"],
        "description": operation["description"],
        "parameters": [parameter for parameter in operation["parameters"] if parameter["in"] != "path"],
        "body": body and {"type": body[0], "schema": _shown_schema(body[1]["schema"], document)},
        "responses": [
            {
                "status": status,
                "description": response["description"],
                "schema": _shown_schema(
                    response.get("content", {}).get("application/json", {}).get("schema"), document
                ),
            }
            for status, response in responses.items()
        ],
    }


def _shown_schema(schema: JsonObject | None, document: JsonObject) -> str | None:
    return json.dumps(_inlined(schema, document), indent=2, ensure_ascii=False) if schema else None


def _inlined(value: object, document: JsonObject) -> object:
    """Return the schema with its references replaced by what they refer to."""
    if isinstance(value, list):
        return [_inlined(part, document) for part in value]
    if isinstance(value, dict):
        return {name: _inlined(part, document) for name, part in _resolved(value, document).items()}
    return value


def _resolved(value: JsonObject, document: JsonObject) -> JsonObject:
    if "$ref" not in value:
        return value
    target = document
    for part in value["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return target
