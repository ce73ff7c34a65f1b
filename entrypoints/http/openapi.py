"""The OpenAPI 3.1 document, made from the table of operations, the models of bodies and the types of responses."""

import re
from collections.abc import Iterable
from itertools import chain
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

from domain.values import Role
from entrypoints.http.examples import add_examples, problem_example
from entrypoints.http.field_descriptions import describe_fields, parameter_description
from entrypoints.http.operations import Access, Answer, BodyKind, EventStream, JsonStream, Operation, RateLimit, Stream
from entrypoints.http.problems import PROBLEM_MEDIA_TYPE, PROBLEM_TYPES
from entrypoints.http.uploads import PART_MEDIA_TYPE
from entrypoints.presentation.problems import ProblemDetails

JsonObject = dict[str, Any]

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
REFERENCE = "#/components/schemas/{name}"
# The problems of pages, which browsers get as pages too, are responses of their own.
FOR_BROWSERS = "-page"
_BODY_TYPES = {
    BodyKind.JSON: JSON,
    BodyKind.JSON_OR_FORM: JSON,
    BodyKind.MERGE_PATCH: "application/merge-patch+json",
    BodyKind.WEBHOOK: JSON,
    BodyKind.FORM: FORM,
    BodyKind.LONG_FORM: FORM,
    BodyKind.AUDIO: "multipart/form-data",
    BodyKind.PROOF: "multipart/form-data",
    BodyKind.PART: PART_MEDIA_TYPE,
    BodyKind.ATTACHMENT: "multipart/form-data",
}
CREDENTIALS = {
    "ticketToken": "The access token of a ticket (`tkt_…`), shown once when the ticket is opened. It gives access to"
    " everything of that ticket.",
    "session": "A session (`ses_…`), given for a login code. It gives access to a contact's tickets for some hours.",
    "memberSession": "A session of a member of a workspace (`mbr_…`), given for a login code. It gives access to"
    " what the member's role allows in the workspace.",
    "metricsToken": "The METRICS_TOKEN that the service was started with. It gives access to the metrics only.",
    "apiKey": "An API key (`slk_…`), either for one workspace with scopes, or with the role admin or auditor.",
}
# The fields of https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
RATE_LIMIT_HEADERS = {
    "RateLimit-Policy": "The limit that the request counts against: its name, the calls (`q`) and the seconds (`w`).",
    "RateLimit": "What is left of that limit: the calls (`r`) and the seconds until it starts anew (`t`).",
}
_VERBS = {"GET": "show", "POST": "submit", "PUT": "put", "PATCH": "change", "DELETE": "delete", "HEAD": "check"}
_TEXT: JsonObject = {"type": "string"}
_ID: JsonObject = {"type": "string", "format": "uuid"}
_AUDIO: JsonObject = {
    "type": "object",
    "properties": {"audio": {"type": "string", "format": "binary"}},
    "required": ["audio"],
}
_PART: JsonObject = {"type": "string", "format": "binary"}
_ATTACHMENT: JsonObject = {
    "type": "object",
    "properties": {"file": {"type": "string", "format": "binary"}},
    "required": ["file"],
}
_PROOF: JsonObject = {
    "type": "object",
    "properties": {"text": _TEXT, "file": {"type": "string", "format": "binary"}},
}
_FORM: JsonObject = {"type": "object", "properties": {"amount": _TEXT, "currency": _TEXT}, "required": ["amount"]}


def document(operations: Iterable[Operation], version: str, base_url: str) -> JsonObject:
    """Return the OpenAPI document of all operations that are not hidden."""
    shown = [operation for operation in operations if not operation.hidden]
    response_schemas, components = _response_schemas(shown)
    paths: dict[str, JsonObject] = {}
    for operation, response_schema in zip(shown, response_schemas, strict=True):
        methods = paths.setdefault(operation.path, {})
        methods[operation.method.lower()] = _operation_object(operation, response_schema, components)
    describe_fields(components)
    described: JsonObject = {
        "openapi": "3.1.0",
        "info": {
            "title": "Storyledger",
            "version": version,
            "description": "Storyledger turns a spoken story into a fundraising campaign, and records every donation to"
            " it in a ledger that can be verified.",
        },
        "servers": [{"url": base_url}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                name: {"type": "http", "scheme": "bearer", "description": description}
                for name, description in CREDENTIALS.items()
            },
            "headers": {
                name: {"description": description, "schema": _TEXT} for name, description in RATE_LIMIT_HEADERS.items()
            },
            "responses": {name: _problem_response(name) for name in PROBLEM_TYPES}
            | {name + FOR_BROWSERS: _problem_response(name, for_browsers=True) for name in PROBLEM_TYPES},
        },
    }
    add_examples(described)
    return described


def _problem_response(name: str, *, for_browsers: bool = False) -> JsonObject:
    type = PROBLEM_TYPES[name]
    response: JsonObject = {
        "description": f"{type.title}: {type.description}",
        "content": {PROBLEM_MEDIA_TYPE: _problem_content()},
    }
    if for_browsers:
        response["content"]["text/html"] = {}
    else:
        response["content"][PROBLEM_MEDIA_TYPE]["example"] = problem_example(type)
    if name == "too-many-requests":
        response["headers"] = _rate_limit_headers()
    return response


