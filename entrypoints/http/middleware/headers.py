"""Response headers: the request id, the security headers and CORS."""

import re
import secrets
from collections.abc import Callable, Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,127}")
# Hexadecimal ids such as UUIDs and trace ids: a client's own request id is logged only if it cannot be a name.
_LOGGABLE = re.compile(r"(?=.*[0-9])[0-9a-fA-F\-]{8,64}")

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
# Browsers that reached the service by https use only https for a year.
HTTPS_ONLY = {"Strict-Transport-Security": "max-age=31536000"}
# Headers that a page of another origin may send and read, besides those that browsers always allow.
ALLOWED_REQUEST_HEADERS = "Authorization, Content-Type, Idempotency-Key, If-Match, X-Request-Id"
EXPOSED_RESPONSE_HEADERS = "Content-Disposition, ETag, Idempotency-Replayed, Link, Location, Retry-After, X-Request-Id"
PREFLIGHT_SECONDS = 600


class ResponseHeaders:
    """ASGI middleware: adds the request id, the security headers and the CORS headers to every response.

    While the service is `finishing`, every response closes its connection.
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
        request_headers = Headers(scope=scope)
        client_id = request_headers.get("x-request-id", "")
        # The client's own id if it is well-formed, otherwise a new one.
        request_id = client_id if _REQUEST_ID.fullmatch(client_id) else secrets.token_hex(12)
        logged_id = request_id if _LOGGABLE.fullmatch(request_id) else secrets.token_hex(12)
        scope.setdefault("state", {}).update(request_id=request_id, logged_id=logged_id)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                raw = message["headers"] = list(message["headers"])
                present = {name for name, _ in raw}
                raw.append((b"x-request-id", request_id.encode()))
                raw += [header for header in self._safe if header[0] not in present]
                if self._finishing():
                    raw.append((b"connection", b"close"))
                if self._origins:
                    self._add_cors(scope, request_headers, MutableHeaders(scope=message))
            await send(message)

        await self._app(scope, receive, send_with_headers)

    def _add_cors(self, scope: Scope, request_headers: Headers, headers: MutableHeaders) -> None:
        """Add the CORS headers for an allowed origin; credentials are bearer tokens, so cookies need no permission."""
        headers.add_vary_header("Origin")
        origin = request_headers.get("origin")
        if origin not in self._origins:
            return
        headers["Access-Control-Allow-Origin"] = origin
        if scope["method"] == "OPTIONS" and "access-control-request-method" in request_headers:
            headers["Access-Control-Allow-Methods"] = headers.get("allow", "")
            headers["Access-Control-Allow-Headers"] = ALLOWED_REQUEST_HEADERS
            headers["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
        else:
            headers["Access-Control-Expose-Headers"] = EXPOSED_RESPONSE_HEADERS


def logged_id_of(scope: Scope) -> str:
    """Return the request's id for logs: its own id, or a new one if that could name a person."""
    logged_id: str = scope["state"]["logged_id"]
    return logged_id


def request_id_of(scope: Scope) -> str:
    """Return the request's id for the response."""
    request_id: str = scope["state"]["request_id"]
    return request_id
