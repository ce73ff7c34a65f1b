"""Examples of bodies and answers for the OpenAPI document and the API reference, made from the schemas.

A field without a realistic value gets the first value of its enumeration, or a value of its type.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from entrypoints.http.example_values import BY_FORMAT, BY_TYPE, LEFT_OUT, TICKET, VALUES
from entrypoints.presentation.problems import ProblemType

JsonObject = dict[str, Any]

_SCHEMAS = "#/components/schemas/"
_PYTHON_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
    "array": (list,),
    "object": (dict,),
}


def problem_example(type: ProblemType) -> JsonObject:
    """Return the example of an answer with this problem."""
    problem = {
        "type": type.type,
        "title": type.title,
        "status": type.status,
        "detail": type.description,
        "instance": f"/api/tickets/{TICKET}",
        "requestId": VALUES["requestId"],
    }
    if type.codes:
        problem["errors"] = [{"pointer": "/contactValue", "code": "required", "detail": "is required"}]
    return problem


def add_examples(document: JsonObject) -> None:
    """Give every body and every JSON answer an example; those of named schemas are shared by all that show them."""
    schemas = document["components"]["schemas"]
    examples: dict[str, JsonObject] = {}
    for media_type in _media_types(document):
        schema = media_type.get("schema", {})
        referred = [part["$ref"] for part in schema.get("anyOf", [schema]) if "$ref" in part]
        names = [reference.removeprefix(_SCHEMAS) for reference in referred]
        if names:
            media_type["examples"] = {name: {"$ref": f"#/components/examples/{name}"} for name in names}
            examples |= {name: {"value": example_of({"$ref": _SCHEMAS + name}, schemas)} for name in names}
        elif schema.get("type") == "array":
            media_type["example"] = example_of(schema, schemas)
    document["components"]["examples"] = examples


def _media_types(document: JsonObject) -> Iterator[JsonObject]:
    described = [operation for methods in document["paths"].values() for operation in methods.values()]
    parts = [part for operation in described for part in operation["responses"].values()]
    parts += [operation["requestBody"] for operation in described if "requestBody" in operation]
    for part in [*parts, *document["components"]["responses"].values()]:
        for media_type in part.get("content", {}).values():
            if "example" not in media_type:
                yield media_type


def example_of(schema: JsonObject, schemas: Mapping[str, JsonObject], field: str = "", owner: str = "") -> Any:
    """Return a value that the schema allows; `schemas` has the schemas that it refers to, by their names."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_SCHEMAS)
        referred = schemas[name]
        return _object(name, referred, schemas) if "properties" in referred else _value(referred, schemas, field, owner)
    return _value(schema, schemas, field, owner)


def _object(name: str, schema: JsonObject, schemas: Mapping[str, JsonObject]) -> JsonObject:
    return {
        field: example_of(part, schemas, field, name)
        for field, part in schema["properties"].items()
        if LEFT_OUT.isdisjoint((field, f"{name}.{field}"))
    }


def _value(schema: JsonObject, schemas: Mapping[str, JsonObject], field: str, owner: str) -> Any:
    fixed = schema.get("enum") or ([schema["const"]] if "const" in schema else [])
    for name in (f"{owner}.{field}", field):
        if name in VALUES and _fits(VALUES[name], schema, fixed, schemas):
            return VALUES[name]
    if "anyOf" in schema:
        return example_of(schema["anyOf"][0], schemas, field, owner)
    if fixed:
        return fixed[0]
    if schema.get("type") == "array":
        return [example_of(schema["items"], schemas, field, owner)] if "items" in schema else []
    if schema.get("type") == "object":
        inner = schema.get("additionalProperties")
        return {"ticket_status": example_of(inner, schemas, field, owner)} if isinstance(inner, dict) else {}
    return BY_FORMAT.get(schema.get("format", ""), BY_TYPE.get(schema.get("type", ""), None))


def _fits(value: object, schema: JsonObject, fixed: list[object], schemas: Mapping[str, JsonObject]) -> bool:
    """Return True if the value is of the schema's type, so that a name may have objects or texts elsewhere."""
    if "anyOf" in schema:
        return any(_fits(value, _resolved(part, schemas), part.get("enum", []), schemas) for part in schema["anyOf"])
    if fixed:
        return value in fixed
    kind = schema.get("type", "")
    if kind not in _PYTHON_TYPES:
        return False
    if kind == "array" and isinstance(value, list):
        items = _resolved(schema.get("items", {}), schemas)
        return all(_fits(item, items, items.get("enum", []), schemas) for item in value)
    if kind == "object":
        return isinstance(value, dict) and "properties" not in schema
    return isinstance(value, _PYTHON_TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _resolved(schema: JsonObject, schemas: Mapping[str, JsonObject]) -> JsonObject:
    return schemas[schema["$ref"].removeprefix(_SCHEMAS)] if "$ref" in schema else schema
