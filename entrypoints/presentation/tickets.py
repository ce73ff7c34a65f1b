"""Tickets, their drafts and transcriptions as responses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType

from domain.approval import ApprovalState
from domain.corrections import CorrectedSegment, Correction, corrected_segments
from domain.lifecycle import DraftPart, draft_parts
from domain.transcripts import HeardRecording, joined
from domain.values import ContactType, ContentStatus, FundingStatus, Sentiment, Transcript, Urgency, Word
from entrypoints.presentation.documents import Document, QrCode
from entrypoints.presentation.donations import Attribution
from entrypoints.presentation.personal_data import MASKED, PersonalData
from entrypoints.presentation.responses import ResponseBody, Time, Url, major, utc
from entrypoints.presentation.safety import Safety
from entrypoints.presentation.support import SupportSummary
from projections.desk import PAYMENT_RECEIVED
from projections.model import Row

# The status is PAYMENT_RECEIVED once money was captured, unless the ticket is erased; otherwise the content status.
Status = Annotated[str, Meta(extra_json_schema={"enum": [*map(str, ContentStatus), PAYMENT_RECEIVED]})]


def statuses(row: Row) -> tuple[Status, ContentStatus, FundingStatus]:
    """Return a ticket's status, content status and funding status."""
    content: ContentStatus = row["content_status"]
    if not row["funded"]:
        return content.value, content, FundingStatus.NONE
    return content.value if row["erased"] else PAYMENT_RECEIVED, content, FundingStatus.FUNDED


class Approval(ResponseBody):
    """Where the approval of the page as it is now stands; `note` says what is to be changed."""

    state: ApprovalState
    note: str | None


class Ticket(ResponseBody):
    """A ticket. For auditors the contact is shortened, and other personal texts are masked."""

    id: UUID
    contact_type: ContactType
    contact_value: str | None
    display_name: str | None
    status: Status
    content_status: ContentStatus
    funding_status: FundingStatus
    created_at: Time
    updated_at: Time
    version: int
    # Only a suspended ticket has this field.
    suspended: Literal[True] | UnsetType = UNSET
    # Only a ticket for whose page an approval was asked has this field.
    approval: Approval | UnsetType = UNSET

    @classmethod
    def from_row(cls, row: Row, personal: PersonalData, **subclass_fields: Any) -> Self:
        return cls(
            row["ticket_id"],
            row["contact_type"],
            personal.contact(row),
            personal.text_or_none(row["ticket_id"], row["display_name"]),
            *statuses(row),
            utc(row["created_at"]),
            utc(row["updated_at"]),
            row["version"],
            True if row["suspended"] else UNSET,
            _approval(row, personal),
            **subclass_fields,
        )


def _approval(row: Row, personal: PersonalData) -> Approval | UnsetType:
    if (approval := row["approval"]) is None:
        return UNSET
    return Approval(ApprovalState(approval["state"]), personal.text_or_none(row["ticket_id"], approval["note"]))


class TranscriptSpan(ResponseBody):
    """A stretch of a recording's transcript; what is not known of it is null."""

    recording_id: UUID | None
    start: int | None
    end: int | None
    start_ms: int | None
    end_ms: int | None


class DraftSource(ResponseBody):
    """Where a field, a sentence of the story or a line of the breakdown comes from; it has no text for the goal.

    `number` counts sentences and lines from 1. `spans` are the places where it was said, and `authors` the people who
    wrote it. What has neither is refused when the draft is published.
    """

    field: str
    number: int | None
    text: str | None
    spans: list[TranscriptSpan]
    authors: list[str]

    @classmethod
    def of(cls, part: DraftPart) -> DraftSource:
        return cls(
            "goalAmount" if part.field == "goal" else part.field,
            part.number,
            part.text,
            [
                TranscriptSpan(source.recording_id, source.start, source.end, source.start_ms, source.end_ms)
                for source in part.sources
                if source.author is None
            ],
            [str(source.author) for source in part.sources if source.author is not None],
        )


class Draft(ResponseBody):
    """A campaign's text and goal, and the results of the analysis; a field that is not known yet is null."""

    title: str | None
    story: str | None
    goal_amount: Decimal | None
    goal_amount_minor: int | None
    currency: str | None
    beneficiary: str | None
    location: str | None
    category: str | None
    breakdown: list[str]
    language: str | None
    sentiment: Sentiment | None
    urgency: Urgency | None
    key_points: list[str]
    sources: list[DraftSource]
    # Only a draft with findings has this field.
    safety: Safety | UnsetType = UNSET
    # What drafted it, "local" for the rules or a model. Only a draft made from a recording has this field.
    engine: str | UnsetType = UNSET

    @classmethod
    def from_row(cls, row: Row, personal: PersonalData, safety: Safety | UnsetType = UNSET) -> Draft:
        draft, analysis = personal.draft(row), row["analysis"] or {}
        goal = draft.goal
        return cls(
            title=draft.title,
            story=draft.story,
            goal_amount=major(goal.minor, goal.currency) if goal else None,
            goal_amount_minor=goal.minor if goal else None,
            currency=goal.currency if goal else draft.currency,
            beneficiary=draft.beneficiary,
            location=draft.location,
            category=draft.category,
            breakdown=list(draft.breakdown),
            language=analysis.get("language"),
            sentiment=analysis.get("sentiment"),
            urgency=analysis.get("urgency"),
            key_points=[personal.text(row["ticket_id"], point) for point in analysis.get("key_points", [])],
            sources=[DraftSource.of(part) for part in draft_parts(draft)],
            safety=safety,
            engine=draft.engine or UNSET,
        )


