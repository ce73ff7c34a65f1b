"""Which endpoint a path leads to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

# Which parts of a path are parameters.
_Shape = tuple[bool, ...]


class Paths:
    """Finds the endpoint at once, however many there are: a router that tries one pattern after the other is a tenth of
    what a read costs. What no endpoint is found for goes to `others`.

    A literal part goes before a parameter in the same place; a parameter is any text without a slash, but not none,
    and without NUL, which no text in the database can hold.
    """

    def __init__(self, endpoints: Mapping[str, ASGIApp], others: ASGIApp) -> None:
        self._others = others
        found: dict[_Shape, dict[tuple[str, ...], tuple[str, ASGIApp]]] = defaultdict(dict)
        for path, endpoint in endpoints.items():
            parts = path.split("/")
            shape = tuple(part.startswith("{") for part in parts)
            found[shape][_literals(shape, parts)] = (path, endpoint)
        self._shapes: dict[int, list[_Shape]] = defaultdict(list)
        for shape in sorted(found):
            self._shapes[len(shape)].append(shape)
        self._found = dict(found)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (found := self.find(scope["path"])):
            endpoint, params = found
            await endpoint({**scope, "path_params": params}, receive, send)
        else:
            await self._others(scope, receive, send)

    def find(self, path: str) -> tuple[ASGIApp, dict[str, str]] | None:
        """The endpoint of a path, and its parameters by name."""
        if "\0" in path:
            return None
        parts = path.split("/")
        for shape in self._shapes.get(len(parts), ()):
            if found := self._found[shape].get(_literals(shape, parts)):
                template, endpoint = found
                names = template.split("/")
                params = {names[i][1:-1]: part for i, part in enumerate(parts) if shape[i]}
                if all(params.values()):
                    return endpoint, params
        return None


def _literals(shape: _Shape, parts: list[str]) -> tuple[str, ...]:
    return tuple([part for part, varies in zip(parts, shape, strict=True) if not varies])
