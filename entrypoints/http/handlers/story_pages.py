"""The page on which a holder reads and corrects a draft, beside the transcript of the recording."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from typing import NamedTuple
from uuid import UUID

from adapters.languages import translations
from adapters.localisation import format_moment, supported_language
from domain.commands.tickets import TicketCommands
from domain.corrections import CorrectedSegment
from domain.errors import InvalidError, StaleVersionError
from domain.values import Role
from entrypoints.http.bodies import (
    DocumentOrder,
    DraftChange,
    Restoration,
    TranscriptCorrections,
    typed_fields,
    validated,
)
from entrypoints.http.handlers.documents import DocumentHandlers
from entrypoints.http.handlers.question_pages import currency_choices
from entrypoints.http.handlers.story_form import GOAL, LONGEST, StoryForm, faults_of, texts_of, without_dropped
from entrypoints.http.handlers.transcripts import TranscriptHandlers
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import Site, caller_language, see_other, story_language
from entrypoints.http.problems import Problem
from entrypoints.presentation.passages import passage_of_segment, spoken_sentences
from entrypoints.presentation.recordings import recordings_of
from entrypoints.presentation.responses import ResponseBody
from entrypoints.presentation.versions import PastDraft, draft_at, past_drafts
from projections.model import Row

SHOWN_VERSIONS = 10
# What a person writes with shorter pauses is shown as one version, because it is saved while it is written.
SITTING = timedelta(minutes=15)
# How often a save begins again because somebody else saved at the same moment.
ATTEMPTS = 5
MAX_DIGITS = 9


class ShownVersion(NamedTuple):
    number: int
    when: str
    by_person: bool
    title: str | None
    story: str | None


@dataclass(frozen=True)
class Attempt:
    """A form that could not be saved: the texts as typed, and why."""

    typed: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    # What other people wrote in the fields that this person also changed.
    theirs: Mapping[str, str] = field(default_factory=dict)
    segments: Mapping[str, str] = field(default_factory=dict)
    stale: bool = False

    @property
    def status(self) -> int:
        return 409 if self.stale else 422 if self.errors else 200


class KeptTexts(ResponseBody):
    """The result of saving texts while they are written.

    `theirs` is what others wrote since the page's version. If the same fields were typed too, these are the conflicts,
    and nothing was saved.
    """

    version: int
    errors: dict[str, str]
    conflicts: list[str]
    theirs: dict[str, str]


@dataclass(frozen=True)
class Saved:
    """The ticket after a form was saved, as far as it could be."""

    row: Row
    form: StoryForm
    errors: Mapping[str, str]


@dataclass(frozen=True)
class StoryPageHandlers:
    commands: TicketCommands
    transcripts: TranscriptHandlers
    documents: DocumentHandlers
    site: Site

    def show(self, call: Call) -> Answer[bytes]:
        return self._page(call, call.ticket, Attempt())

    def save(self, call: Call) -> Answer[bytes | None]:
        """Write the fields that the person changed, or show both texts if somebody else wrote into the same fields."""
        form = typed_fields(call.raw_body)
        saved = self._save(call, form, partly=False)
        if saved.form.conflicts:
            attempt = Attempt(saved.form.texts, theirs=saved.form.conflicts, stale=True)
            return self._page(call, saved.row, attempt)
        if saved.errors:
            return self._page(call, saved.row, Attempt(saved.form.texts, saved.errors))
        place = "#sentences" if "drop" in form else ""
        return see_other(f"/t/{call.ticket_id}/story?done=saved{place}")

    def keep(self, call: Call) -> Answer[KeptTexts]:
        """Save what was typed so far: of invalid fields nothing, and nothing at all if there is a conflict."""
        saved = self._save(call, typed_fields(call.raw_body), partly=True)
        kept = KeptTexts(saved.row["version"], dict(saved.errors), list(saved.form.conflicts), saved.form.theirs)
        return Answer(kept, 200, {"Cache-Control": "no-store"})

    def correct(self, call: Call) -> Answer[bytes | None]:
        """Correct one segment of the transcript, or show again what was typed if it cannot be saved."""
        form, version = typed_fields(call.raw_body), call.ticket["version"]
        segment_id, text = form.get("segment", ""), " ".join(form.get("text", "").split())
        conflict = Attempt(segments={segment_id: text}, stale=True)
        present = {str(each.place): each.segment.text for each in self._segments(call, call.ticket)}
        if form.get("before") != present.get(segment_id, "").strip():
            return self._page(call, call.ticket, conflict)
        try:
            body = validated(TranscriptCorrections, {"corrections": [{"segmentId": segment_id, "text": text}]})
            texts = [(corrected.segment_id, corrected.text) for corrected in body.corrections]
            self.transcripts.commands.correct(call.principal.actor, call.ticket_id, texts, version)
        except StaleVersionError:
            return self._page(call, call.current_row(), conflict)
        except (Problem, InvalidError) as error:
            errors = {f"segment-{segment_id}": next(iter(self._errors(call, error).values()))}
            return self._page(call, call.ticket, Attempt(segments={segment_id: text}, errors=errors))
        return see_other(f"/t/{call.ticket_id}/story?done=corrected")

    def restore(self, call: Call) -> Answer[bytes | None]:
        form = typed_fields(call.raw_body)
        earlier = validated(Restoration, {"version": number_in(form.get("earlier", ""))}).version
        version = _version(form)
        try:
            if version != call.ticket["version"]:
                raise StaleVersionError("The ticket has changed since you read it.")
            self.commands.restore_draft(call.principal.actor, call.ticket_id, earlier, version)
        except StaleVersionError:
            return self._page(call, call.current_row(), Attempt(stale=True))
        return see_other(f"/t/{call.ticket_id}/story?done=restored")

    def print(self, call: Call) -> Answer[None]:
        """Make a document of the draft, and lead the browser to it."""
        format = "pdf" if typed_fields(call.raw_body).get("format") == "pdf" else "docx"
        made = self.documents.generate(call, validated(DocumentOrder, {"docType": "GOFUNDME_DRAFT", "format": format}))
        return see_other(f"/api/tickets/{call.ticket_id}/documents/{made.body.document_id}/download")

    def _save(self, call: Call, form: Mapping[str, str], *, partly: bool) -> Saved:
        """Save the form on top of what the draft says now, whatever else of the ticket has changed."""
        row, personal = call.ticket, call.personal_data()
        for _ in range(ATTEMPTS):
            now = texts_of(personal.draft(row))
            before = self._before(call, row, _version(form), now)
            compared = StoryForm.of(before, now, without_dropped(form, before))
            changes, errors = self._changes(call, compared)
            if compared.conflicts or not changes or (errors and not partly):
                return Saved(row, compared, errors)
            try:
                self.commands.edit_draft(call.principal.actor, call.ticket_id, changes, row["version"])
            except StaleVersionError:
                row = call.current_row()
                continue
            except InvalidError as error:
                # The fields are right, but together they are no goal.
                return Saved(row, compared, {**errors, **self._errors(call, error)})
            return Saved(call.current_row(), compared, errors)
        raise StaleVersionError("The ticket has changed since you read it.")

    def _before(self, call: Call, row: Row, version: int, now: Mapping[str, str]) -> Mapping[str, str]:
        """Return the texts that the form was filled with."""
        if version == row["version"]:
            return now
        personal = call.personal_data()
        return texts_of(draft_at(call.reads.ticket_history(call.ticket_id), version, call.ticket_id, personal))

    def _changes(self, call: Call, form: StoryForm) -> tuple[dict[str, object], dict[str, str]]:
        """Return the changes of the valid fields, and what is wrong with the others."""
        names, errors = form.changed, dict[str, str]()
        while names:
            try:
                return validated(DraftChange, form.changes(names, self._language(call))).changes(), errors
            except (Problem, InvalidError) as error:
                faults = self._errors(call, error)
                invalid = names & (faults.keys() | (GOAL if GOAL & faults.keys() else frozenset()))
                if not invalid:
                    raise
                names, errors = names - invalid, errors | faults
        return {}, errors

    def _errors(self, call: Call, error: Problem | InvalidError) -> dict[str, str]:
        return faults_of(error, translations(self._language(call)).gettext)

    def _page(self, call: Call, row: Row, attempt: Attempt) -> Answer[bytes]:
        personal, language = call.personal_data(), self._language(call)
        draft, segments = personal.draft(row), self._segments(call, row)
        recording_ids = {recording.id for recording in recordings_of(row)} if segments else set()
        heard = {str(each.place.recording_id) for each in segments}
        return self.site.page(
            call,
            "story.html",
            attempt.status,
            version=row["version"],
            published=row["published"],
            drafting=row["content_status"] == "PROCESSING",
            texts=texts_of(draft) | dict(attempt.typed),
            attempt=attempt,
            longest=LONGEST,
            currencies=currency_choices(language),
            segments=segments,
            passages={str(each.place): passage_of_segment(call.ticket_id, each, recording_ids) for each in segments},
            sentences=spoken_sentences(call.ticket_id, draft, segments, recording_ids),
            story_tag=story_language(row) or language,
            # The recordings that have segments, numbered as on the page of all recordings.
            recording_numbers={
                UUID(recording["id"]): number
                for number, recording in enumerate(row["recordings"], 1)
                if recording["id"] in heard
            },
            versions=self._versions(call, language),
            notice=call.query.get("done"),
        )

    def _segments(self, call: Call, row: Row) -> list[CorrectedSegment]:
        return self.transcripts.segments(call, row) if row["transcriptions"] else []

    def _versions(self, call: Call, language: str) -> list[ShownVersion]:
        """Return the latest versions of the draft before the present one, newest first."""
        personal = call.personal_data()
        history = _sittings(past_drafts(call.reads.ticket_history(call.ticket_id)))
        shown = []
        for past in islice(reversed(history), 1, 1 + SHOWN_VERSIONS):
            at, draft = past.recorded.recorded_at, personal.opened_draft(call.ticket_id, past.draft)
            when = format_moment(at, supported_language(language))
            event = past.recorded.event
            shown.append(ShownVersion(event.originator_version, when, _by_person(past), draft.title, draft.story))
        return shown

    def _language(self, call: Call) -> str:
        return caller_language(call)


def _sittings(versions: Iterable[PastDraft]) -> list[PastDraft]:
    """Return the versions, oldest first; of what one person wrote without a long pause, only the last."""
    kept: list[PastDraft] = []
    for version in versions:
        before = kept[-1] if kept else None
        if (
            before is not None
            and _by_person(version)
            and before.recorded.event.actor == version.recorded.event.actor
            and version.recorded.recorded_at - before.recorded.recorded_at < SITTING
        ):
            kept.pop()
        kept.append(version)
    return kept


def _by_person(version: PastDraft) -> bool:
    return version.recorded.event.actor.role is not Role.SYSTEM


def _version(form: Mapping[str, str]) -> int:
    """Return the version of the ticket that the page showed; 0, which no ticket has, if the form does not say."""
    return number_in(form.get("version", ""))


def number_in(text: str) -> int:
    """Return the number that a form or an address has; 0 if it has none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else 0
