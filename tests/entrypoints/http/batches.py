"""Tests that try several operations each: a test of its own for each operation would take longer than its requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import pytest

from entrypoints.http.operations import Operation

SIZE = 24
Value = TypeVar("Value")


def batches(values: Iterable[Value], name: Callable[[Value], str], size: int = SIZE) -> list[Any]:
    """Return a parameter for each test, a list of its values, which is called after the first of them."""
    values = list(values)
    return [
        pytest.param(values[start : start + size], id=f"from {name(values[start])}")
        for start in range(0, len(values), size)
    ]


def named(operation: Operation) -> str:
    return f"{operation.method} {operation.path}"
