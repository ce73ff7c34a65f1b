"""A path leads to the same endpoint as with Starlette's router."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from starlette.routing import Match, Route

from entrypoints.http.routing import Paths
from entrypoints.http.table import OPERATIONS

TEMPLATES = list(dict.fromkeys(operation.path for operation in OPERATIONS))
ROUTES = [Route(template, object()) for template in TEMPLATES]  # type: ignore[arg-type]
PATHS = Paths({template: template for template in TEMPLATES})
SEGMENTS = sorted({segment for template in TEMPLATES for segment in template.split("/") if "{" not in segment})


def starlettes(path: str) -> tuple[str, dict[str, str]] | None:
    for route in ROUTES:
        match, scope = route.matches({"type": "http", "method": "GET", "path": path})
        if match is Match.FULL:
            return route.path, scope["path_params"]
    return None


segments = st.sampled_from(SEGMENTS) | st.text(st.characters(exclude_characters="/\n"), max_size=5)


@st.composite
def paths(draw: st.DrawFn) -> str:
    """Draw a template with some of its segments replaced, left out or added."""
    parts = draw(st.sampled_from(TEMPLATES)).split("/")[1:]
    parts = [draw(segments) if "{" in part or draw(st.integers(0, 9)) == 0 else part for part in parts]
    if draw(st.integers(0, 4)) == 0:
        parts.insert(draw(st.integers(0, len(parts))), draw(segments))
    return "/" + "/".join(parts)


@given(paths())
def test_a_path_has_the_template_and_the_parameters_that_starlette_finds(path: str):
    assert PATHS.find(path) == starlettes(path)


def test_every_template_is_found_by_itself():
    for template in TEMPLATES:
        names = [part.strip("{}") for part in template.split("/") if "{" in part]
        assert PATHS.find(template.replace("{", "").replace("}", "")) == (template, {name: name for name in names})


def test_a_line_feed_at_the_end_belongs_to_the_last_segment():
    assert PATHS.find("/tell\n") is None
    assert PATHS.find("/static/app.css\n") == ("/static/{name}", {"name": "app.css\n"})


def test_a_parameter_is_tried_if_no_template_continues_the_fixed_segment():
    paths = Paths({"/a/b/c": 1, "/a/{x}/d": 2, "/{y}/b/{z}": 3})
    assert paths.find("/a/b/c") == (1, {})
    assert paths.find("/a/b/d") == (2, {"x": "b"})
    assert paths.find("/a/b/e") == (3, {"y": "a", "z": "e"})
    assert paths.find("/a//d") is None
