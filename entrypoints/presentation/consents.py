"""Consents and the words that people agree to, as responses."""

from __future__ import annotations

from datetime import UTC, datetime

from adapters.consent_texts import ConsentText
from domain.values import ConsentHow, ConsentScope, OthersDecision
from entrypoints.presentation.personal_data import PersonalData
from entrypoints.presentation.responses import ResponseBody, Time
from projections.consent_records import shown_scopes
from projections.model import Row


class ConsentRecord(ResponseBody):
    """A consent or a withdrawal, with its time and who made it; `given` tells which of the two it is.

    `textVersion` and `language` name the text that was agreed to; null if a client showed words of its own.
    """

    given: bool
    scopes: list[ConsentScope]
    how: ConsentHow | None
    text_version: str | None
    language: str | None
    by: str | None
    note: str | None
    others: OthersDecision | None
    looked_by: str | None
    valid_until: Time | None
    at: Time
    actor: str

    @classmethod
    def from_record(cls, record: Row, row: Row, personal: PersonalData) -> ConsentRecord:
        ends = record.get("valid_until")
        return cls(
            "given" in record,
            [ConsentScope(scope) for scope in record.get("given") or record["withdrawn"]],
            ConsentHow(record["how"]) if record.get("how") else None,
            record.get("text_version"),
            record.get("language"),
            personal.text_or_none(row["ticket_id"], record.get("by")),
            personal.text_or_none(row["ticket_id"], record.get("note")),
            OthersDecision(record["others"]) if record.get("others") else None,
            personal.text_or_none(row["ticket_id"], record.get("looked_by")),
            None if ends is None else datetime.fromtimestamp(ends, UTC),
            datetime.fromisoformat(record["at"]),
            record["actor"],
        )


class Consents(ResponseBody):
    """The details of a person that may be shown now, and every consent and withdrawal, the oldest first."""

    given: list[ConsentScope]
    consents: list[ConsentRecord]

    @classmethod
    def from_row(cls, row: Row, personal: PersonalData) -> Consents:
        shown = shown_scopes(row)
        records = [ConsentRecord.from_record(record, row, personal) for record in row["consents"]]
        return cls([scope for scope in ConsentScope if scope in shown], records)


class ScopeWords(ResponseBody):
    """The words for one thing that may be shown."""

    scope: ConsentScope
    label: str
    words: str


class ConsentWords(ResponseBody):
    """The words that people agree to, in one language.

    `telling` is agreed to by who tells a story, `others` is about children and people spoken about.
    """

    version: str
    language: str
    telling: str
    introduction: str
    scopes: list[ScopeWords]
    others: str
    closing: str

    @classmethod
    def of(cls, text: ConsentText) -> ConsentWords:
        scopes = [ScopeWords(scope, words.label, words.words) for scope, words in text.scopes.items()]
        return cls(text.version, text.language, text.telling, text.introduction, scopes, text.others, text.closing)
