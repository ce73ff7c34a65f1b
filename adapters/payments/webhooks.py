"""Verifies webhooks: first the signature over the raw body, then the form of the signed event."""

import hmac
import logging
import math
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import jiter

from adapters.payments.stripe_objects import LAST_SECOND
from domain.errors import DomainError, UnavailableError

MAX_BODY_BYTES = 256 * 1024
MAX_HEADER_BYTES = 4096
MAX_SIGNATURES = 16
MAX_DEPTH = 128
# Integers have at most 19 characters.
LEAST_INTEGER, GREATEST_INTEGER = 1 - 10**18, 10**19 - 1
# How far a signature's time may lie before our clock, and after it.
MAX_PAST_SECONDS = 300
MAX_FUTURE_SECONDS = 60

_EVENT_ID = re.compile(r"evt_[A-Za-z0-9_]{1,250}")
_EVENT_TYPE = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_\[\]]+)+")
MAX_API_VERSION_LENGTH = 200
_HEADER_TIME = re.compile(r"[0-9]{1,12}")
_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})"
)

logger = logging.getLogger(__name__)


class InvalidWebhook(DomainError):
    """The webhook is refused with a plain 400, and nothing of it is stored."""


class BadSignature(InvalidWebhook):
    """The webhook has no signature that one of our secrets made at a recent time."""


class BadEvent(InvalidWebhook):
    """The signature is valid, but the body is not a readable event."""


class WrongMode(BadEvent):
    """A test event was sent to a live endpoint, or a live event to a test endpoint."""


@dataclass(frozen=True)
class SignedEvent:
    """An event with a valid signature; `created` is Stripe's time."""

    id: str
    type: str
    created: datetime
    livemode: bool
    body: bytes = field(repr=False)


def sign(body: bytes, secret: str, at: float) -> str:
    """Return the `Stripe-Signature` header for `body` at this time, in seconds since the epoch."""
    return f"t={int(at)},v1={_signature(secret.encode(), int(at), body)}"


class WebhookVerifier:
    """Accepts events of one mode, live or test, that are signed with one of `secrets`; a rotation needs several."""

    def __init__(self, secrets: Sequence[str], livemode: bool, clock: Callable[[], float] = time.time) -> None:
        if any(not secret.strip() for secret in secrets):
            raise ValueError("a blank webhook secret would accept forged events")
        self._secrets = [secret.strip().encode() for secret in secrets]
        self._livemode = livemode
        self._clock = clock

    def verify(self, body: bytes, signature_header: bytes | str | None) -> SignedEvent:
        """Return the event in `body`.

        BadSignature or BadEvent if the webhook is refused, UnavailableError if no secret is configured.
        """
        if not self._secrets:
            raise UnavailableError("no webhook secret is configured")
        if len(body) > MAX_BODY_BYTES:
            raise BadSignature("the body is too large for an event")
        at, signatures = _read_header(signature_header)
        self._check_signature(body, at, signatures)
        event = _read_event(body)
        if event.livemode is not self._livemode:
            logger.warning("refused event %s: its livemode is %s", event.id, event.livemode)
            raise WrongMode("the event belongs to the other mode")
        return event

    def _check_signature(self, body: bytes, at: int, signatures: list[bytes]) -> None:
        # Every secret is compared with every signature, so that the duration reveals nothing about a match.
        matches = False
        for secret in self._secrets:
            expected = _signature(secret, at, body).encode()
            for signature in signatures:
                matches |= hmac.compare_digest(expected, signature)
        if not matches:
            raise BadSignature("no signature is valid")
        now = self._clock()
        if not now - MAX_PAST_SECONDS <= at <= now + MAX_FUTURE_SECONDS:
            raise BadSignature("the signature's time is too far from ours")


def _signature(secret: bytes, at: int, body: bytes) -> str:
    return hmac.digest(secret, b"%d.%b" % (at, body), "sha256").hex()


