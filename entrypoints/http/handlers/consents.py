"""Handlers for consents: what a person agrees to show, takes back, and the words of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from adapters import consent_texts
from domain.commands.tickets import TicketCommands
from domain.consent import Consent
from domain.errors import FaultCode
from domain.values import ConsentHow, ConsentScope, OthersDecision, Role
from entrypoints.http.bodies import Body, Line, Text
from entrypoints.http.handlers.preconditions import etag_header, if_match
from entrypoints.http.operations import Answer, Call
from entrypoints.presentation.consents import Consents, ConsentWords
from projections.model import Row

LONGEST_NOTE = 500
# Texts do not change, so a browser may keep them for a day.
CACHED = {"Cache-Control": "public, max-age=86400"}

Scopes = Annotated[list[ConsentScope], Field(min_length=1, max_length=len(ConsentScope))]


class GivenConsent(Body):
    """`textVersion` and `language` name the text that the person read or heard; `by` who agreed for the person, or
    witnessed it. `lookedBy` looked at what the story says of children and other people, `others` is what they decided,
    and `note` says whom they asked.
    """

    scopes: Scopes
    text_version: Annotated[Line, Field(max_length=20)]
    language: Annotated[Line, Field(max_length=20)]
    how: ConsentHow
    by: Annotated[Line, Field(max_length=120)] | None = None
    note: Annotated[Text, Field(max_length=LONGEST_NOTE)] | None = None
    valid_until: AwareDatetime | None = None
    others: OthersDecision | None = None
    looked_by: Annotated[Line, Field(max_length=120)] | None = None

    @field_validator("text_version")
    @classmethod
    def _check_version(cls, value: str) -> str:
        if value not in consent_texts.versions():
            raise PydanticCustomError(FaultCode.UNKNOWN_VALUE, "is not the version of a text")
        return value

    @field_validator("valid_until")
    @classmethod
    def _check_year(cls, value: datetime | None) -> datetime | None:
        if value is not None and value.year > MAX_YEAR:
            raise PydanticCustomError(FaultCode.OUT_OF_RANGE, "is out of range")
        return value

    @model_validator(mode="after")
    def _check_witness(self) -> "GivenConsent":
        if self.how is ConsentHow.WITNESSED and self.by is None:
            raise PydanticCustomError(FaultCode.REQUIRED, "a consent before a witness needs `by`, who witnessed it")
        if self.others not in (None, OthersDecision.NOBODY) and self.looked_by is None:
            raise PydanticCustomError(FaultCode.REQUIRED, "a decision on other people needs `lookedBy`, who made it")
        return self

    def consent(self) -> Consent:
        return Consent(
            tuple(scope for scope in ConsentScope if scope in self.scopes),
            self.how,
            self.text_version,
            self.language,
            self.by,
            self.note,
            None if self.valid_until is None else int(self.valid_until.timestamp()),
            self.others,
            self.looked_by,
        )


MAX_YEAR = 9000


class WithdrawnConsent(Body):
    scopes: Scopes


def given_on_page(call: Call) -> dict[str, str]:
    """Return how the person agrees on a page: by a tap, or before the member of the staff who is signed in."""
    if call.principal.role is Role.MEMBER:
        return {"how": ConsentHow.WITNESSED.value, "by": str(call.principal.actor)}
    return {"how": ConsentHow.TYPED.value}


@dataclass(frozen=True)
class ConsentHandlers:
    commands: TicketCommands

    def list_consents(self, call: Call) -> Answer[Consents]:
        return self._answer(call, call.ticket)

    def give(self, call: Call, body: GivenConsent) -> Answer[Consents]:
        self.commands.give_consent(call.principal.actor, call.ticket_id, body.consent(), if_match(call))
        return self._answer(call, call.current_row(), 201)

    def withdraw(self, call: Call, body: WithdrawnConsent) -> Answer[Consents]:
        self.commands.withdraw_consent(call.principal.actor, call.ticket_id, body.scopes, if_match(call))
        return self._answer(call, call.current_row())

    def text(self, call: Call) -> Answer[ConsentWords]:
        """Return the words of a version; `current` is the newest."""
        version = call.path_params["version"]
        text = consent_texts.consent_text(
            consent_texts.CURRENT if version == "current" else version,
            call.query.get("language", consent_texts.DEFAULT_LANGUAGE),
        )
        return Answer(ConsentWords.of(text), 200, CACHED)

    def _answer(self, call: Call, row: Row, status: int = 200) -> Answer[Consents]:
        return Answer(Consents.from_row(row, call.personal_data()), status, etag_header(row))
