"""The responses about texts of a draft that may endanger a person, and the draft as strangers see it."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Lock
from uuid import UUID

from msgspec import UNSET, UnsetType

from adapters.encryption.field_cipher import FieldCipher
from domain import safety
from domain.commands.voices import reviewed_voice
from domain.consent import USUAL_SCOPES, shown_draft, shown_text
from domain.ports import SafetyReviewer
from domain.safety import SafetyReview
from domain.values import ConsentScope, Draft, FindingDecision, FindingKind
from entrypoints.presentation.personal_data import MASKED, PersonalData
from entrypoints.presentation.responses import ResponseBody
from projections.consent_records import consents_of, shown_scopes
from projections.model import Row
from projections.ticket_status import is_public

REMEMBERED_REVIEWS = 1_000


class Finding(ResponseBody):
    """A text of the draft that may endanger somebody, and what a person decided on it.

    It is at the characters from `start` to `end` of the field, or of the line of the breakdown with the index `line`.
    The same text has the same id wherever it stands. It is published only if the decision is "keep".
    """

    id: str
    kind: FindingKind
    field: str
    line: int | None
    start: int
    end: int
    text: str
    decision: FindingDecision | None

    @classmethod
    def of(
        cls, finding: safety.Finding, decisions: Mapping[str, FindingDecision], *, masked: bool = False
    ) -> "Finding":
        return cls(
            MASKED if masked else finding.id,
            finding.kind,
            finding.field,
            finding.line,
            finding.start,
            finding.end,
            MASKED if masked else finding.text,
            decisions.get(finding.id),
        )


class Safety(ResponseBody):
    """The texts that may endanger a person once the draft is public, and a title without a name for one with a name."""

    findings: list[Finding]
    suggested_title: str | None


@dataclass(frozen=True)
class DraftSafety:
    """Reviews the drafts of rows."""

    reviewer: SafetyReviewer
    cipher: FieldCipher
    # By ticket and version: the places, without the texts, of what is not public, and whether the voice may be heard.
    _reviews: OrderedDict[tuple[UUID, int], tuple[SafetyReview, bool]] = field(default_factory=OrderedDict)
    # An ordered dictionary breaks when two threads change it at once and comparing its keys runs Python, as for UUIDs.
    _lock: Lock = field(default_factory=Lock)

    def of(self, row: Row, personal: PersonalData) -> Safety | UnsetType:
        """Return the findings with the decisions, or UNSET if there are no findings."""
        review, decisions = self._review(row), self._decisions(row)
        if not review.findings:
            return UNSET
        return Safety(
            [Finding.of(finding, decisions, masked=personal.masked) for finding in review.findings],
            MASKED if personal.masked and review.suggested_title else review.suggested_title,
        )

    def public_row(self, row: Row) -> Row:
        """Return the row of a public ticket with the draft, the name, the picture and the voice as strangers get them.

        A text that came into the draft after it was published is left out until a person decides to keep it. What the
        person does not consent to show is left out, too.
        """
        withheld, _ = self._withheld(row)
        shown = shown_scopes(row)
        voice = row["voice"] if self.voice_is_heard(row) else None
        if withheld.findings or not shown.issuperset(USUAL_SCOPES):
            draft = self._draft(row)
            reviewed = replace(draft, **safety.without(draft, withheld.findings, withheld.suggested_title))
            public = shown_draft(reviewed, self._name(row), shown)
            row = row | {"draft": row["draft"] | {name: getattr(public, name) for name in _changed(draft, public)}}
        row = row | {"voice": voice}
        if ConsentScope.NAME not in shown:
            row = row | {"display_name": None}
        return row if ConsentScope.PHOTO in shown else row | {"picture": None}

    def shown_text(self, row: Row) -> Callable[[str], str]:
        """Return a function that takes out of a text beside the draft what the person does not agree to show.

        These are updates, and the words of donors. Before the page is public, only what was taken back is left out.
        """
        shown = shown_scopes(row) if is_public(row) else consents_of(row).not_withdrawn(datetime.now(UTC))
        if shown.issuperset(USUAL_SCOPES):
            return str
        draft, name = self._draft(row), self._name(row)
        return lambda text: shown_text(text, draft, name, shown)

    def voice_is_heard(self, row: Row) -> bool:
        """Return True if strangers hear the voice where the page is public.

        The person agreed to it after it was chosen. It reveals nothing that a person did not decide to keep, and says
        no name or place that the person does not consent to show.
        """
        voice, shown = row["voice"], shown_scopes(row)
        if voice is None or not voice["agreed"] or ConsentScope.RECORDING not in shown:
            return False
        spoken = self._said(row) or ""
        return self._withheld(row)[1] and shown_text(spoken, self._draft(row), self._name(row), shown) == spoken

    def _withheld(self, row: Row) -> tuple[SafetyReview, bool]:
        key = row["ticket_id"], row["version"]
        if (withheld := self._reviews.get(key)) is None:
            review, decisions = self._review(row), self._decisions(row)
            places = tuple(replace(finding, text="") for finding in review.undecided(decisions))
            spoken = self._said(row)
            of_voice = reviewed_voice(self.reviewer, self._draft(row), self._name(row), spoken) if spoken else None
            is_safe = of_voice is None or not of_voice.undecided(decisions)
            withheld = SafetyReview(places, review.suggested_title), is_safe
            with self._lock:
                self._reviews[key] = withheld
                while len(self._reviews) > REMEMBERED_REVIEWS:
                    self._reviews.popitem(last=False)
        return withheld

    def _said(self, row: Row) -> str | None:
        """Return the text of the voice."""
        return row["voice"] and PersonalData(self.cipher).text(row["ticket_id"], row["voice"]["text"])

    def _review(self, row: Row) -> SafetyReview:
        return self.reviewer.review(self._draft(row), self._name(row))

    def _name(self, row: Row) -> str | None:
        return PersonalData(self.cipher).text_or_none(row["ticket_id"], row["display_name"])

    def _draft(self, row: Row) -> Draft:
        return PersonalData(self.cipher).draft(row)

    def _decisions(self, row: Row) -> dict[str, FindingDecision]:
        personal = PersonalData(self.cipher)
        return {personal.text(row["ticket_id"], id): FindingDecision(made) for id, made in row["decisions"]}


def _changed(draft: Draft, public: Draft) -> list[str]:
    return [name for name in Draft.names() if getattr(public, name) != getattr(draft, name)]