def _rate_limit_headers() -> JsonObject:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in RATE_LIMIT_HEADERS}


def _problem_content() -> JsonObject:
    return {"schema": {"$ref": REFERENCE.format(name=ProblemDetails.__name__)}}


def _response_schemas(operations: Iterable[Operation]) -> tuple[list[JsonObject | None], JsonObject]:
    """Return the schema of each operation's JSON response (None if it has none), and the components they refer to."""
    types_by_operation = [_json_types(get_type_hints(operation.handler)["return"]) for operation in operations]
    all_types = list(dict.fromkeys([ProblemDetails, *chain.from_iterable(types_by_operation)]))
    schemas, components = msgspec.json.schema_components(all_types, ref_template=REFERENCE)
    _describe_amounts_as_numbers(components)
    schema_of_type = dict(zip(all_types, schemas, strict=True))
    return [_any_of([schema_of_type[type] for type in types]) for types in types_by_operation], components


def _json_types(annotation: object) -> list[object]:
    """Return the types in a handler's return annotation whose values are sent as JSON."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Answer, JsonStream):
        return _json_types(arguments[0])
    if origin in (Union, UnionType):
        return [type for argument in arguments for type in _json_types(argument)]
    return [] if annotation in (bytes, NoneType, Stream, EventStream) else [annotation]


def _any_of(schemas: list[JsonObject]) -> JsonObject | None:
    if len(schemas) > 1:
        return {"anyOf": schemas}
    return schemas[0] if schemas else None


def _describe_amounts_as_numbers(schema: object) -> None:
    """Change decimals from strings, as msgspec describes them, to numbers, as `presentation.responses` encodes them."""
    if isinstance(schema, list):
        for part in schema:
            _describe_amounts_as_numbers(part)
    elif isinstance(schema, dict):
        if schema.get("format") == "decimal":
            schema["type"] = "number"
        for part in schema.values():
            _describe_amounts_as_numbers(part)


def _operation_object(operation: Operation, response_schema: JsonObject | None, components: JsonObject) -> JsonObject:
    operation_object: JsonObject = {
        "operationId": operation_id(operation),
        "summary": operation.summary,
        "description": _access_description(operation),
        "tags": [operation.tag],
        "parameters": [*_path_parameters(operation), *_query_parameters(operation), *_header_parameters(operation)],
        "responses": _responses(operation, response_schema),
        "security": _security(operation.access),
    }
    if operation.body_kind is not BodyKind.NONE:
        operation_object["requestBody"] = _request_body(operation, components)
    return operation_object


def operation_id(operation: Operation) -> str:
    """Return the operation's name in lowerCamelCase."""
    if operation.id:
        return operation.id
    words = re.findall(r"[a-z0-9]+", re.sub(r"{(\w+?)(_id)?}", r"of-\1", operation.path).lower())
    return _VERBS.get(operation.method, operation.method.lower()) + "".join(word.capitalize() for word in words)


def _security(access: Access) -> list[dict[str, list[str]]]:
    """Return the alternative credentials with the role or scope that each needs; `{}` stands for no credential."""
    if access.ignores_credentials:
        return []
    if access.metrics_token:
        return [{"metricsToken": []}]
    alternatives: list[dict[str, list[str]]] = [{}] if access.is_open or access.open_if_published else []
    if Role.HOLDER in access.roles:
        alternatives += [{"ticketToken": []}, {"session": []}]
    if Role.CLIENT in access.roles:
        alternatives.append({"apiKey": [Role.CLIENT.value, *([access.scope] if access.scope else [])]})
    if access.members:
        alternatives.append({"memberSession": sorted(role.value for role in access.members if role)})
    return alternatives + [{"apiKey": [role.value]} for role in (Role.ADMIN, Role.AUDITOR) if role in access.roles]


def _access_description(operation: Operation) -> str:
    access = operation.access
    if access.metrics_token:
        return "Needs the METRICS_TOKEN of this service. A service that has none answers 404."
    sentences = [f"Allowed roles: {', '.join(sorted(role.value for role in access.roles)) or 'none'}."]
    if access.members:
        roles = ", ".join(sorted(role.value for role in access.members if role))
        sentences.append(f"Allowed roles of members in their workspace: {roles}.")
    if access.scope:
        sentences.append(f"An API client needs the scope `{access.scope}`.")
    if access.open_if_published:
        sentences.append("Open to everybody while the ticket is published.")
    if access.opens_tickets:
        sentences.append("The intake of the service and of the workspace says who may call.")
    return " ".join(sentences)


def _path_parameters(operation: Operation) -> list[JsonObject]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": parameter_description(name),
            "schema": _ID if name.endswith("_id") else _TEXT,
        }
        for name in re.findall(r"{(\w+)}", operation.path)
    ]


def _query_parameters(operation: Operation) -> list[JsonObject]:
    return [
        {
            "name": parameter.name,
            "in": "query",
            "required": parameter.required,
            "description": parameter.description,
            "schema": dict(parameter.schema),
        }
        for parameter in operation.query
    ]


