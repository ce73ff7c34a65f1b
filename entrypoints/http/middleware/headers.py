"""Response headers: the request id, the security headers and CORS."""

import re
import secrets
from collections.abc import Callable, Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,127}")
# A client's own request id is logged only if it is hexadecimal like a UUID or a trace id, and so cannot be a name.
_LOGGABLE = re.compile(r"(?=.*[0-9])[0-9a-fA-F\-]{8,64}")

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
# After one response by https a browser uses only https for a year.
HTTPS_ONLY = {"Strict-Transport-Security": "max-age=31536000"}
# Headers that a page of another origin may send and read, besides those that browsers always allow.
ALLOWED_REQUEST_HEADERS = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Tus-Resumable, Upload-Checksum,"
    " Upload-Length, Upload-Metadata, Upload-Offset, X-HTTP-Method-Override, X-Request-Id"
)
EXPOSED_RESPONSE_HEADERS = (
    "Content-Disposition, ETag, Idempotency-Replayed, Link, Location, RateLimit, RateLimit-Policy, Retry-After,"
    " Tus-Checksum-Algorithm, Tus-Extension, Tus-Max-Size, Tus-Resumable, Tus-Version, Upload-Expires, Upload-Length,"
    " Upload-Metadata, Upload-Offset, X-Request-Id"
)
PREFLIGHT_SECONDS = 600


class ResponseHeaders:
    """ASGI middleware: adds the request id, the security headers and the CORS headers to every response.

    It also adds the headers that later steps put into `response_headers_of`, and notes the status for `status_of`.

    While `is_finishing` returns True, every response closes its connection.
    """

    def __init__(
        self, app: ASGIApp, origins: Collection[str], is_finishing: Callable[[], bool], *, https: bool
    ) -> None:
        self._app = app
        self._origins = frozenset(origins)
        self._is_finishing = is_finishing
        security_headers = SECURITY_HEADERS | (HTTPS_ONLY if https else {})
        self._security_headers = [(name.lower().encode(), value.encode()) for name, value in security_headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_headers = Headers(scope=scope)
        request_id = request_headers.get("x-request-id", "")
        if not _REQUEST_ID.fullmatch(request_id):
            request_id = secrets.token_hex(12)
        logged_id = request_id if _LOGGABLE.fullmatch(request_id) else secrets.token_hex(12)
        further_headers: dict[str, str] = {}
        state = scope.setdefault("state", {})
        state.update(request_id=request_id, logged_id=logged_id, response_headers=further_headers)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                state["status"] = message["status"]
                headers = message["headers"] = list(message["headers"])
                present = {name for name, _ in headers}
                headers.append((b"x-request-id", request_id.encode()))
                headers += [(name.lower().encode(), value.encode()) for name, value in further_headers.items()]
                headers += [header for header in self._security_headers if header[0] not in present]
                if self._is_finishing():
                    headers.append((b"connection", b"close"))
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
    """Return the id under which the request is logged: its own id, or a new one if its own could name a person."""
    logged_id: str = scope["state"]["logged_id"]
    return logged_id


def request_id_of(scope: Scope) -> str:
    """Return the request id that the client gets, in X-Request-Id and in a problem."""
    request_id: str = scope["state"]["request_id"]
    return request_id


def status_of(scope: Scope) -> int | None:
    """Return the status of the response to this request, or None if its head has not been sent yet."""
    status: int | None = scope["state"].get("status")
    return status


def response_headers_of(scope: Scope) -> dict[str, str]:
    """Return the headers that the response to this request gets, to which every step may add its own."""
    headers: dict[str, str] = scope["state"]["response_headers"]
    return headers