def _read_header(header: bytes | str | None) -> tuple[int, list[bytes]]:
    """Return the time and the v1 signatures. Other schemes are skipped; two times make it malformed."""
    if not header:
        raise BadSignature("the webhook is not signed")
    if len(header) > MAX_HEADER_BYTES:
        raise BadSignature("the signature header is too long")
    try:
        text = header.decode("ascii") if isinstance(header, bytes) else header.encode("ascii").decode()
    except UnicodeError:
        raise BadSignature("the signature header is not ASCII") from None
    times: list[str] = []
    signatures: list[bytes] = []
    for item in text.split(","):
        name, equals, value = item.strip().partition("=")
        if not equals or not name or not value:
            raise BadSignature("the signature header is malformed")
        if name == "t":
            times.append(value)
        elif name == "v1":
            signatures.append(value.encode())
    if len(times) != 1 or not _HEADER_TIME.fullmatch(times[0]) or not 1 <= len(signatures) <= MAX_SIGNATURES:
        raise BadSignature("the signature header is malformed")
    return int(times[0]), signatures


def _read_event(body: bytes) -> SignedEvent:
    payload = read_json(body)
    match payload:
        case {"object": "event", "id": id, "type": type, "created": created, "livemode": bool(livemode)}:
            created_at = _unix_time(created)
            _check_api_version(payload.get("api_version"))
            match payload.get("data"):
                case {"object": {"object": str()}}:
                    pass
                case _:
                    raise BadEvent("the event has no object")
        case {"object": "v2.core.event", "id": id, "type": type, "created": created, "livemode": bool(livemode)}:
            created_at = _rfc3339_time(created)
            match payload.get("related_object"):
                case None | {"id": str(), "type": str()}:
                    pass
                case _:
                    raise BadEvent("the event's related object is malformed")
        case _:
            raise BadEvent("the body is not an event")
    if not isinstance(id, str) or not _EVENT_ID.fullmatch(id):
        raise BadEvent("the event's id is malformed")
    if not isinstance(type, str) or len(type) > 150 or not _EVENT_TYPE.fullmatch(type):
        raise BadEvent("the event's type is malformed")
    return SignedEvent(id, type, created_at, livemode, body)


def read_json(body: bytes) -> dict[str, object]:
    """Return the object in `body`; BadEvent if any other reader might find something else in it."""
    try:
        # Without a cache no text of the body stays in memory.
        payload = jiter.from_json(body, allow_inf_nan=False, cache_mode="none", catch_duplicate_keys=True)
    except ValueError:
        raise BadEvent("the body is not JSON in UTF-8, is nested too deep or has a repeated name") from None
    if not isinstance(payload, dict):
        raise BadEvent("the body is not an event")
    _check_values(payload)
    return payload


def _check_values(payload: dict[str, object]) -> None:
    """Raise BadEvent if the payload is nested deeper than MAX_DEPTH or contains a number that is too large."""
    level: list[Any] = [payload]
    for _ in range(MAX_DEPTH):
        below = []
        for parent in level:
            for value in parent.values() if type(parent) is dict else parent:
                kind = type(value)
                if kind is dict or kind is list:
                    below.append(value)
                elif (kind is int and not LEAST_INTEGER <= value <= GREATEST_INTEGER) or (
                    kind is float and math.isinf(value)
                ):
                    raise BadEvent("the body contains a number that is too large")
        if not below:
            return
        level = below
    raise BadEvent("the body is nested too deep")


def _unix_time(seconds: object) -> datetime:
    if type(seconds) is not int or not 0 <= seconds <= LAST_SECOND:
        raise BadEvent("the event's time is malformed")
    return datetime.fromtimestamp(seconds, UTC)


def _rfc3339_time(text: object) -> datetime:
    if not isinstance(text, str) or not _RFC3339.fullmatch(text):
        raise BadEvent("the event's time is malformed")
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadEvent("the event's time is malformed") from None


def _check_api_version(version: object) -> None:
    """An endpoint's version may carry flags, as in `2020-08-27; orders_beta=v4`, so any printable text is accepted."""
    if version is None:
        return
    if not isinstance(version, str) or not version.isprintable() or not 1 <= len(version) <= MAX_API_VERSION_LENGTH:
        raise BadEvent("the event's API version is malformed")
