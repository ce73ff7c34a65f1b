"""Contacts as people type them, made one and the same for the same address, number or handle."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from adapters.encryption.keyed_hashes import KeyedHashes
from domain.errors import InvalidError
from domain.values import Contact, ContactType

POINTER = "/contactValue"
LONGEST = 320
_NUMBER = re.compile(r"[+\d\s().\-/]+")
_HANDLE = re.compile(r"@?[\w](?:[\w.\-]{0,62}[\w])?", re.UNICODE)


def normalize_contact(type: ContactType, value: str) -> Contact:
    """The contact in its one normal form; InvalidError if it is none of its type."""
    value = value.strip()
    if not value or len(value) > LONGEST or any(ord(c) < 32 or 0xD800 <= ord(c) <= 0xDFFF for c in value):
        raise InvalidError("is not a contact", POINTER)
    match type:
        case ContactType.EMAIL:
            return Contact(type, _email(value))
        case ContactType.PHONE:
            return Contact(type, _phone(value))
        case ContactType.SOCIAL:
            return Contact(type, _social(value))


def possible_contacts(value: str) -> list[Contact]:
    """Every contact that a bare search text may mean."""
    found = []
    for type in ContactType:
        try:
            found.append(normalize_contact(type, value))
        except InvalidError:
            continue
    return found


def likely_contact(value: str) -> Contact:
    """The contact that a bare text is taken for by the way it is written; InvalidError if it can be none."""
    found = possible_contacts(value)
    if not found:
        raise InvalidError("is neither an e-mail address nor a phone number, a handle or a web address", POINTER)
    # A handle may end in a number that could be somebody's phone.
    number = _NUMBER.fullmatch(value) is not None
    likely = [contact for contact in found if (contact.type is ContactType.PHONE) == number]
    return (likely or found)[0]


def load() -> None:
    """So that the first contact need not wait for the rules of the world's addresses and numbers."""
    import email_validator  # noqa: F401
    import phonenumbers  # noqa: F401


def _email(value: str) -> str:
    from email_validator import EmailNotValidError, validate_email

    try:
        checked = validate_email(value, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        raise InvalidError("is not an e-mail address", POINTER) from None
    # Nobody tells two people apart by the case of an address, so nor do we.
    return checked.normalized.lower()


def _phone(value: str) -> str:
    """E.164; a number without its country code is taken to be North American, like the service's first users."""
    import phonenumbers

    try:
        number = phonenumbers.parse(value, "US")
    except phonenumbers.NumberParseException:
        raise InvalidError("is not a phone number", POINTER) from None
    if not phonenumbers.is_possible_number(number):
        raise InvalidError("is not a phone number", POINTER)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _social(value: str) -> str:
    if not value.isprintable():
        raise InvalidError("is not a contact", POINTER)
    if "://" in value:
        try:
            parts = urlsplit(value)
        except ValueError:
            raise InvalidError("is not a web address", POINTER) from None
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or " " in value:
            raise InvalidError("is not a web address", POINTER)
        return f"https://{parts.hostname}{parts.path.rstrip('/')}"
    if not _HANDLE.fullmatch(value):
        raise InvalidError("is neither a handle nor a web address", POINTER)
    return "@" + value.removeprefix("@").casefold()


class ContactIndex:
    """Keyed hashes to find a contact by: the newest pepper makes them, and every pepper finds them."""

    def __init__(self, peppers: tuple[str, ...]) -> None:
        self._hashes = KeyedHashes(peppers, "contact index")

    def of(self, contact: Contact) -> str:
        return self._hashes.of(f"{contact.type}:{contact.value}")

    def all_of(self, contact: Contact) -> list[str]:
        return self._hashes.all_of(f"{contact.type}:{contact.value}")

    @property
    def current(self) -> str:
        """How every hash begins that the newest pepper made."""
        return self._hashes.current
