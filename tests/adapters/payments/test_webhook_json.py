"""A webhook's JSON is read as strictly as with the standard library and a check of every object and number."""

from __future__ import annotations

import json
import math
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from adapters.payments.webhooks import MAX_DEPTH, BadEvent, read_json


def read_with_hooks(body: bytes) -> dict[str, Any]:
    """Return the object in `body`, or raise ValueError: the standard library with hooks for every object and number."""

    def object_with_unique_names(pairs: list[tuple[str, object]]) -> dict[str, object]:
        if len(dict(pairs)) != len(pairs):
            raise ValueError("repeated name")
        return dict(pairs)

    def refuse_constant(_: str) -> None:
        raise ValueError("NaN or Infinity")

    def integer(digits: str) -> int:
        if len(digits) > 19:
            raise ValueError("too large")
        return int(digits)

    def finite_number(digits: str) -> float:
        if not math.isfinite(float(digits)):
            raise ValueError("too large")
        return float(digits)

    def depth(value: object) -> int:
        if not isinstance(value, dict | list):
            return 0
        return 1 + max(map(depth, value.values() if isinstance(value, dict) else value), default=0)

    try:
        payload = json.loads(
            body.decode(),
            object_pairs_hook=object_with_unique_names,
            parse_constant=refuse_constant,
            parse_int=integer,
            parse_float=finite_number,
        )
        # Half of a surrogate pair has no form in UTF-8.
        json.dumps(payload, ensure_ascii=False).encode()
        if not isinstance(payload, dict) or depth(payload) > MAX_DEPTH:
            raise ValueError("no object, or nested too deep")
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    return payload


spaces = st.sampled_from(["", "", "", " ", "\n\t\r ", "\f", "\u00a0"])
characters = st.characters(exclude_categories=["Cs"], exclude_characters='"\\') | st.sampled_from(
    [
        *('\\"', "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t", "\\u0061", "\\u0000", "\\u00E9", "\\ud83d\\ude00"),
        *(
            "\\ud800",
            "\\udc00",
            "\\ud800\\u0061",
            "\\ude00\\ud83d",
            "\\u12",
            "\\x",
            "\\",
            "\n",
            "\x00",
            "\x7f",
            "\ufffe",
        ),
    ]
)
texts = st.lists(characters, max_size=4).map(lambda parts: f'"{"".join(parts)}"')
names = st.sampled_from(['"a"', '"b"', '"\\u0061"', '""', '"A"']) | texts
numbers = st.from_regex(r"-?(0|[1-9][0-9]{0,22})(\.[0-9]{1,3})?([eE][+-]?[0-9]{1,4})?", fullmatch=True)
oddities = st.sampled_from(["NaN", "Infinity", "-Infinity", "nan", "01", "+1", "1.", ".5", "-", "1e", "tru", "'a'", ""])
scalars = numbers | texts | st.sampled_from(["true", "false", "null"])


def joined(opening: str, closing: str, parts: list[str], space: str) -> str:
    return opening + space + f",{space}".join(parts) + space + closing


def containers(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    members = st.builds(lambda name, value, space: f"{name}{space}:{space}{value}", names, inner, spaces)
    lists = st.builds(joined, st.just("["), st.just("]"), st.lists(inner, max_size=4), spaces)
    return lists | st.builds(joined, st.just("{"), st.just("}"), st.lists(members, max_size=4), spaces)


values = st.recursive(st.one_of(scalars, scalars, scalars, oddities), containers, max_leaves=12)
bodies = st.builds(lambda name, value: f"{{{name}:{value}}}", names, values)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Draw a body with one part of it replaced by other bytes."""
    body = draw(bodies).encode()
    start = draw(st.integers(0, len(body)))
    piece = draw(st.sampled_from([b"", b"\xff", b"\xed\xa0\x80", b"\xc0\x80", b"\xef\xbb\xbf", b",", b'"', b"}", b"1"]))
    return body[:start] + piece + body[start + draw(st.integers(0, 2)) :]


def nested(depth: int, opening: str, closing: str) -> bytes:
    return f'{{"a":{opening * depth}1{closing * depth}}}'.encode()


@given(bodies.map(str.encode) | damaged())
@example(b'{"a":9999999999999999999,"b":-999999999999999999}')
@example(b'{"a":10000000000000000000}')
@example(b'{"a":-1000000000000000000}')
@example(b'{"a":1e308}')
@example(b'{"a":[-1e309]}')
@example(b'{"a":' + b"9" * 400 + b"}")
@example(b'{"a":{"b":1,"\\u0062":2}}')
@example(nested(MAX_DEPTH - 1, "[", "]"))
@example(nested(MAX_DEPTH, "[", "]"))
@example(nested(MAX_DEPTH - 1, '{"a":', "}"))
@example(nested(MAX_DEPTH, '{"a":', "}"))
@example(nested(10_000, "[", "]"))
def test_a_body_is_refused_exactly_when_the_standard_library_with_hooks_refuses_it(body: bytes):
    try:
        expected = read_with_hooks(body)
    except ValueError:
        expected = None
    try:
        payload = read_json(body)
    except BadEvent:
        payload = None
    assert payload == expected


@given(
    st.dictionaries(st.text(max_size=5), st.integers(-(10**18) + 1, 10**18) | st.text() | st.floats(allow_nan=False))
)
def test_every_object_that_json_can_write_is_read(members: dict[str, object]):
    finite = {name: value for name, value in members.items() if not (isinstance(value, float) and math.isinf(value))}
    for ascii in (True, False):
        assert read_json(json.dumps(finite, ensure_ascii=ascii).encode()) == finite
