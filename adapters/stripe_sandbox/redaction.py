"""What Stripe's objects say of people: sealed while the sandbox keeps it, and dropped when a person is forgotten."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from adapters.encryption.keyring import Keyring
from adapters.stripe_sandbox.shapes import Shape

_MARK = "sealed:sandbox:"
_CONTEXT = b"sandbox"

# Where people are named, in their own words or in those of the campaign that they give to.
_PAYER = ("name", "email", "phone", "line1", "line2", "city", "postal_code", "individual_name", "business_name")
_WORDS = ("description", "product", "receipt_email", "customer_email", "customer_name", "customer_email_address")
_PEOPLE = frozenset((*_PAYER, *_WORDS))


class Redaction:
    """Seals with a key made of the sandbox's own API key."""

    def __init__(self, api_key: str) -> None:
        self._ring = Keyring((api_key,), "sandbox")

    def sealed(self, body: Shape) -> Shape:
        return _told(body, self._seal)

    def opened(self, body: Shape) -> Shape:
        return _told(body, self._open)

    def _seal(self, text: str) -> str:
        return _MARK + base64.urlsafe_b64encode(self._ring.seal(text.encode(), _CONTEXT)).decode()

    def _open(self, text: str) -> str:
        if not text.startswith(_MARK):
            return text
        return self._ring.open(base64.urlsafe_b64decode(text.removeprefix(_MARK)), _CONTEXT).decode()


def without_people(body: Shape) -> Shape:
    return _told(body, lambda _: None)


def _told(body: Shape, leaf: Callable[[str], str | None]) -> Shape:
    return {name: _part(name, value, leaf) for name, value in body.items()}


def _part(name: str, value: Any, leaf: Callable[[str], str | None]) -> Any:
    match value:
        case dict():
            return _told(value, leaf)
        case list():
            return [_part(name, part, leaf) for part in value]
        case str() if name in _PEOPLE:
            return leaf(value)
        case _:
            return value
