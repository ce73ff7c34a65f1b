"""Minimal servers as baselines, each in one process.

python -m tests.benchmarks.servers KIND PORT DATABASE_URL [MORE]
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from uuid import uuid4

import msgspec
import psycopg_pool
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adapters.payments.webhooks import WebhookVerifier
from entrypoints.composition.gc_tuning import settle
from entrypoints.composition.logs import configure

SECRET = "whsec_of_the_benchmarks_0123456789abcdef"


def _verifying() -> Starlette:
    verifier = WebhookVerifier([SECRET], livemode=False)

    async def take(request: Request) -> Response:
        event = verifier.verify(await request.body(), request.headers.get("stripe-signature"))
        return Response(msgspec.json.encode({"received": True, "type": event.type}), media_type="application/json")

    return Starlette(routes=[Route("/api/webhooks/stripe", take, methods=["POST"])])


def _library(url: str) -> Starlette:
    """Return a server that verifies a webhook and saves one event with the library before it answers."""
    from tests.benchmarks.history_speed import Noted, Notes, library_env

    verifier = WebhookVerifier([SECRET], livemode=False)
    library = Notes(library_env(url))

    async def take(request: Request) -> Response:
        event = verifier.verify(await request.body(), request.headers.get("stripe-signature"))
        await run_in_threadpool(library.save, Noted(str(uuid4()), event.id, 500, "USD"))
        return Response(msgspec.json.encode({"received": True, "type": event.type}), media_type="application/json")

    return Starlette(routes=[Route("/api/webhooks/stripe", take, methods=["POST"])])


def _query(url: str, statement: str, answer: Path) -> Starlette:
    """Return a server that only runs the same statement and returns the same bytes."""
    pool = psycopg_pool.ConnectionPool(url, min_size=8, max_size=24, kwargs={"autocommit": True})
    body = answer.read_bytes()

    def ask() -> None:
        with pool.connection() as connection:
            connection.execute(statement.encode(), prepare=True).fetchall()

    async def read(_: Request) -> Response:
        await run_in_threadpool(ask)
        return Response(body, media_type="application/json")

    return Starlette(routes=[Route("/{path:path}", read)])


def main() -> None:
    kind, port, url, *more = sys.argv[1:]
    configure("INFO")  # as in production: a line of JSON for every request
    match kind:
        case "verifying":
            application = _verifying()
        case "library":
            application = _library(url)
        case "query":
            application = _query(url, more[0], Path(more[1]))
        case _:
            sys.exit(f"no such server: {kind}")
    settle()  # the baselines use it too
    config = uvicorn.Config(
        application, host="127.0.0.1", port=int(port), log_config=None, access_log=False, lifespan="off", backlog=512
    )
    asyncio.run(uvicorn.Server(config).serve())


if __name__ == "__main__":
    main()
