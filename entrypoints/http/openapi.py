"""The OpenAPI 3.1 document, made from the table of operations and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from domain.values import Role
from entrypoints.http import schemas
from entrypoints.http.operations import Access, Limit, Operation, Takes
from entrypoints.http.problems import KINDS, MEDIA_TYPE

_BODY_TYPES = {
    Takes.JSON: "application/json",
    Takes.MERGE_PATCH: "application/merge-patch+json",
    Takes.SIGNED: "application/json",
    Takes.FORM: "application/x-www-form-urlencoded",
    Takes.AUDIO: "multipart/form-data",
}
CREDENTIALS = {
    "ticketToken": "A ticket's token (`tkt_…`), given once when the ticket is opened: everything of that one ticket.",
    "session": "A session (`ses_…`) for a code sent to a contact: the tickets of that contact, for some hours.",
    "metricsToken": "The METRICS_TOKEN that the service was started with: its metrics and nothing else.",
    "apiKey": "An API key (`slk_…`), bound to a workspace and scopes, or with the role admin or auditor.",
}
_AUDIO = {"type": "object", "properties": {"audio": {"type": "string", "format": "binary"}}, "required": ["audio"]}
_FORM = {
    "type": "object",
    "properties": {"amount": {"type": "string"}, "currency": {"type": "string"}},
    "required": ["amount"],
}


def document(operations: Iterable[Operation], version: str, base_url: str) -> dict[str, Any]:
    """The whole interface as it is in the table."""
    models: dict[str, Any] = {}
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        if not operation.hidden:
            paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation, models)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Storyledger",
            "version": version,
            "description": "A spoken story becomes a campaign, and every gift to it a line in a ledger.",
        },
        "servers": [{"url": base_url}],
        "paths": paths,
        "components": {
            "schemas": {"Problem": schemas.PROBLEM, **models},
            "securitySchemes": {
                name: {"type": "http", "scheme": "bearer", "description": meaning}
                for name, meaning in CREDENTIALS.items()
            },
            "responses": {
                name: {
                    "description": f"{kind.title}: {kind.meaning}",
                    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
                }
                for name, kind in KINDS.items()
            },
        },
    }


def _described(operation: Operation, models: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": _operation_id(operation),
        "summary": operation.summary,
        "description": _who(operation),
        "tags": [operation.tag],
        "parameters": [*_path_parameters(operation), *_query_parameters(operation), *_headers(operation)],
        "responses": _responses(operation),
        "security": _security(operation.access),
    }
    if operation.takes is not Takes.NOTHING:
        described["requestBody"] = _request_body(operation, models)
    return described


def _security(access: Access) -> list[dict[str, list[str]]]:
    """Each of the ways to be let in: nothing at all, or a credential, and what it must be good for."""
    if access.ignores_credentials:
        return []
    if access.metrics:
        return [{"metricsToken": []}]
    ways: list[dict[str, list[str]]] = [{}] if access.open or access.published else []
    if Role.HOLDER in access.roles:
        ways += [{"ticketToken": []}, {"session": []}]
    if Role.CLIENT in access.roles:
        ways.append({"apiKey": [Role.CLIENT.value, *([access.scope] if access.scope else [])]})
    return ways + [{"apiKey": [role.value]} for role in (Role.ADMIN, Role.AUDITOR) if role in access.roles]


def _operation_id(operation: Operation) -> str:
    words = re.findall(r"[a-z0-9]+", operation.path.replace("ticket_id", "ticket").replace("document_id", "document"))
    return "_".join([operation.method.lower(), *words])


def _who(operation: Operation) -> str:
    if operation.access.metrics:
        return "For whoever has the METRICS_TOKEN of this service; without one there is nothing here."
    roles = ", ".join(sorted(role.value for role in operation.access.roles))
    scope = f" An API client needs the scope `{operation.access.scope}`." if operation.access.scope else ""
    everybody = " Everybody once the ticket is published." if operation.access.published else ""
    return f"For: {roles}.{scope}{everybody}"


def _path_parameters(operation: Operation) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": schemas.ID if name.endswith("_id") else schemas.TEXT,
        }
        for name in re.findall(r"{(\w+)}", operation.path)
    ]


def _query_parameters(operation: Operation) -> list[dict[str, Any]]:
    return [
        {
            "name": parameter.name,
            "in": "query",
            "required": parameter.required,
            "description": parameter.meaning,
            "schema": dict(parameter.schema),
        }
        for parameter in operation.query
    ]


def _headers(operation: Operation) -> list[dict[str, Any]]:
    found = []
    if operation.creates:
        schema = {"type": "string", "minLength": 1, "maxLength": 255}
        found.append({"name": "Idempotency-Key", "in": "header", "required": False, "schema": schema})
    if operation.access.ticket and operation.method in ("POST", "PATCH", "DELETE"):
        found.append({"name": "If-Match", "in": "header", "required": False, "schema": schemas.TEXT})
    if operation.revalidates:
        found.append({"name": "If-None-Match", "in": "header", "required": False, "schema": schemas.TEXT})
    if operation.takes is Takes.SIGNED:
        found.append({"name": "Stripe-Signature", "in": "header", "required": True, "schema": schemas.TEXT})
    return found


def _request_body(operation: Operation, models: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any]
    if operation.body is not None:
        model = operation.body.model_json_schema(ref_template="#/components/schemas/{model}")
        models.update(model.pop("$defs", {}))
        models[operation.body.__name__] = model
        schema = {"$ref": f"#/components/schemas/{operation.body.__name__}"}
    else:
        schema = {Takes.AUDIO: _AUDIO, Takes.FORM: _FORM}.get(operation.takes, {"type": "object"})
    content = {_BODY_TYPES[operation.takes]: {"schema": schema}}
    if operation.takes is Takes.MERGE_PATCH:
        content["application/json"] = {"schema": schema}
    required = operation.body is None or bool(models[operation.body.__name__].get("required"))
    return {"required": required, "content": content}


def _responses(operation: Operation) -> dict[str, Any]:
    done: dict[str, Any] = {"description": operation.summary}
    if operation.status not in (204, 303):
        done["content"] = {
            media_type: {"schema": dict(operation.gives)} if media_type == "application/json" else {}
            for media_type in operation.gives_types
        }
    responses: dict[str, Any] = {str(operation.status): done}
    for name in _problems(operation):
        responses[str(KINDS[name].status)] = {"$ref": f"#/components/responses/{name}"}
    if operation.revalidates:
        responses["304"] = {"description": "What you have is what there is."}
    for status, (media_type, schema) in operation.also.items():
        name = next(name for name, kind in KINDS.items() if kind.status == status)
        problem = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        content = {media_type: {"schema": dict(schema)} if schema else {}}
        responses[str(status)] = {"description": KINDS[name].title, "content": content | problem}
    return responses


def _problems(operation: Operation) -> list[str]:
    """Which problems an operation may answer with, as they follow from what it is."""
    names = ["internal", "unavailable"]
    if not operation.access.ignores_credentials:
        names += ["unauthenticated", "forbidden"]
    if operation.limit is not Limit.NONE or operation.takes is Takes.SIGNED:
        names.append("too-many-requests")
    if operation.takes is Takes.AUDIO or operation.tag == "Documents":
        names.append("insufficient-storage")
    if "{" in operation.path:
        names.append("not-found")
    if operation.takes is not Takes.NOTHING:
        names += ["malformed", "too-large", "unsupported-media-type", "invalid"]
    if operation.query:
        names.append("invalid")
    if operation.method in ("POST", "PATCH", "DELETE") and operation.takes is not Takes.SIGNED:
        names += ["conflict", "stale-version"]
    return names
