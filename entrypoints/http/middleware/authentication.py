"""Authentication: finds out who calls, by the bearer credential of the request."""

import hmac
from collections.abc import Callable
from typing import TypeVar

from adapters.identity.credentials import TICKET_TOKEN, VISITOR, Credentials, Principal, ticket_holder
from domain.values import Role
from entrypoints.http.middleware.rate_limits import RateLimits
from entrypoints.http.operations import Call, Limit
from entrypoints.http.problems import unauthenticated

T = TypeVar("T")


class Authentication:
    """Call middleware: sets the principal, or raises 401 for an invalid credential.

    A credential is checked on open operations too. Attempts with invalid credentials count against the client's
    address, which limits guessing.
    """

    def __init__(self, credentials: Credentials, diagnostics_token: str | None, limits: RateLimits) -> None:
        self._credentials = credentials
        self._diagnostics_token = diagnostics_token
        self._limits = limits

    def __call__(self, call: Call, proceed: Callable[[Call], T]) -> T:
        if not call.operation.access.ignores_credentials and "authorization" in call.headers:
            call.credential = _bearer_credential(call.headers["authorization"])
            principal = self._principal(call, call.credential)
            if principal is None:
                self._limits.count(Limit.DEFAULT, VISITOR, call.client)
                raise unauthenticated()
            call.principal = principal
        return proceed(call)

    def _principal(self, call: Call, credential: str) -> Principal | None:
        if call.operation.access.diagnostics and self._is_diagnostics_token(credential):
            return Principal(Role.ADMIN)
        if credential.startswith(TICKET_TOKEN):
            return ticket_holder(credential, call.ticket_rows)
        return self._credentials.principal(credential)

    def _is_diagnostics_token(self, credential: str) -> bool:
        token = self._diagnostics_token
        return token is not None and hmac.compare_digest(credential.encode(), token.encode())


def _bearer_credential(header: str) -> str:
    """Return the credential, or an empty string if the header is not a bearer token."""
    scheme, _, credential = header.partition(" ")
    return credential.strip() if scheme.lower() == "bearer" else ""
