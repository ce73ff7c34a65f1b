"""Received webhook events as responses."""

from msgspec import UNSET, UnsetType

from entrypoints.presentation.responses import ResponseBody


class WebhookReceipt(ResponseBody):
    """A webhook event was stored; `idempotent` is true if it had been stored before."""

    received: bool
    type: str
    idempotent: bool | UnsetType = UNSET