def _header_parameters(operation: Operation) -> list[JsonObject]:
    headers: dict[str, JsonObject] = {}
    if operation.idempotency_key:
        headers["Idempotency-Key"] = {"type": "string", "minLength": 1, "maxLength": 255}
    if operation.access.names_ticket and operation.method in ("POST", "PATCH", "DELETE"):
        headers["If-Match"] = _TEXT
    if operation.revalidates:
        headers["If-None-Match"] = _TEXT
    if operation.ranges:
        headers |= {"Range": _TEXT, "If-Range": _TEXT}
    if EventStream.MEDIA_TYPE in operation.media_types:
        headers["Last-Event-ID"] = _TEXT
    if operation.body_kind is BodyKind.WEBHOOK:
        headers["Stripe-Signature"] = _TEXT
    return [
        {
            "name": name,
            "in": "header",
            "required": name == "Stripe-Signature",
            "description": parameter_description(name),
            "schema": schema,
        }
        for name, schema in headers.items()
    ]


def _request_body(operation: Operation, components: JsonObject) -> JsonObject:
    schemas = {
        BodyKind.AUDIO: _AUDIO,
        BodyKind.ATTACHMENT: _ATTACHMENT,
        BodyKind.FORM: _FORM,
        BodyKind.LONG_FORM: _FORM,
        BodyKind.PART: _PART,
        BodyKind.PROOF: _PROOF,
    }
    schema: JsonObject = schemas.get(operation.body_kind, {"type": "object"})
    required = True
    if operation.body_model is not None:
        name = operation.body_model.__name__
        model = operation.body_model.model_json_schema(ref_template=REFERENCE.replace("{name}", "{model}"))
        components.update(model.pop("$defs", {}))
        components[name] = model
        schema = {"$ref": REFERENCE.format(name=name)}
        required = bool(model.get("required"))
    content = {_BODY_TYPES[operation.body_kind]: {"schema": schema}}
    if operation.body_kind is BodyKind.MERGE_PATCH:
        content[JSON] = {"schema": schema}
    if operation.body_kind is BodyKind.JSON_OR_FORM:
        content[FORM] = {"schema": schema}
    return {"required": required, "content": content}


def _responses(operation: Operation, response_schema: JsonObject | None) -> JsonObject:
    def content(media_type: str) -> JsonObject:
        return {media_type: {"schema": response_schema} if media_type == JSON else {}}

    success: JsonObject = {"description": operation.summary}
    if operation.rate_limit is not RateLimit.NONE:
        success["headers"] = _rate_limit_headers()
    if operation.status not in (204, 303):
        success["content"] = {}
        for media_type in operation.media_types:
            success["content"] |= content(media_type)
    responses: JsonObject = {str(operation.status): success}
    for name in _problem_names(operation):
        suffix = FOR_BROWSERS if operation.is_for_browsers else ""
        responses[str(PROBLEM_TYPES[name].status)] = {"$ref": f"#/components/responses/{name}{suffix}"}
    if operation.is_for_browsers and operation.method == "GET" and "unauthenticated" in _problem_names(operation):
        responses.setdefault("303", {"description": "A browser is led to the page where one signs in."})
    if operation.revalidates:
        responses["304"] = {"description": "The client has the current content already."}
    if operation.ranges:
        responses["206"] = success | {"description": "The part of the content that `Range` asks for."}
    for status, media_type in operation.other_responses.items():
        if status == 303:
            responses["303"] = {"description": "The form of the page was accepted."}
            continue
        title = next(type.title for type in PROBLEM_TYPES.values() if type.status == status)
        contents = content(media_type) | {PROBLEM_MEDIA_TYPE: _problem_content()}
        responses[str(status)] = {"description": title, "content": contents}
    return responses


def _problem_names(operation: Operation) -> list[str]:
    """Return the names of the problems that an operation may answer with, which follow from its other fields."""
    names = ["internal", "unavailable"]
    if not operation.access.ignores_credentials:
        names.append("unauthenticated")
    if not (operation.access.ignores_credentials or operation.access.metrics_token):
        names.append("forbidden")
    if operation.rate_limit is not RateLimit.NONE or operation.body_kind is BodyKind.WEBHOOK:
        names.append("too-many-requests")
    if operation.body_kind in (BodyKind.AUDIO, BodyKind.ATTACHMENT, BodyKind.PART) or operation.tag == "Documents":
        names.append("insufficient-storage")
    if "{" in operation.path:
        names.append("not-found")
    if operation.ranges:
        names.append("range-not-satisfiable")
    if operation.body_kind is not BodyKind.NONE:
        names += ["malformed", "too-large", "unsupported-media-type"]
    is_paged = any(parameter.name == "cursor" for parameter in operation.query)
    if operation.body_model is not None or is_paged or not (operation.accepts_any_query or operation.monitoring):
        names.append("invalid")
    if operation.method in ("POST", "PATCH", "DELETE") and operation.body_kind is not BodyKind.WEBHOOK:
        names += ["conflict", "stale-version"]
    return names
