"""Problems (RFC 9457) and their types as responses."""

from typing import Literal

from msgspec import UNSET, UnsetType

from domain.errors import FaultCode
from entrypoints.presentation.responses import ResponseBody, Time, Url
from entrypoints.presentation.safety import Finding


class FaultMeaning(ResponseBody):
    """The meaning of the `code` of an invalid field."""

    code: FaultCode
    description: str


class ProblemType(ResponseBody):
    """The meaning of a problem's `type`."""

    type: Url
    status: int
    title: str
    description: str
    codes: list[FaultMeaning] | UnsetType = UNSET


class InvalidField(ResponseBody):
    """An invalid field of the request, as a JSON pointer, and the reason: a stable code and a text for people."""

    pointer: str
    code: FaultCode
    detail: str


class QuotaAmounts(ResponseBody):
    """Amounts of a daily quota; null in a limit means any amount."""

    recordings: int | None
    documents: int | None
    bytes: int | None
    audio_seconds: int | None


class UsedQuota(ResponseBody):
    """The quota that does not allow a request: what was used of it and when its day ends."""

    owner: Literal["ticket", "address", "workspace"]
    used: QuotaAmounts
    limit: QuotaAmounts
    ends_at: Time


class ProblemTypes(ResponseBody):
    """All problem types."""

    problems: list[ProblemType]


class ProblemDetails(ResponseBody, forbid_unknown_fields=False):
    """An error (RFC 9457)."""

    type: Url
    title: str
    status: int
    detail: str
    instance: Url
    request_id: str
    errors: list[InvalidField] | UnsetType = UNSET
    findings: list[Finding] | UnsetType = UNSET
    poll_url: Url | UnsetType = UNSET
    quota: UsedQuota | UnsetType = UNSET
