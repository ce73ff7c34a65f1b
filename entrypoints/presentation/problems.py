"""Problems (RFC 9457) and their types as responses."""

from msgspec import UNSET, UnsetType

from entrypoints.presentation.responses import ResponseBody, Url


class ProblemType(ResponseBody):
    """The meaning of a problem's `type`."""

    type: Url
    status: int
    title: str
    description: str


class InvalidField(ResponseBody):
    """An invalid field of the request, as a JSON pointer, and the reason."""

    pointer: str
    detail: str


class ProblemDetails(ResponseBody, forbid_unknown_fields=False):
    """An error (RFC 9457)."""

    type: Url
    title: str
    status: int
    detail: str
    instance: Url
    request_id: str
    errors: list[InvalidField] | UnsetType = UNSET
    poll_url: Url | UnsetType = UNSET
