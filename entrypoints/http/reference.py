"""The API reference: what its pages show, made from the OpenAPI document."""

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

from entrypoints.http.openapi import FOR_BROWSERS, JsonObject

MAX_WORDS_CHARACTERS = 200


@dataclass(frozen=True)
class Entry:
    """An operation as the list of all shows it; `words` has what a search finds besides."""

    id: str
    area: str
    method: str
    path: str
    summary: str
    words: str

    def has(self, wanted: list[str]) -> bool:
        text = f"{self.summary} {self.id} {self.method} {self.path} {self.area} {self.words}".lower()
        return all(word in text for word in wanted)


class Reference:
    """The pages of the reference: the list of all operations, the problems, and one operation."""

    def __init__(self, document: JsonObject) -> None:
        self.document = document
        self._operations = {
            operation["operationId"]: (path, method.upper(), operation)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
        }

    @cached_property
    def entries(self) -> list[Entry]:
        """Every operation, those of an area together."""
        entries = [
            Entry(id, operation["tags"][0], method, path, plain(operation["summary"]), self._words(operation))
            for id, (path, method, operation) in self._operations.items()
        ]
        areas = list(dict.fromkeys(entry.area for entry in entries))
        return sorted(entries, key=lambda entry: areas.index(entry.area))

    def areas(self, words: str = "") -> Mapping[str, list[Entry]]:
        """Return the operations that have all the words, by their areas."""
        searched_words = words[:MAX_WORDS_CHARACTERS].lower().split()
        matching = [entry for entry in self.entries if entry.has(searched_words)]
        return {area: list(entries) for area, entries in groupby(matching, key=lambda entry: entry.area)}

    @cached_property
    def problems(self) -> list[tuple[int, str, str]]:
        """Status, title and meaning of each problem, which every operation may answer with."""
        shown = []
        for name, response in self.document["components"]["responses"].items():
            if not name.endswith(FOR_BROWSERS):
                title, _, text = response["description"].partition(": ")
                shown.append((_only_example(response)["status"], title, plain(text)))
        return sorted(shown)

    def operation(self, id: str) -> JsonObject | None:
        """Return what the page of an operation shows, or None if there is no such operation."""
        if id not in self._operations:
            return None
        path, method, operation = self._operations[id]
        responses = {status: self._resolved(response) for status, response in sorted(operation["responses"].items())}
        success = next((response for status, response in responses.items() if status < "400"), {})
        bodies: JsonObject = operation.get("requestBody", {}).get("content", {})
        media_type = next(iter(bodies), None)
        body: JsonObject = bodies[media_type] if media_type else {}
        answer = success.get("content", {}).get("application/json")
        return {
            "id": id,
            "area": operation["tags"][0],
            "method": method,
            "path": path,
            "summary": plain(operation["summary"]),
            "description": plain(operation["description"]),
            "curl": self._curl(method, path, operation),
            "parameters": operation["parameters"],
            "body": media_type and {
                "type": media_type,
                "fields": list(self._fields(body.get("schema"))),
                "example": _shown(self._example(body)),
            },
            "answer": answer and {
                "fields": list(self._fields(answer.get("schema"))),
                "example": _shown(self._example(answer)),
            },
            "statuses": [(s, plain(response["description"])) for s, response in responses.items() if s < "400"],
            "problems": [status for status in responses if status >= "400"],
        }  # fmt: skip

    def _words(self, operation: JsonObject) -> str:
        """Return the names of the parameters and fields of an operation, each once."""
        names = [parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "query"]
        contents = [operation.get("requestBody", {}).get("content", {})]
        contents += [self._resolved(part).get("content", {}) for s, part in operation["responses"].items() if s < "400"]
        for content in contents:
            for media_type in content.values():
                names += [field["name"] for field in self._fields(media_type.get("schema"))]
        return " ".join(dict.fromkeys(names))

    def _fields(self, schema: JsonObject | None) -> Iterator[JsonObject]:
        """Yield the fields of a schema with their types and sentences, without those of its parts."""
        resolved = self._resolved(schema or {})
        if resolved.get("type") == "array":
            yield from self._fields(resolved.get("items"))
        for part in resolved.get("anyOf", []):
            yield from self._fields(part)
        required = resolved.get("required", [])
        for name, part in resolved.get("properties", {}).items():
            yield {
                "name": name,
                "type": self._type(part),
                "required": name in required,
                "description": plain(part.get("description", "")),
            }

    def _type(self, schema: JsonObject) -> str:
        if "$ref" in schema:
            resolved = self._resolved(schema)
            return " | ".join(map(str, resolved["enum"])) if "enum" in resolved else schema["$ref"].rpartition("/")[2]
        if "anyOf" in schema:
            return " | ".join(self._type(part) for part in schema["anyOf"])
        if "enum" in schema:
            return " | ".join(map(str, schema["enum"]))
        if schema.get("type") == "array":
            return f"list of {self._type(schema.get('items', {}))}"
        return str(schema.get("format") or schema.get("type", "any"))

    def _example(self, media_type: JsonObject) -> Any:
        """Return the first example of a body or an answer, or None."""
        if "example" in media_type:
            return media_type["example"]
        examples = [self._resolved(example)["value"] for example in media_type.get("examples", {}).values()]
        return examples[0] if examples else None

    def _curl(self, method: str, path: str, operation: JsonObject) -> str:
        """Return a command that calls the operation."""
        query = "&".join(f"{p['name']}=…" for p in operation["parameters"] if p["in"] == "query" and p["required"])
        parts = ["curl", *([] if method == "GET" else ["-X", method])]
        if {} not in operation["security"] and operation["security"]:
            parts += ["-H", "Authorization: Bearer …"]
        for type, content in list(operation.get("requestBody", {}).get("content", {}).items())[:1]:
            schema = self._resolved(content.get("schema", {}))
            fields = schema.get("properties", {})
            example = self._example(content) or dict.fromkeys(fields, "…")
            needed = schema.get("required") or list(fields)
            sent = {name: value for name, value in example.items() if name in needed}
            if type.endswith("json"):
                parts += ["-H", f"Content-Type: {type}", "-d", json.dumps(sent, ensure_ascii=False)]
            elif type.startswith("multipart"):
                parts += [part for name in sent for part in ("-F", f"{name}=@{name}")]
            elif type.endswith("urlencoded"):
                parts += [part for name, value in sent.items() for part in ("-d", f"{name}={value}")]
            else:
                parts += ["--data-binary", "@file"]
        parts.append(self.document["servers"][0]["url"] + path + (f"?{query}" if query else ""))
        return " ".join(shlex.quote(part) if part != "curl" else part for part in parts)

    def _resolved(self, value: JsonObject) -> JsonObject:
        if "$ref" not in value:
            return value
        target = self.document
        for part in value["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return target


def plain(text: str) -> str:
    """Return the text without the marks of code."""
    return text.replace("`", "")


def _shown(example: Any) -> str | None:
    return None if example is None else json.dumps(example, indent=2, ensure_ascii=False)


def _only_example(response: JsonObject) -> JsonObject:
    [example] = [media_type["example"] for media_type in response["content"].values()]
    return dict(example)
