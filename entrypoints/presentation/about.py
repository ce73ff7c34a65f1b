"""Received webhook events, and kinds of problems, as responses."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from entrypoints.presentation.responses import ResponseBody, Url


class WebhookReceipt(ResponseBody):
    """A webhook event was stored; `idempotent` is true if it had been stored before."""

    received: bool
    type: str
    idempotent: bool | UnsetType = UNSET


class ProblemKind(ResponseBody):
    """The meaning of a problem's `type`."""

    type: Url
    status: int
    title: str
    description: str


class InvalidField(ResponseBody):
    """A field of the request that is invalid, as a JSON pointer, and why."""

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
