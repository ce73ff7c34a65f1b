"""The door for webhooks: the signature first, over the raw body, and only then a strict look at what was signed."""

from __future__ import annotations

import hmac
import json
import logging
import math
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NoReturn

from domain.errors import DomainError, UnavailableError

MAX_BODY = 256 * 1024
MAX_HEADER = 4096
MAX_SIGNATURES = 16
MAX_DEPTH = 128
PAST_SECONDS = 300
FUTURE_SECONDS = 60

_ID = re.compile(r"evt_[A-Za-z0-9_]{1,250}")
_TYPE = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_\[\]]+)+")
_VERSION = re.compile(r"[A-Za-z0-9.\-]{1,64}")
_HEADER_TIME = re.compile(r"[0-9]{1,12}")
_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})"
)
_LAST_SECOND = 253_402_300_799  # the end of the year 9999, which is as far as a datetime goes

logger = logging.getLogger(__name__)


class InvalidWebhook(DomainError):
    """Something at the door that we do not take in: a plain 400, and no trace of it."""


class BadSignature(InvalidWebhook):
    """Nobody who holds one of our secrets signed this, or not just now."""


class BadEvent(InvalidWebhook):
    """Properly signed, and still no event that can be read."""


class WrongMode(BadEvent):
    """A test event at a live door, or a live one at a test door."""


@dataclass(frozen=True)
class SignedEvent:
    """An event as it was signed; `created` is Stripe's time, `api_version` None for a thin event."""

    id: str
    type: str
    created: datetime
    livemode: bool
    api_version: str | None
    body: bytes = field(repr=False)
    payload: dict[str, Any] = field(repr=False)

    @property
    def thin(self) -> bool:
        """Whether the payload only names its object, which then has to be fetched."""
        return bool(self.payload["object"] == "v2.core.event")


def sign(body: bytes, secret: str, at: float) -> str:
    """The `Stripe-Signature` header that vouches for `body` at that time."""
    return f"t={int(at)},v1={_signature(secret.encode(), int(at), body)}"


class WebhookVerifier:
    """Lets in what one of several secrets signed (rotation), for one mode; without any secret it is closed."""

    def __init__(self, secrets: Sequence[str], livemode: bool, clock: Callable[[], float] = time.time) -> None:
        if any(not secret.strip() for secret in secrets):
            raise ValueError("a blank webhook secret would let anybody in")
        self._secrets = [secret.strip().encode() for secret in secrets]
        self._livemode = livemode
        self._clock = clock

    def open(self, body: bytes, signature_header: bytes | str | None) -> SignedEvent:
        """The event in `body`; BadSignature or BadEvent for anything hostile, UnavailableError without any secret."""
        if not self._secrets:
            raise UnavailableError("no webhook secret is configured")
        if len(body) > MAX_BODY:
            raise BadSignature("the body is larger than any event")
        at, signatures = _read_header(signature_header)
        self._verify(body, at, signatures)
        event = _read_event(body)
        if event.livemode is not self._livemode:
            logger.warning("refused event %s: its livemode is %s", event.id, event.livemode)
            raise WrongMode("the event belongs to the other mode")
        return event

    def _verify(self, body: bytes, at: int, signatures: list[bytes]) -> None:
        # Every secret against every signature, whatever the first comparison said: time tells nothing.
        matches = False
        for secret in self._secrets:
            expected = _signature(secret, at, body).encode()
            for signature in signatures:
                matches |= hmac.compare_digest(expected, signature)
        if not matches:
            raise BadSignature("no signature fits")
        now = self._clock()
        if not now - PAST_SECONDS <= at <= now + FUTURE_SECONDS:
            raise BadSignature("the signature's time is too far from ours")


def _signature(secret: bytes, at: int, body: bytes) -> str:
    return hmac.digest(secret, b"%d.%b" % (at, body), "sha256").hex()


def _read_header(header: bytes | str | None) -> tuple[int, list[bytes]]:
    """The time and the v1 signatures; other schemes are skipped, a second time is no header of Stripe's."""
    if not header:
        raise BadSignature("not signed")
    if len(header) > MAX_HEADER:
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
    payload = _read_json(body)
    match payload:
        case {"object": "event", "id": id, "type": type, "created": created, "livemode": bool(livemode)}:
            when = _unix_time(created)
            version = _api_version(payload.get("api_version"))
            match payload.get("data"):
                case {"object": {"object": str()}}:
                    pass
                case _:
                    raise BadEvent("the event is about no object")
        case {"object": "v2.core.event", "id": id, "type": type, "created": created, "livemode": bool(livemode)}:
            when = _rfc3339_time(created)
            version = None
            match payload.get("related_object"):
                case None | {"id": str(), "type": str()}:
                    pass
                case _:
                    raise BadEvent("the event names its object in no way we know")
        case _:
            raise BadEvent("the body is no event")
    if not isinstance(id, str) or not _ID.fullmatch(id):
        raise BadEvent("the event's id is no event id")
    if not isinstance(type, str) or len(type) > 150 or not _TYPE.fullmatch(type):
        raise BadEvent("the event's type is no event type")
    return SignedEvent(id, type, when, livemode, version, body, payload)


def _read_json(body: bytes) -> dict[str, Any]:
    try:
        text = body.decode("utf-8")
        payload = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_int=_integer,
            parse_float=_finite,
        )
        if "\\u" in text:
            # An escape may hold half a character, which nothing after us could store.
            json.dumps(payload, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        raise BadEvent("the body is nested too deep") from None
    except UnicodeError:
        raise BadEvent("the body is not UTF-8") from None
    except ValueError:
        raise BadEvent("the body is not JSON") from None
    if not isinstance(payload, dict):
        raise BadEvent("the body is no event")
    if text.count("{") + text.count("[") > MAX_DEPTH:  # hardly any event is walked through for this
        _check_depth(payload)
    return payload


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadEvent("the body says one thing twice")
    return found


def _refuse_constant(_: str) -> NoReturn:
    raise BadEvent("the body holds a number that is none")


def _integer(digits: str) -> int:
    if len(digits) > 19:
        raise BadEvent("the body holds a number beyond all bounds")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise BadEvent("the body holds a number beyond all bounds")
    return number


def _check_depth(payload: dict[str, Any]) -> None:
    # Parsing it survived; what handles the event later may recurse on a stack that is less empty.
    level: list[Any] = [payload]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise BadEvent("the body is nested too deep")


def _unix_time(seconds: object) -> datetime:
    if type(seconds) is not int or not 0 <= seconds <= _LAST_SECOND:
        raise BadEvent("the event's time is no time")
    return datetime.fromtimestamp(seconds, UTC)


def _rfc3339_time(text: object) -> datetime:
    if not isinstance(text, str) or not _RFC3339.fullmatch(text):
        raise BadEvent("the event's time is no time")
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadEvent("the event's time is no time") from None


def _api_version(version: object) -> str | None:
    if version is None or (isinstance(version, str) and _VERSION.fullmatch(version)):
        return version
    raise BadEvent("the event's API version is none")
