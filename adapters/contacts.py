"""Normal forms of contacts, and keyed hashes to find them by."""

import re
from urllib.parse import urlsplit

from adapters.encryption.keyed_hashes import KeyedHashes
from domain.errors import FaultCode, InvalidError
from domain.values import Contact, ContactType

POINTER = "/contactValue"
LONGEST = 320
_NUMBER = re.compile(r"[+\d\s().\-/]+")
_HANDLE = re.compile(r"@?[\w](?:[\w.\-]{0,62}[\w])?", re.UNICODE)


def normalize_contact(type: ContactType, value: str) -> Contact:
    """Return the contact in its normal form; InvalidError if the text is not a contact of this type."""
    value = value.strip()
    if not value or len(value) > LONGEST or any(ord(c) < 32 or 0xD800 <= ord(c) <= 0xDFFF for c in value):
        raise InvalidError("is not a contact", POINTER, FaultCode.INVALID_CONTACT)
    match type:
        case ContactType.EMAIL:
            return Contact(type, _email(value))
        case ContactType.PHONE:
            return Contact(type, _phone(value))
        case ContactType.SOCIAL:
            return Contact(type, _social(value))


def possible_contacts(value: str) -> list[Contact]:
    """Return every contact that a search text may stand for."""
    contacts = []
    for type in ContactType:
        try:
            contacts.append(normalize_contact(type, value))
        except InvalidError:
            continue
    return contacts


def likely_contact(value: str) -> Contact:
    """Return the contact that a text most likely stands for; InvalidError if it cannot be a contact."""
    contacts = possible_contacts(value)
    if not contacts:
        raise InvalidError(
            "is neither an e-mail address nor a phone number, a handle or a web address",
            POINTER,
            FaultCode.INVALID_CONTACT,
        )
    # A handle that ends in digits may also parse as a phone number.
    is_number = _NUMBER.fullmatch(value) is not None
    likely = [contact for contact in contacts if (contact.type is ContactType.PHONE) == is_number]
    return (likely or contacts)[0]


def load() -> None:
    """Import the libraries that parse addresses and phone numbers, which takes long."""
    import email_validator  # noqa: F401
    import phonenumbers  # noqa: F401


def _email(value: str) -> str:
    from email_validator import EmailNotValidError, validate_email

    try:
        checked = validate_email(value, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        raise InvalidError("is not an e-mail address", POINTER, FaultCode.INVALID_CONTACT) from None
    # Addresses that differ only in case belong to the same person in practice.
    return checked.normalized.lower()


def _phone(value: str) -> str:
    """Return the number as E.164; a number without a country code is parsed as North American."""
    import phonenumbers

    try:
        number = phonenumbers.parse(value, "US")
    except phonenumbers.NumberParseException:
        raise InvalidError("is not a phone number", POINTER, FaultCode.INVALID_CONTACT) from None
    if not phonenumbers.is_possible_number(number):
        raise InvalidError("is not a phone number", POINTER, FaultCode.INVALID_CONTACT)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _social(value: str) -> str:
    if not value.isprintable():
        raise InvalidError("is not a contact", POINTER, FaultCode.INVALID_CONTACT)
    if "://" in value:
        try:
            parts = urlsplit(value)
        except ValueError:
            raise InvalidError("is not a web address", POINTER, FaultCode.INVALID_CONTACT) from None
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or " " in value:
            raise InvalidError("is not a web address", POINTER, FaultCode.INVALID_CONTACT)
        return f"https://{parts.hostname}{parts.path.rstrip('/')}"
    if not _HANDLE.fullmatch(value):
        raise InvalidError("is neither a handle nor a web address", POINTER, FaultCode.INVALID_CONTACT)
    return "@" + value.removeprefix("@").casefold()


class ContactIndex:
    """Keyed hashes of contacts: the newest pepper makes them, and hashes of older peppers are still found."""

    def __init__(self, peppers: tuple[str, ...]) -> None:
        self._hashes = KeyedHashes(peppers, "contact index")

    def of(self, contact: Contact) -> str:
        return self._hashes.of(f"{contact.type}:{contact.value}")

    def all_of(self, contact: Contact) -> list[str]:
        return self._hashes.all_of(f"{contact.type}:{contact.value}")

    @property
    def current(self) -> str:
        """Return the prefix of every hash that the newest pepper made."""
        return self._hashes.current
