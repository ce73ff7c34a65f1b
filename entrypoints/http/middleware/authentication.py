"""Authentication: the principal of a call is found by its credential, a bearer token or the cookie of a page."""

import hmac
from collections.abc import Mapping
from uuid import UUID

from adapters.identity.credentials import TICKET_TOKEN, VISITOR, Credentials, Principal, ticket_holder, token_ticket
from domain.values import Role
from entrypoints.http.cookies import SAFE_METHODS, comes_from_own_page, read_cookie, session_cookie_name
from entrypoints.http.middleware.rate_limits import RateLimiter
from entrypoints.http.operations import Call, RateLimit
from entrypoints.http.problems import Problem, unauthenticated


class Authentication:
    """Check: sets the principal of the call, or raises 401 for an invalid credential.

    A credential is checked on open operations too. Attempts with invalid credentials count against the client's
    address, which limits guessing. Without the header Authorization, the credential is that of the cookie which the
    browser got when its person signed in. A cookie that is no longer valid is ignored, because people cannot take it
    back.
    """

    def __init__(
        self, credentials: Credentials, diagnostics_token: str | None, rate_limiter: RateLimiter, *, https: bool
    ) -> None:
        self._credentials = credentials
        self._cookie_name = session_cookie_name(https=https)
        self._diagnostics_token = diagnostics_token
        self._rate_limiter = rate_limiter

    def __call__(self, call: Call) -> None:
        if call.operation.access.ignores_credentials:
            return
        if "authorization" in call.headers:
            call.credential = bearer_credential(call.headers["authorization"])
        elif cookie := read_cookie(call.headers, self._cookie_name):
            call.credential = cookie
        else:
            return
        principal = self._principal(call, call.credential)
        if principal is not None:
            if "authorization" not in call.headers:
                _require_own_page(call)
            call.principal = principal
            return
        self._rate_limiter.count(RateLimit.DEFAULT, VISITOR, call.client_address, call.response_headers)
        if "authorization" in call.headers:
            raise unauthenticated()
        call.credential = None

    def _principal(self, call: Call, credential: str) -> Principal | None:
        if call.operation.access.diagnostics_token and is_token(credential, self._diagnostics_token):
            return Principal(Role.ADMIN)
        if credential.startswith(TICKET_TOKEN):
            return ticket_holder(credential, call.ticket_rows)
        return self._credentials.principal(credential)


def ticket_of(headers: Mapping[str, str]) -> UUID | None:
    """Return the ticket of a ticket token, whose row decides whether the token is valid; None for other credentials."""
    return token_ticket(bearer_credential(headers.get("authorization", "")))


def _require_own_page(call: Call) -> None:
    if call.operation.method not in SAFE_METHODS and not comes_from_own_page(call.headers):
        raise Problem("forbidden", "This request does not come from a page of this service.")


def is_token(credential: str, token: str | None) -> bool:
    """Return True if the credential is the configured token, and False if none is configured."""
    return token is not None and hmac.compare_digest(credential.encode(), token.encode())


def bearer_credential(header: str) -> str:
    """Return the credential, or an empty string if the header is not a bearer token."""
    scheme, _, credential = header.partition(" ")
    return credential.strip() if scheme.lower() == "bearer" else ""
