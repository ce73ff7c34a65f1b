"""Problems (RFC 9457): each type has a stable name and is explained at /problems/NAME."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import ceil

import msgspec
from msgspec import UNSET, UnsetType
from starlette.responses import Response

from adapters.identity.idempotency import RequestInProgress
from adapters.payments.webhooks import InvalidWebhook
from adapters.quotas import QuotaExceeded
from domain.errors import (
    AudioTooLongError,
    BusyError,
    DomainError,
    FaultCode,
    ForbiddenError,
    FullError,
    InvalidError,
    NotAnAttachmentError,
    NotAudioError,
    NotFoundError,
    RefusedError,
    StaleVersionError,
    StepFailed,
    UnavailableError,
)
from domain.safety import UndecidedFindings
from entrypoints.presentation.problems import (
    FaultMeaning,
    InvalidField,
    ProblemDetails,
    ProblemType,
    QuotaAmounts,
    UsedQuota,
)
from entrypoints.presentation.safety import Finding

PROBLEM_MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 2
BUSY_RETRY_AFTER_SECONDS = 10
MAX_ERRORS = 100

FAULT_MEANINGS = {
    FaultCode.INVALID: "The value is not valid; the text says why.",
    FaultCode.REQUIRED: "The value is required.",
    FaultCode.UNKNOWN_FIELD: "There is no such field.",
    FaultCode.WRONG_TYPE: "The value has another type or format, such as a text instead of a number.",
    FaultCode.UNKNOWN_VALUE: "The value is none of those that are allowed here.",
    FaultCode.BLANK: "The text is blank.",
    FaultCode.NOT_TEXT: "The text contains characters that are not text, such as control characters.",
    FaultCode.SEVERAL_LINES: "The text must be a single line.",
    FaultCode.TOO_SHORT: "The text is too short.",
    FaultCode.TOO_LONG: "The text or the list is too long.",
    FaultCode.OUT_OF_RANGE: "The number is too small or too large.",
    FaultCode.TOO_MANY_DECIMALS: "The amount has more decimals than its currency allows.",
    FaultCode.UNKNOWN_CURRENCY: "The currency is unknown, or donations cannot be made in it.",
    FaultCode.AMBIGUOUS: "The value can mean several things; the text lists them.",
    FaultCode.INVALID_CONTACT: "The text is not a contact of the given type.",
    FaultCode.CONSENT_MISSING: "The consent of the person is required.",
    FaultCode.SECRET_FOUND: "The text contains a secret, such as a password or an API key, and was not stored.",
    FaultCode.KEY_REUSED: "The Idempotency-Key was used before, with another body.",
    FaultCode.REFUSED_BY_PAYMENT_SERVICE: "The payment service does not accept the value.",
}

PROBLEM_TYPES = {
    name: ProblemType(f"/problems/{name}", status, title, description)
    for name, status, title, description in (
        ("malformed", 400, "Malformed request", "The body is not valid JSON, not a valid form or not a valid event."),
        ("unauthenticated", 401, "Not authenticated", "Send a valid credential as `Authorization: Bearer …`."),
        ("forbidden", 403, "Not allowed", "The credential lacks the scope or the role that this operation needs."),
        ("not-found", 404, "Not found", "The resource does not exist, or the credential gives no access to it."),
        ("method-not-allowed", 405, "Method not allowed", "The `Allow` header lists the methods of this path."),
        ("conflict", 409, "Conflict", "The current state of the resource does not allow the request."),
        (
            "undecided-findings",
            409,
            "Undecided findings",
            "`findings` lists what may endanger somebody once it is public. Keep or remove each with"
            " `POST /api/tickets/{ticket_id}/draft/findings`, or edit the draft, and publish again.",
        ),
        ("gone", 410, "Gone", "The page is not available at the moment, and may be again later."),
        (
            "stale-version",
            412,
            "Stale version",
            "The resource has changed since you read it. Read it again and repeat your change.",
        ),
        (
            "unsupported-version",
            412,
            "Unsupported version",
            "The service speaks the version of the upload protocol that `Tus-Version` names.",
        ),
        ("too-large", 413, "Too large", "The body is larger or the recording is longer than the limit."),
        ("unsupported-media-type", 415, "Unsupported media type", "This operation does not accept this media type."),
        ("range-not-satisfiable", 416, "Range not satisfiable", "The content has no byte in the range of `Range`."),
        ("invalid", 422, "Invalid request", "The request is well-formed but has invalid values; `errors` lists them."),
        ("too-many-requests", 429, "Too many requests", "Wait for the number of seconds in `Retry-After`."),
        (
            "headers-too-large",
            431,
            "Headers too large",
            "The request has too many headers, or they are too large together.",
        ),
        (
            "checksum-mismatch",
            460,
            "Checksum mismatch",
            "The bytes were damaged on their way and discarded. Send them again.",
        ),
        ("internal", 500, "Internal error", "An unexpected error occurred. Anything already acknowledged is safe."),
        (
            "insufficient-storage",
            507,
            "Insufficient storage",
            "The storage is full. Nothing of the request was stored.",
        ),
        (
            "unavailable",
            503,
            "Unavailable",
            "A system that the service needs is not available. Try again after the number of seconds in `Retry-After`.",
        ),
    )
}

PROBLEM_TYPES["invalid"].codes = [FaultMeaning(code, meaning) for code, meaning in FAULT_MEANINGS.items()]


@dataclass
class Problem(Exception):
    """An error response; `detail` is written for the client and never quotes a library, a file path or a person."""

    name: str
    detail: str
    errors: Sequence[InvalidField] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    poll_url: str | UnsetType = UNSET
    quota: UsedQuota | UnsetType = UNSET
    findings: Sequence[Finding] = ()

    @property
    def type(self) -> ProblemType:
        return PROBLEM_TYPES[self.name]

    @property
    def status(self) -> int:
        return self.type.status

    def response(self, instance: str, request_id: str) -> Response:
        details = ProblemDetails(
            type=self.type.type,
            title=self.type.title,
            status=self.status,
            detail=self.detail,
            instance=instance,
            request_id=request_id,
            errors=list(self.errors) or UNSET,
            poll_url=self.poll_url,
            quota=self.quota,
            findings=list(self.findings) or UNSET,
        )
        content = json.dumps(msgspec.to_builtins(details), ensure_ascii=False).encode("utf-8", "replace")
        return Response(content, self.status, dict(self.headers), PROBLEM_MEDIA_TYPE)


def reference_token(part: str | int) -> str:
    """Return the name or the index as a reference token of a JSON pointer (RFC 6901)."""
    return str(part)[:100].replace("~", "~0").replace("/", "~1")


def invalid(pointer: str, detail: str, code: FaultCode = FaultCode.INVALID) -> Problem:
    return invalid_fields([InvalidField(pointer, code, detail)])


def invalid_fields(fields: Sequence[InvalidField]) -> Problem:
    """Return the problem that lists all invalid fields, or the first ones if there are very many."""
    detail = "The request has invalid values."
    if len(fields) > MAX_ERRORS:
        detail = f"The request has {len(fields)} invalid values; the first {MAX_ERRORS} are listed."
    return Problem("invalid", detail, fields[:MAX_ERRORS])


def unauthenticated(detail: str = "A valid credential is needed.") -> Problem:
    return Problem("unauthenticated", detail, headers={"WWW-Authenticate": "Bearer"})


def _quota_problem(error: QuotaExceeded) -> Problem:
    status = error.status
    wait_seconds = ceil((status.ends_at - datetime.now(UTC)).total_seconds())
    return Problem(
        "too-many-requests",
        str(error),
        headers={"Retry-After": str(max(1, wait_seconds))},
        quota=UsedQuota(
            owner=status.owner.value,
            used=QuotaAmounts(**vars(status.used)),
            limit=QuotaAmounts(**vars(status.quota)),
            ends_at=status.ends_at,
        ),
    )


# The problem type of each error whose message is written for clients and becomes the detail.
_TYPE_NAMES: tuple[tuple[type[DomainError], str], ...] = (
    (NotFoundError, "not-found"),
    (ForbiddenError, "forbidden"),
    (StaleVersionError, "stale-version"),
    (RequestInProgress, "conflict"),
    (RefusedError, "conflict"),
    (NotAudioError, "unsupported-media-type"),
    (NotAnAttachmentError, "unsupported-media-type"),
    (AudioTooLongError, "too-large"),
    (InvalidWebhook, "malformed"),
    (StepFailed, "conflict"),
)


def problem_of(error: Exception) -> Problem:
    """Return the problem that answers an error; the message of an unexpected error is not part of it."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, InvalidError):
        return invalid(error.pointer, error.detail, error.code)
    if isinstance(error, UndecidedFindings):
        findings = [Finding.of(finding, error.decisions) for finding in error.findings]
        return Problem("undecided-findings", str(error), findings=findings)
    if isinstance(error, QuotaExceeded):
        return _quota_problem(error)
    if isinstance(error, FullError):
        return Problem("insufficient-storage", PROBLEM_TYPES["insufficient-storage"].description)
    if isinstance(error, BusyError):
        return Problem("unavailable", str(error), headers={"Retry-After": str(BUSY_RETRY_AFTER_SECONDS)})
    if isinstance(error, UnavailableError):
        detail = "A system that the service needs is not available."
        return Problem("unavailable", detail, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
    for error_type, name in _TYPE_NAMES:
        if isinstance(error, error_type):
            return Problem(name, str(error) or PROBLEM_TYPES[name].description)
    return Problem("internal", "An unexpected error occurred and was logged.")
