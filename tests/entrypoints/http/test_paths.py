"""Every path of the table leads to its own endpoint, and nothing else does."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from entrypoints.http.paths import Paths
from entrypoints.http.table import OPERATIONS

PATHS = sorted({operation.path for operation in OPERATIONS})


@dataclass
class Led:
    """Stands for the endpoint of a path."""

    to: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("nobody calls here")


TABLE = Paths({path: Led(path) for path in PATHS}, Led("elsewhere"))


@pytest.mark.parametrize("path", PATHS)
def test_each_path_is_found_with_its_parameters(path: str):
    params = {part[1:-1]: f"some-{part[1:-1]}" for part in path.split("/") if part.startswith("{")}
    assert TABLE.find(path.format(**params)) == (Led(path), params)


@given(
    st.lists(
        st.sampled_from(["", "api", "tickets", "create", "admin", "donations", "total", "..", "{id}", "d", "x"]),
        max_size=6,
    ).map("/".join)
)
def test_a_path_is_found_where_the_frameworks_own_router_finds_it(path: str):
    scope = {"type": "http", "path": path, "method": "GET", "headers": []}
    matching = [one for one in PATHS if Route(one, Led(one)).matches(scope)[0] is not Match.NONE]
    found = TABLE.find(path)
    assert (found is not None) == bool(matching)
    assert found is None or found[0] in [Led(one) for one in matching]


def test_no_path_with_a_nul_in_it_is_found():
    assert TABLE.find("/admin/dead-letters/evt_1\0/retry") is None
