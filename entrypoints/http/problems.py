"""Problems (RFC 9457): each kind has a stable name, which the service explains at /problems/NAME."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response

from adapters.identity.idempotency import RequestInProgress
from adapters.payments.webhooks import InvalidWebhook
from domain.errors import (
    AmountError,
    AudioTooLongError,
    DomainError,
    FullError,
    InvalidError,
    NotAudioError,
    NotFoundError,
    RefusedError,
    StaleVersionError,
    StepFailed,
    UnavailableError,
)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 2


@dataclass(frozen=True)
class Kind:
    """One kind of problem: its name in the URL, its HTTP status, and its meaning for the client."""

    name: str
    status: int
    title: str
    meaning: str


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "malformed", 400, "Malformed request", "The body is not valid JSON, not a valid form or not a valid event."
        ),
        Kind("unauthenticated", 401, "Not authenticated", "Send a valid credential as `Authorization: Bearer …`."),
        Kind("forbidden", 403, "Not allowed", "The credential lacks the scope or the role that this operation needs."),
        Kind("not-found", 404, "Not found", "The resource does not exist, or the credential gives no access to it."),
        Kind("method-not-allowed", 405, "Method not allowed", "The `Allow` header lists the methods of this path."),
        Kind("conflict", 409, "Conflict", "The current state of the resource does not allow the request."),
        Kind(
            "stale-version",
            412,
            "Stale version",
            "The resource has changed since you read it. Read it again and repeat your change.",
        ),
        Kind("too-large", 413, "Too large", "The body or the recording is larger or longer than the limit."),
        Kind(
            "unsupported-media-type", 415, "Unsupported media type", "This operation does not accept this media type."
        ),
        Kind(
            "invalid", 422, "Invalid request", "The request is well-formed but has invalid values; `errors` lists them."
        ),
        Kind("too-many-requests", 429, "Too many requests", "Wait for the number of seconds in `Retry-After`."),
        Kind(
            "headers-too-large",
            431,
            "Headers too large",
            "The request has too many headers, or they are too large together.",
        ),
        Kind("internal", 500, "Internal error", "An unexpected error occurred. Anything already acknowledged is safe."),
        Kind(
            "insufficient-storage",
            507,
            "Insufficient storage",
            "The storage is full. Nothing of the request was stored.",
        ),
        Kind(
            "unavailable",
            503,
            "Unavailable",
            "A system that the service needs is not available. Try again after `Retry-After`.",
        ),
    )
}


@dataclass
class Problem(Exception):
    """An error response; `detail` is written for the client and never quotes a library, a file path or a person."""

    name: str
    detail: str
    errors: Sequence[Mapping[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> Kind:
        return KINDS[self.name]

    def response(self, instance: str, request_id: str) -> Response:
        body: dict[str, Any] = {
            "type": f"/problems/{self.name}",
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
            "instance": instance,
            "requestId": request_id,
            **self.more,
        }
        if self.errors:
            body["errors"] = list(self.errors)
        content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        return Response(content, self.kind.status, dict(self.headers), MEDIA_TYPE)


def invalid(pointer: str, detail: str) -> Problem:
    return Problem("invalid", "The request has invalid values.", [{"pointer": pointer, "detail": detail}])


# The problem for each kind of error of the domain and the adapters.
_NAMES: tuple[tuple[type[DomainError], str], ...] = (
    (NotFoundError, "not-found"),
    (StaleVersionError, "stale-version"),
    (RequestInProgress, "conflict"),
    (RefusedError, "conflict"),
    (NotAudioError, "unsupported-media-type"),
    (AudioTooLongError, "too-large"),
    (InvalidWebhook, "malformed"),
    (AmountError, "invalid"),
    (StepFailed, "conflict"),
)


def of(error: DomainError) -> Problem:
    """Return the problem for an error of the domain or the adapters."""
    if isinstance(error, InvalidError):
        return invalid(error.pointer, error.detail)
    if isinstance(error, FullError):
        return Problem("insufficient-storage", KINDS["insufficient-storage"].meaning)
    if isinstance(error, UnavailableError):
        detail = "A system that the service needs is not available."
        return Problem("unavailable", detail, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
    for kind, name in _NAMES:
        if isinstance(error, kind):
            return Problem(name, str(error) or KINDS[name].meaning)
    return Problem("internal", KINDS["internal"].meaning)