class DraftSummary(ResponseBody):
    """A draft in a list of tickets."""

    title: str | None
    goal_amount: Decimal | None
    goal_amount_minor: int | None
    currency: str | None

    @classmethod
    def from_row(cls, row: Row, personal: PersonalData) -> DraftSummary | None:
        """Make the response from the ticket's row, or return None if there is no draft."""
        draft = draft_or_none(row, personal)
        if draft is None:
            return None
        return cls(draft.title, draft.goal_amount, draft.goal_amount_minor, draft.currency)


def has_draft(row: Row) -> bool:
    """Return True if the draft has a field besides the currency, which alone does not make a draft."""
    return any(value for name, value in row["draft"].items() if name not in ("currency", "sources", "engine"))


def draft_or_none(row: Row, personal: PersonalData) -> Draft | None:
    return Draft.from_row(row, personal) if has_draft(row) else None


class TranscriptSegment(ResponseBody):
    """The speech between two pauses. Nothing is drafted from an uncertain segment until a person corrected it.

    `id` names the segment in corrections. The times are those of its recording. A corrected segment also has the text
    that was recognised.
    """

    id: str
    recording_id: UUID
    text: str
    start_ms: int
    end_ms: int
    speaker: str | None
    uncertain: bool
    original_text: str | UnsetType = UNSET

    @classmethod
    def of(cls, corrected: CorrectedSegment) -> TranscriptSegment:
        segment = corrected.segment
        return cls(
            str(corrected.place),
            corrected.place.recording_id,
            segment.text,
            segment.start_ms,
            segment.end_ms,
            segment.speaker,
            segment.uncertain,
            UNSET if corrected.original is None else corrected.original,
        )


class TranscriptWord(ResponseBody):
    """One recognised word of a recording, with a confidence from 0 to 1 if the engine gives one."""

    recording_id: UUID
    text: str
    start_ms: int
    end_ms: int
    confidence: float | None

    @classmethod
    def of(cls, recording_id: UUID, word: Word) -> TranscriptWord:
        return cls(recording_id, word.text, word.start_ms, word.end_ms, word.confidence)


class Transcription(ResponseBody):
    """The transcript of one recording or of all, with segments and words if the engine gives them.

    Of several, `id` and `createdAt` are those of the newest.
    """

    id: UUID
    text: str
    language: str | None
    engine: str
    created_at: Time
    segments: list[TranscriptSegment] | UnsetType = UNSET
    words: list[TranscriptWord] | UnsetType = UNSET

    @classmethod
    def from_row(cls, row: Row, transcript: Transcript | None, corrections: Sequence[Correction] = ()) -> Transcription:
        """Make the response from the transcription's row; if `transcript` is None, the text is masked."""
        if transcript is None:
            made = datetime.fromisoformat(row["created_at"])
            return cls(UUID(row["id"]), MASKED, row["language"], row["engine"], made)
        return cls.of_all([row], [HeardRecording(UUID(row["recording_id"]), 0, transcript)], corrections)

    @classmethod
    def of_all(
        cls, rows: Sequence[Row], heard: Sequence[HeardRecording], corrections: Sequence[Correction]
    ) -> Transcription:
        """Make the response from the rows of transcriptions and, in the same order, what was heard in each."""
        newest = newest_of(rows)
        shown = [recording.corrected(corrections) for recording in heard]
        whole = joined(shown)
        return cls(
            id=UUID(newest["id"]),
            text=whole.text,
            language=whole.language,
            engine=whole.engine,
            created_at=datetime.fromisoformat(newest["created_at"]),
            # Without segments in a transcript, its whole text can be corrected as one segment.
            segments=[
                TranscriptSegment.of(segment)
                for recording in heard
                for segment in corrected_segments(recording.recording_id, recording.transcript, corrections)
            ],
            words=UNSET
            if whole.words is None
            else [
                TranscriptWord.of(recording.recording_id, word)
                for recording in shown
                for word in recording.transcript.words or ()
            ],
        )


def newest_of(transcriptions: Sequence[Row]) -> Row:
    return max(transcriptions, key=lambda row: datetime.fromisoformat(row["created_at"]))


class TicketDetails(Ticket, kw_only=True):
    """A ticket with the parts that `include` named."""

    documents: list[Document] | UnsetType = UNSET
    attributions: list[Attribution] | UnsetType = UNSET
    donation_draft: Draft | UnsetType | None = UNSET
    qr_code: QrCode | UnsetType = UNSET
    transcriptions: list[Transcription] | UnsetType = UNSET
    support_tickets: list[SupportSummary] | UnsetType = UNSET


class OpenedTicket(Ticket, kw_only=True):
    """A new ticket with its access token, which is shown only once; it is null if another visitor may be asking."""

    access_token: str | None


class PublishedTicket(Ticket, kw_only=True):
    """A ticket with the address of its campaign page, which is null unless the page is published."""

    public_url: Url | None


class ErasedTicket(ResponseBody):
    """A ticket whose personal data was erased."""

    ticket_id: UUID
    status: Literal["ERASED"]


class SuspensionState(ResponseBody):
    """Whether a ticket is suspended."""

    ticket_id: UUID
    suspended: bool


class TicketSummary(Ticket, kw_only=True):
    """A ticket in a list."""

    donation_draft: DraftSummary | None


class TicketPage(ResponseBody):
    """A result page of tickets; `nextCursor` is null on the last one."""

    tickets: list[TicketSummary]
    next_cursor: str | None


class ProfilePage(ResponseBody):
    """A result page of tickets; `count` counts those on this page."""

    success: bool
    count: int
    tickets: list[TicketSummary]
    next_cursor: str | None


class UploadedRecording(ResponseBody):
    """A stored recording, and its ticket after the upload."""

    audio_id: UUID
    sha256: str
    size_bytes: int
    media_type: str
    duration_seconds: float
    ticket: Ticket
