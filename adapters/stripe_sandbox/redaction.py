"""Seals people's data in Stripe's objects while the sandbox stores them, and removes it when a person is erased."""

import base64
from collections.abc import Callable

from adapters.encryption.keyring import Keyring
from adapters.payments.stripe_objects import StripeDict

_MARK = "sealed:sandbox:"
_CONTEXT = b"sandbox"

# The fields that may name people: the payer's own, and texts of the campaign.
_PAYER = ("name", "email", "phone", "line1", "line2", "city", "postal_code", "individual_name", "business_name")
_TEXTS = ("description", "product", "receipt_email", "customer_email", "customer_name", "customer_email_address")
_PEOPLE = frozenset((*_PAYER, *_TEXTS))


class Redaction:
    """Seals and opens these fields with a key derived from the sandbox's API key."""

    def __init__(self, api_key: str) -> None:
        self._keyring = Keyring((api_key,), "sandbox")

    def seal(self, body: StripeDict) -> StripeDict:
        return _replaced(body, self._seal_text)

    def open(self, body: StripeDict) -> StripeDict:
        return _replaced(body, self._open_text)

    def _seal_text(self, text: str) -> str:
        return _MARK + base64.urlsafe_b64encode(self._keyring.seal(text.encode(), _CONTEXT)).decode()

    def _open_text(self, text: str) -> str:
        if not text.startswith(_MARK):
            return text
        return self._keyring.open(base64.urlsafe_b64decode(text.removeprefix(_MARK)), _CONTEXT).decode()


def without_personal_data(body: StripeDict) -> StripeDict:
    return _replaced(body, lambda _: None)


def _replaced(body: StripeDict, replace: Callable[[str], str | None]) -> StripeDict:
    return {name: _replaced_value(name, value, replace) for name, value in body.items()}


def _replaced_value(name: str, value: object, replace: Callable[[str], str | None]) -> object:
    match value:
        case dict():
            return _replaced(value, replace)
        case list():
            return [_replaced_value(name, part, replace) for part in value]
        case str() if name in _PEOPLE:
            return replace(value)
        case _:
            return value
