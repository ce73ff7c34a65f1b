"""Errors as RFC 9457 problems: each has a stable name that the service explains at /problems/NAME."""

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
    """One kind of problem: its name in the URL, its status, and what it means to whoever meets it."""

    name: str
    status: int
    title: str
    meaning: str


KINDS = {
    kind.name: kind
    for kind in (
        Kind("malformed", 400, "Malformed request", "The body is not the JSON, form or event it should be."),
        Kind("unauthenticated", 401, "Not authenticated", "Send a valid credential as `Authorization: Bearer …`."),
        Kind("forbidden", 403, "Not allowed", "This credential may never do this: it lacks a scope or the role."),
        Kind("not-found", 404, "Not found", "There is no such thing, or not for you."),
        Kind("method-not-allowed", 405, "Method not allowed", "The `Allow` header names the methods there are."),
        Kind("conflict", 409, "Conflict", "The present state of things forbids the request."),
        Kind("stale-version", 412, "Stale version", "What you read has changed since: read again, then decide."),
        Kind("too-large", 413, "Too large", "The body, or the recording in it, is larger or longer than we take."),
        Kind("unsupported-media-type", 415, "Unsupported media type", "We do not take content of this kind here."),
        Kind("invalid", 422, "Invalid request", "Well-formed, but it breaks the contract: `errors` says where."),
        Kind("too-many-requests", 429, "Too many requests", "Wait as long as `Retry-After` says."),
        Kind("headers-too-large", 431, "Headers too large", "The headers are too many, or too large together."),
        Kind("internal", 500, "Internal error", "A fault of ours. Nothing of your request is lost that was answered."),
        Kind("insufficient-storage", 507, "No room left", "There is no room to keep this; nothing of it was kept."),
        Kind("unavailable", 503, "Unavailable", "Something we depend on is away; try again after `Retry-After`."),
    )
}


@dataclass
class Problem(Exception):
    """A refusal on its way out; `detail` is fit for the caller and never quotes a library, a path or a person."""

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
    return Problem("invalid", "The request breaks the contract.", [{"pointer": pointer, "detail": detail}])


# Every refusal of the domain and the adapters, and the problem it is to the outside.
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
    """The problem that one of our errors is."""
    if isinstance(error, InvalidError):
        return invalid(error.pointer, error.detail)
    if isinstance(error, FullError):
        return Problem("insufficient-storage", KINDS["insufficient-storage"].meaning)
    if isinstance(error, UnavailableError):
        detail = "Something we depend on is not available."
        return Problem("unavailable", detail, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
    for kind, name in _NAMES:
        if isinstance(error, kind):
            return Problem(name, str(error) or KINDS[name].meaning)
    return Problem("internal", KINDS["internal"].meaning)
