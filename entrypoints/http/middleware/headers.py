"""Around the whole application: what every answer carries, whoever gives it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Collection
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,127}")
# Numbers and hexadecimals, like UUIDs and trace ids: a client's own id may be logged where it cannot be a name.
_NAMELESS = re.compile(r"(?=.*[0-9])[0-9a-fA-F\-]{8,64}")

SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
# Where strangers reach us by https, they shall not try otherwise for a year.
HTTPS_ONLY = {"Strict-Transport-Security": "max-age=31536000"}
# What a page of another origin may send, and what it may read, beside what browsers allow anyway.
SENT = "Authorization, Content-Type, Idempotency-Key, If-Match, X-Request-Id"
READ = "Content-Disposition, ETag, Idempotency-Replayed, Link, Location, Retry-After, X-Request-Id"
PREFLIGHT_SECONDS = 600


class ResponseHeaders:
    """Gives every answer its request id, what keeps it safe in a browser, and what pages of other origins may do.

    While the service is `finishing` every answer is the last of its connection.
    """

    def __init__(self, app: ASGIApp, origins: Collection[str], finishing: Callable[[], bool], *, https: bool) -> None:
        self._app = app
        self._origins = frozenset(origins)
        self._finishing = finishing
        headers = SAFE | (HTTPS_ONLY if https else {})
        self._safe = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope)
        given = asked.get("x-request-id", "")
        # The client's own id if it is a sane token, otherwise one made here.
        request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(12)
        logged_id = request_id if _NAMELESS.fullmatch(request_id) else secrets.token_hex(12)
        scope.setdefault("state", {}).update(request_id=request_id, logged_id=logged_id)

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                raw = message["headers"] = list(message["headers"])
                said = {name for name, _ in raw}
                raw.append((b"x-request-id", request_id.encode()))
                raw += [header for header in self._safe if header[0] not in said]
                if self._finishing():
                    raw.append((b"connection", b"close"))
                if self._origins:
                    self._let_in(scope, asked, MutableHeaders(scope=message))
            await send(message)

        await self._app(scope, receive, sealed)

    def _let_in(self, scope: Scope, asked: Headers, headers: MutableHeaders) -> None:
        """Cross-origin rules; credentials are bearer tokens, so that cookies need no permission."""
        headers.add_vary_header("Origin")
        origin = asked.get("origin")
        if origin not in self._origins:
            return
        headers["Access-Control-Allow-Origin"] = origin
        if scope["method"] == "OPTIONS" and "access-control-request-method" in asked:
            headers["Access-Control-Allow-Methods"] = headers.get("allow", "")
            headers["Access-Control-Allow-Headers"] = SENT
            headers["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
        else:
            headers["Access-Control-Expose-Headers"] = READ


def logged_id_of(scope: Any) -> str:
    """What the request is called in our logs: its id, or one of ours where that might name a person."""
    logged_id: str = scope["state"]["logged_id"]
    return logged_id


def request_id_of(scope: Any) -> str:
    """The id of the request that this scope is of."""
    request_id: str = scope["state"]["request_id"]
    return request_id
