"""Handlers for the page on which a person sees what was agreed to, and takes it back."""

from dataclasses import dataclass
from typing import NamedTuple

from adapters import consent_texts
from adapters.localisation import format_date
from domain.commands.tickets import TicketCommands
from domain.values import ConsentScope
from entrypoints.http.bodies import form_fields, validated
from entrypoints.http.handlers.consents import WithdrawnConsent
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import Site, page_language, see_other, story_language
from entrypoints.http.problems import Problem
from entrypoints.presentation.consents import Consents


class ShownScope(NamedTuple):
    """A thing that may be shown or was taken back, in the words of the consent, and the day of that."""

    scope: ConsentScope
    label: str
    words: str
    day: str


@dataclass(frozen=True)
class ConsentPageHandlers:
    commands: TicketCommands
    site: Site

    def show(self, call: Call, *, fault: bool = False) -> Answer[bytes]:
        row, language = call.ticket, page_language(call, story_language(call.ticket))
        text = consent_texts.consent_text(consent_texts.CURRENT, language)
        consents = Consents.from_row(row, call.personal_data())

        def shown(scope: ConsentScope) -> ShownScope:
            last = next(record for record in reversed(consents.consents) if scope in record.scopes)
            words = text.scopes[scope]
            return ShownScope(scope, words.label, words.words, format_date(last.at, language))

        ever = {scope for record in consents.consents for scope in record.scopes}
        return self.site.page(
            call,
            "consent.html",
            422 if fault else 200,
            story_language=story_language(row),
            text=text,
            given=[shown(scope) for scope in consents.given],
            ended=[shown(scope) for scope in ConsentScope if scope in ever and scope not in consents.given],
            public=row["published"] and not row["suspended"],
            fault=fault,
        )

    def withdraw(self, call: Call) -> Answer[bytes] | Answer[None]:
        """Take one consent back by the same command as the API."""
        try:
            body = validated(WithdrawnConsent, {"scopes": [form_fields(call.raw_body).get("scope", "")]})
        except Problem:
            return self.show(call, fault=True)
        self.commands.withdraw_consent(call.principal.actor, call.ticket_id, body.scopes)
        return see_other(f"/t/{call.ticket_id}/consent?done={body.scopes[0]}")
