"""The Starlette application: one route a path, made from the table of operations."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from entrypoints.http import reference
from entrypoints.http.dispatch import Endpoint, finish, refusal, request_id_of
from entrypoints.http.problems import Problem
from entrypoints.http.table import OPERATIONS

if TYPE_CHECKING:
    from entrypoints.bootstrap import Service

STATIC = Path(__file__).parent.parent / "pages" / "static"
STYLES = ("campaign.css", "reference.css")
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
PAGE_CSP = "default-src 'none'; style-src 'self'; frame-ancestors 'none'"


def application(service: Service, more: list[BaseRoute], lifespan: Callable[[], Any] | None = None) -> Starlette:
    """The whole service over HTTP; `more` are routes that stand beside the table, like the sandbox's."""
    paths: dict[str, list[Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, []).append(operation)
    # A literal path before one with a parameter in the same place.
    ordered = sorted(paths, key=lambda path: [part.startswith("{") for part in path.split("/")])
    routes: list[BaseRoute] = [Route(path, _asgi(Endpoint(service, paths[path])), methods=METHODS) for path in ordered]
    page = reference.page(service.openapi)

    async def docs(_: Request) -> Response:
        return HTMLResponse(page, headers={"Content-Security-Policy": PAGE_CSP})

    async def style(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in STYLES:
            raise HTTPException(404)
        return FileResponse(STATIC / name, media_type="text/css", headers={"Cache-Control": "max-age=3600"})

    routes += [Route("/docs", docs), Route("/static/{name}", style), *more]

    @asynccontextmanager
    async def lived(_: Starlette) -> AsyncIterator[None]:
        if lifespan is not None:
            lifespan()
        yield

    return Starlette(
        routes=routes,
        lifespan=lived,
        exception_handlers={HTTPException: _http_error, Exception: _any_error},
    )


def _asgi(endpoint: Endpoint) -> Callable[[Request], Any]:
    async def handle(request: Request) -> Response:
        return await endpoint(request)

    return handle


async def _http_error(request: Request, error: Exception) -> Response:
    """What Starlette itself refuses: unknown paths, and methods of routes beside the table."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = dict(getattr(error, "headers", None) or {})
    if status == 405:
        return _refused(request, Problem("method-not-allowed", "The path has no such method.", headers=headers))
    if status == 413:
        return _refused(request, Problem("too-large", "The body is too large."))
    if status == 400:
        return _refused(request, Problem("malformed", "The request cannot be read."))
    return _refused(request, Problem("not-found", "There is nothing at this path."))


async def _any_error(request: Request, error: Exception) -> Response:
    return _refused(request, error)


def _refused(request: Request, error: Exception) -> Response:
    request_id = request_id_of(request)
    response = refusal(error, request, request_id)
    finish(response, request_id)
    return response
