"""The pages on which a person tells a story: by voice, with a file, or in writing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated
from uuid import UUID

import msgspec
from pydantic import Field, StrictBool

from adapters import consent_texts, contacts
from adapters.consent_texts import ConsentText
from adapters.identity.credentials import ticket_holder
from adapters.quotas import QuotaExceeded
from domain.commands.tickets import TicketCommands
from domain.consent import Consent
from domain.errors import AmountError, AudioTooLongError, BusyError, InvalidError, NotAudioError
from domain.goals import checked_goal
from domain.values import ConsentScope, Contact, ContactType, Role
from entrypoints.http.bodies import (
    Body,
    DraftChange,
    Line,
    ProcessRequest,
    Text,
    TicketOpening,
    read,
    typed_fields,
    validated,
)
from entrypoints.http.cookies import session_cookie
from entrypoints.http.handlers.campaigns import CampaignHandlers
from entrypoints.http.handlers.consents import GivenConsent, given_on_page
from entrypoints.http.handlers.recordings import RecordingHandlers
from entrypoints.http.handlers.tickets import TicketHandlers
from entrypoints.http.intake import Intake
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import MICROPHONE, Site, page_language, see_other
from entrypoints.http.problems import Problem, invalid, problem_of
from projections.ticket_status import used_recordings

# What a person may have to look at again, and the name of the sentence that says so.
REFUSALS: Mapping[type[Exception], str] = {
    NotAudioError: "audio",
    AudioTooLongError: "long",
    BusyError: "busy",
    QuotaExceeded: "quota",
}
# In these the page has its words as sound; in the others the browser reads them, if it can.
SPOKEN_LANGUAGES = ("en", "es")
DRAFT_FIELDS = ("title", "story", "beneficiary", "goalAmount")


class Teller(Body):
    """Who tells a story, and that they agree that it is kept, and shown once they say so."""

    contact: Annotated[Text, Field(max_length=contacts.LONGEST)]
    name: Annotated[Text, Field(max_length=120)] | None = None
    consent: StrictBool
    # The text that was shown.
    text_version: Annotated[Line, Field(max_length=20)] | None = None
    text_language: Annotated[Line, Field(max_length=20)] | None = None


class OpenedStory(msgspec.Struct, rename="camel"):
    """The ticket that belongs to a story; the browser is signed in to it by a cookie."""

    ticket_id: UUID


@dataclass(frozen=True)
class TellHandlers:
    commands: TicketCommands
    tickets: TicketHandlers
    recordings: RecordingHandlers
    campaigns: CampaignHandlers
    site: Site
    intake: Intake

    def show(self, call: Call) -> Answer[bytes]:
        return self._recorder(call, None) if self._may_open(call) else self.site.page(call, "tell_closed.html")

    def show_file(self, call: Call) -> Answer[bytes]:
        return self._form(call, "tell_file.html")

    def show_writing(self, call: Call) -> Answer[bytes]:
        return self._form(call, "tell_write.html")

    def show_more(self, call: Call) -> Answer[bytes]:
        return self._recorder(call, call.ticket_id)

    def open(self, call: Call, body: Teller) -> Answer[OpenedStory]:
        """Open the ticket of a story that was just recorded, before the recording is sent."""
        if not body.consent:
            raise invalid("/consent", "must be given")
        cookie = self._open(
            call, body.contact, body.name or "", _agreement(call, body.text_version, body.text_language)
        )
        return Answer(OpenedStory(call.ticket_id), 201, cookie)

    def send_file(self, call: Call) -> Answer[bytes | None]:
        assert call.upload is not None
        fields = dict(call.upload.fields)
        faults = _faults_of_person(fields)
        faults += ["audio"] if not call.upload.size_bytes else []
        if faults:
            return self._form(call, "tell_file.html", fields, faults)
        return self._keep_recording(call, self._open_with(call, fields))

    def send_more(self, call: Call) -> Answer[bytes | None]:
        return self._keep_recording(call, {})

    def write(self, call: Call) -> Answer[bytes | None]:
        fields = typed_fields(call.raw_body)
        draft = {name: fields[name] for name in DRAFT_FIELDS if fields.get(name)}
        faults = [*_faults_of_draft(draft, self.intake.currency(call.principal)), *_faults_of_person(fields)]
        if faults:
            return self._form(call, "tell_write.html", fields, faults)
        cookie = self._open_with(call, fields)
        self.campaigns.edit_draft(call, validated(DraftChange, draft))
        return see_other(f"/t/{call.ticket_id}", cookie)

    def _may_open(self, call: Call) -> bool:
        return self.intake.may_open(call.principal)

    def _form(
        self,
        call: Call,
        template: str,
        values: Mapping[str, str] = MappingProxyType({}),
        faults: Iterable[str] = (),
    ) -> Answer[bytes]:
        if not self._may_open(call):
            return self.site.page(call, "tell_closed.html")
        status, text = 422 if faults else 200, self._text(call)
        currency = self.intake.currency(call.principal)
        return self.site.page(call, template, status, text=text, values=values, faults=list(faults), currency=currency)

    @staticmethod
    def _text(call: Call) -> ConsentText:
        return consent_texts.consent_text(consent_texts.CURRENT, page_language(call))

    def _recorder(
        self, call: Call, ticket_id: UUID | None, faults: Iterable[str] = (), headers: Mapping[str, str] | None = None
    ) -> Answer[bytes]:
        status, all_headers = 422 if faults else 200, {**MICROPHONE, **(headers or {})}
        return self.site.page(
            call,
            "tell.html",
            status,
            headers=all_headers,
            ticket_id=ticket_id,
            # Whether the person adds to a story that was told before, and whether everybody reads it.
            more=ticket_id is not None and any(each["problem"] is None for each in used_recordings(call.ticket)),
            public=ticket_id is not None and call.ticket["published"],
            text=self._text(call),
            faults=list(faults),
            spoken_languages=SPOKEN_LANGUAGES,
        )

    def _open_with(self, call: Call, fields: Mapping[str, str]) -> dict[str, str]:
        agreement = _agreement(call, fields.get("textVersion"), fields.get("textLanguage"))
        return self._open(call, fields["contact"], fields.get("name", ""), agreement)

    def _open(self, call: Call, contact_text: str, name: str, agreement: Consent) -> dict[str, str]:
        """Open a ticket as the API does, make its holder the caller, and return the cookie that signs in.

        What its holder agrees to is on record before anything of the story is.
        """
        contact = reachable_contact(contact_text)
        opening = {"contactType": contact.type, "contactValue": contact.value} | ({"displayName": name} if name else {})
        opened = self.tickets.create(call, read(TicketOpening, json.dumps(opening).encode())).body
        row = call.ticket_reader.ticket(opened.id) or call.ticket_reader.newest_ticket(opened.id, None)
        assert row is not None
        assert opened.access_token is not None
        call.ticket = row
        # A member of the staff, before whom the person agrees, stays signed in and acts for that person.
        is_staff = call.principal.role is Role.MEMBER
        if not is_staff:
            call.principal = ticket_holder(opened.access_token, call.ticket_rows) or call.principal
        # A request that is repeated after a crash finds the consent of the first.
        if not row["consents"]:
            self.commands.give_consent(call.principal.actor, call.ticket_id, agreement)
        return {} if is_staff else session_cookie(opened.access_token, https=self.site.https)

    def _keep_recording(self, call: Call, cookie: Mapping[str, str]) -> Answer[bytes | None]:
        """Keep the recording and start to work on it. A recording that is refused can be sent again for the ticket."""
        try:
            self.recordings.upload(call)
        except tuple(REFUSALS) as refusal:
            return self._recorder(call, call.ticket_id, [REFUSALS[type(refusal)]], cookie)
        # An earlier recording may be in work, or the minutes of the day are used up: the next page says so.
        with suppress(Problem, QuotaExceeded):
            self.recordings.process(call, ProcessRequest())
        return see_other(f"/t/{call.ticket_id}", cookie)


def _agreement(call: Call, version: str | None, language: str | None) -> Consent:
    """Return the consent to the text that was shown: to the story. The page asks for all else before it is public."""
    shown = {"textVersion": version or consent_texts.CURRENT, "language": language or page_language(call)}
    return validated(GivenConsent, {"scopes": [ConsentScope.STORY], **given_on_page(call), **shown}).consent()


def reachable_contact(text: str) -> Contact:
    """Return the contact that a person wrote; InvalidError if it could be a name as well."""
    contact = contacts.likely_contact(text.strip())
    if contact.type is ContactType.SOCIAL and not ("@" in text or "://" in text):
        raise InvalidError("is neither an e-mail address nor a phone number", "/contact")
    return contact


def _faults_of_person(fields: Mapping[str, str]) -> list[str]:
    faults = []
    try:
        reachable_contact(fields.get("contact", ""))
    except InvalidError:
        faults.append("contact")
    name = fields.get("name", "")
    if name:
        try:
            validated(TicketOpening, {"contactType": "SOCIAL", "contactValue": "@a", "displayName": name})
        except Problem:
            faults.append("name")
    return faults if fields.get("consent") else [*faults, "consent"]


def _faults_of_draft(draft: Mapping[str, str], currency: str) -> list[str]:
    try:
        change = validated(DraftChange, draft)
        if change.goal_amount is not None:
            checked_goal(change.goal_amount, currency)
    except AmountError:
        return ["goalAmount"]
    except (Problem, InvalidError) as error:
        return [field.pointer.removeprefix("/") for field in problem_of(error).errors] or ["goalAmount"]
    return [] if draft.get("story") else ["story"]
