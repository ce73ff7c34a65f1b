"""The settings of a workspace as a request body."""

import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StrictInt
from pydantic_core import PydanticCustomError

from adapters import contacts, languages
from domain.errors import FaultCode, InvalidError
from domain.organisations import LONGEST_RETENTION_DAYS, Intake, Publishing
from domain.values import ContactType
from entrypoints.http.bodies import Body, Currency, Line, Text

LONGEST_NAME = 100
LONGEST_ORGANISATION_NAME = 200
LONGEST_TEXT = 1_000
LONGEST_ADDRESS = 500
LONGEST_URL = 500

_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*", re.I)


def _check_web_address(text: str) -> str:
    """Only addresses that a link may lead to from our pages."""
    try:
        parts = urlsplit(text)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        port_is_valid = False
    if not port_is_valid or not (
        text.isascii()
        and text.isprintable()
        and " " not in text
        and parts.scheme in ("http", "https")
        and _HOST.fullmatch(parts.hostname or "")
        and parts.username is None
    ):
        raise PydanticCustomError(FaultCode.INVALID, "must be a web address that begins with https://")
    return text


def _check_email(text: str) -> str:
    try:
        return contacts.normalize_contact(ContactType.EMAIL, text).value
    except InvalidError:
        raise PydanticCustomError(FaultCode.INVALID_CONTACT, "is not an e-mail address") from None


def _check_language(text: str) -> str:
    if text not in languages.LANGUAGES:
        offered = ", ".join(languages.LANGUAGES)
        raise PydanticCustomError(FaultCode.UNKNOWN_VALUE, "must be one of {known}", {"known": offered})
    return text


class OrganisationChange(Body):
    """A JSON Merge Patch of the organisation: absent fields stay as they are, null clears a field."""

    legal_name: Annotated[Line, Field(max_length=LONGEST_ORGANISATION_NAME)] | None = None
    address: Annotated[Text, Field(max_length=LONGEST_ADDRESS)] | None = None
    registration_number: Annotated[Line, Field(max_length=100)] | None = None
    tax_wording: Annotated[Text, Field(max_length=LONGEST_TEXT)] | None = None
    contact: Annotated[Text, Field(max_length=LONGEST_ADDRESS)] | None = None
    privacy_page: Annotated[Line, Field(max_length=LONGEST_URL), AfterValidator(_check_web_address)] | None = None
    reply_to: Annotated[Line, Field(max_length=contacts.LONGEST), AfterValidator(_check_email)] | None = None


Days = Annotated[StrictInt, Field(ge=1, le=LONGEST_RETENTION_DAYS)]


class RetentionChange(Body):
    """A JSON Merge Patch of the retention: an absent period stays as it is, null removes it."""

    ticket_days: Days | None = None
    donor_days: Days | None = None


class WorkspaceChange(Body):
    """A JSON Merge Patch of a workspace's settings: absent fields stay, null clears what has no value of its own."""

    name: Annotated[Line, Field(max_length=LONGEST_NAME)] = ""
    organisation: OrganisationChange | None = None
    intake: Intake = Intake.OPEN
    publishing: Publishing = Publishing.FREE
    language: Annotated[Line, Field(max_length=35), AfterValidator(_check_language)] | None = None
    currency: Currency | None = None
    retention: RetentionChange | None = None

    def changes(self) -> dict[str, Any]:
        """Return what changes, by the names of the domain."""
        changes = super().changes()
        if "name" in changes:
            changes["title"] = changes.pop("name")
        if "organisation" in changes:
            changes["organisation"] = self.organisation.changes() if self.organisation else None
        if "retention" in changes:
            changes["retention"] = self.retention.changes() if self.retention else None
        return changes
