"""The page on which a holder reads and corrects a draft, beside the transcript of the recording."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from adapters.encryption.field_cipher import FieldCipher
from adapters.languages import translations
from adapters.localisation import format_moment, supported_language
from adapters.read_models.read_your_writes import ReadYourWrites
from domain.commands.tickets import TicketCommands
from domain.corrections import CorrectedSegment
from domain.errors import InvalidError, StaleVersionError
from domain.tickets import DEFAULT_CURRENCY
from domain.values import Draft, Role
from entrypoints.http.amounts import read_amount
from entrypoints.http.bodies import (
    DocumentOrder,
    DraftChange,
    Restoration,
    TranscriptCorrections,
    form_fields,
    validated,
)
from entrypoints.http.handlers.documents import DocumentHandlers
from entrypoints.http.handlers.question_pages import currency_choices, fault_sentence
from entrypoints.http.handlers.tickets import current_row
from entrypoints.http.handlers.transcripts import TranscriptHandlers
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import Site, reader_language, see_other
from entrypoints.http.problems import Problem, problem_of
from entrypoints.presentation.versions import draft_at, past_drafts
from projections.model import Row

# The fields of the form, and the most characters of each.
LONGEST = {
    "title": 120,
    "story": 10_000,
    "beneficiary": 120,
    "location": 120,
    "amount": 40,
    "currency": 3,
    "breakdown": 4_000,
}
SHOWN_VERSIONS = 10
MAX_DIGITS = 9


class ShownVersion(NamedTuple):
    number: int
    when: str
    by_person: bool
    title: str | None
    story: str | None


@dataclass(frozen=True)
class Attempt:
    """What a person sent that could not be saved: the texts as typed, and why."""

    typed: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    # What other people wrote in the fields that this person also changed.
    theirs: Mapping[str, str] = field(default_factory=dict)
    segments: Mapping[str, str] = field(default_factory=dict)
    stale: bool = False

    @property
    def status(self) -> int:
        return 409 if self.stale else 422 if self.errors else 200


@dataclass(frozen=True)
class StoryPageHandlers:
    commands: TicketCommands
    transcripts: TranscriptHandlers
    documents: DocumentHandlers
    ticket_reader: ReadYourWrites
    cipher: FieldCipher
    site: Site

    def show(self, call: Call) -> Answer[bytes]:
        return self._page(call, call.ticket, Attempt())

    def save(self, call: Call) -> Answer[bytes | None]:
        """Write the fields that the person changed, or show both texts if somebody else changed the draft since."""
        form = _form(call)
        now = _texts(call.personal_data(self.cipher).draft(call.ticket))
        typed = {name: form.get(name, now[name]) for name in LONGEST}
        version = _version(form)
        if version != call.ticket["version"]:
            return self._conflict(call, typed, version)
        try:
            body = validated(DraftChange, self._changes(call, typed, now))
            changes = {name: getattr(body, name) for name in body.model_fields_set}
            if "breakdown" in changes:
                changes["breakdown"] = tuple(changes["breakdown"] or ())
            if changes:
                self.commands.edit_draft(call.principal.actor, call.ticket_id, changes, version)
        except StaleVersionError:
            return self._conflict(call, typed, version)
        except (Problem, InvalidError) as error:
            errors = self._errors(call, error)
            return self._page(call, call.ticket, Attempt(typed, errors))
        return see_other(f"/t/{call.ticket_id}/story?done=saved")

    def correct(self, call: Call) -> Answer[bytes | None]:
        """Correct one segment of the transcript, or keep what was typed if the segment cannot be saved."""
        form, version = _form(call), _version(_form(call))
        segment_id, text = form.get("segment", ""), " ".join(form.get("text", "").split())
        attempt = Attempt(segments={segment_id: text}, stale=True)
        if version != call.ticket["version"]:
            return self._page(call, call.ticket, attempt)
        try:
            body = validated(TranscriptCorrections, {"corrections": [{"segmentId": segment_id, "text": text}]})
            texts = [(corrected.segment_id, corrected.text) for corrected in body.corrections]
            self.transcripts.commands.correct(call.principal.actor, call.ticket_id, texts, version)
        except StaleVersionError:
            return self._page(call, current_row(self.ticket_reader, call.ticket_id), attempt)
        except (Problem, InvalidError) as error:
            errors = {f"segment-{segment_id}": next(iter(self._errors(call, error).values()))}
            return self._page(call, call.ticket, Attempt(segments={segment_id: text}, errors=errors))
        return see_other(f"/t/{call.ticket_id}/story?done=corrected")

    def restore(self, call: Call) -> Answer[bytes | None]:
        form = _form(call)
        earlier = validated(Restoration, {"version": _number(form.get("earlier", ""))}).version
        version = _version(form)
        try:
            if version != call.ticket["version"]:
                raise StaleVersionError("The ticket has changed since you read it.")
            self.commands.restore_draft(call.principal.actor, call.ticket_id, earlier, version)
        except StaleVersionError:
            return self._page(call, current_row(self.ticket_reader, call.ticket_id), Attempt(stale=True))
        return see_other(f"/t/{call.ticket_id}/story?done=restored")

    def print(self, call: Call) -> Answer[None]:
        """Make a document of the draft, and lead the browser to it."""
        format = "pdf" if _form(call).get("format") == "pdf" else "docx"
        made = self.documents.generate(call, validated(DocumentOrder, {"docType": "GOFUNDME_DRAFT", "format": format}))
        return see_other(f"/api/tickets/{call.ticket_id}/documents/{made.body.document_id}/download")

    def _changes(self, call: Call, typed: Mapping[str, str], now: Mapping[str, str]) -> dict[str, object]:
        """Return the change of the draft, as a client of the API would send it; an empty field is cleared."""
        changed = {name for name in LONGEST if typed[name] != now[name]}
        changes: dict[str, object] = {
            name: typed[name] or None for name in ("title", "story", "beneficiary", "location") if name in changed
        }
        if "breakdown" in changed:
            changes["breakdown"] = [line.strip() for line in typed["breakdown"].splitlines() if line.strip()] or None
        if "amount" in changed or ("currency" in changed and typed["amount"]):
            goal = read_amount(typed["amount"], typed["currency"], self._language(call)) if typed["amount"] else None
            changes |= {"goalAmount": str(goal.major), "currency": goal.currency} if goal else {"goalAmount": None}
        return changes

    def _conflict(self, call: Call, typed: Mapping[str, str], version: int) -> Answer[bytes]:
        """Show what the person typed, and beside it what the draft says by now."""
        row, personal = current_row(self.ticket_reader, call.ticket_id), call.personal_data(self.cipher)
        now = _texts(personal.draft(row))
        before = _texts(draft_at(call.reads.ticket_history(call.ticket_id), version, call.ticket_id, personal))
        texts = {name: typed[name] if typed[name] != before[name] else now[name] for name in LONGEST}
        theirs = {name: now[name] for name in LONGEST if now[name] not in (texts[name], before[name])}
        return self._page(call, row, Attempt(texts, theirs=theirs, stale=True))

    def _errors(self, call: Call, error: Problem | InvalidError) -> dict[str, str]:
        problem = problem_of(error)
        if problem.name != "invalid":
            raise error
        _ = translations(self._language(call)).gettext
        errors = {}
        for invalid_field in problem.errors:
            name = invalid_field.pointer.split("/")[1] if "/" in invalid_field.pointer else ""
            name = "amount" if name in ("goalAmount", "amount") else name
            question = "goal" if name in ("amount", "currency") else name
            errors[name] = fault_sentence(invalid_field.code, question, _)
        return errors

    def _page(self, call: Call, row: Row, attempt: Attempt) -> Answer[bytes]:
        personal, language = call.personal_data(self.cipher), self._language(call)
        return self.site.page(
            call,
            "story.html",
            attempt.status,
            ticket_id=call.ticket_id,
            version=row["version"],
            published=row["published"],
            drafting=row["content_status"] == "PROCESSING",
            texts=_texts(personal.draft(row)) | dict(attempt.typed),
            attempt=attempt,
            longest=LONGEST,
            currencies=currency_choices(language),
            segments=self._segments(call, row),
            versions=self._versions(call, language),
            notice=call.query.get("done"),
        )

    def _segments(self, call: Call, row: Row) -> list[CorrectedSegment]:
        return self.transcripts.segments(call, row) if row["transcriptions"] else []

    def _versions(self, call: Call, language: str) -> list[ShownVersion]:
        """Return the latest versions of the draft before the present one, newest first."""
        personal = call.personal_data(self.cipher)
        history = reversed(list(past_drafts(call.reads.ticket_history(call.ticket_id))))
        shown = []
        for past in islice(history, 1, 1 + SHOWN_VERSIONS):
            at, draft = past.recorded.recorded_at, personal.opened_draft(call.ticket_id, past.draft)
            when = format_moment(at, supported_language(language))
            event = past.recorded.event
            by_person = event.actor.role is not Role.SYSTEM
            shown.append(ShownVersion(event.originator_version, when, by_person, draft.title, draft.story))
        return shown

    def _language(self, call: Call) -> str:
        return reader_language(call.headers, call.query.get("lang"))


def _texts(draft: Draft) -> dict[str, str]:
    """Return the draft as it stands in the form."""
    return {
        "title": draft.title or "",
        "story": draft.story or "",
        "beneficiary": draft.beneficiary or "",
        "location": draft.location or "",
        "amount": format(draft.goal.major, "f") if draft.goal else "",
        "currency": draft.goal.currency if draft.goal else draft.currency or DEFAULT_CURRENCY,
        "breakdown": "\n".join(draft.breakdown),
    }


def _form(call: Call) -> dict[str, str]:
    # Browsers end lines with both characters.
    return {name: text.replace("\r\n", "\n").strip() for name, text in form_fields(call.raw_body).items()}


def _version(form: Mapping[str, str]) -> int:
    """Return the version of the ticket that the page showed; 0, which no ticket has, if the form does not say."""
    return _number(form.get("version", ""))


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else 0
