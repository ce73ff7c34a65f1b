"""The progress of the work on a ticket's recording as a response."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta

from domain.lifecycle import missing_fields
from domain.values import ContentStatus, FundingStatus, Kind, Step
from entrypoints.presentation.responses import ResponseBody, Time, Url, utc
from entrypoints.presentation.tickets import Status, has_draft, statuses
from projections.model import Row
from projections.ticket_status import draft_of, used_recordings

Stage = Literal["TRANSCRIBING", "ANALYSING", "DRAFTING", "DONE", "FAILED"]

# The progress in per cent at the beginning and at the end of each step.
_STEP_BEGINS = {Step.TRANSCRIBE: 5, Step.ANALYSE: 75, Step.DRAFT: 85}
_STEP_ENDS = {Step.TRANSCRIBE: 75, Step.ANALYSE: 85, Step.DRAFT: 100}
_STAGES: dict[Step, Stage] = {Step.TRANSCRIBE: "TRANSCRIBING", Step.ANALYSE: "ANALYSING", Step.DRAFT: "DRAFTING"}

# The draft's fields as clients name them, and the question for each when it is missing.
FIELD_NAMES = {"title": "title", "story": "story", "goal": "goalAmount", "beneficiary": "beneficiary"}
QUESTIONS = {
    "en": {
        "title": "What should the title of your page be?",
        "story": "What happened, in your own words?",
        "goal": "How much money do you need, and in which currency?",
        "beneficiary": "Who is the money for?",
    },
    "es": {
        "title": "¿Qué título debe llevar su página?",
        "story": "¿Qué pasó, en sus propias palabras?",
        "goal": "¿Cuánto dinero necesita, y en qué moneda?",
        "beneficiary": "¿Para quién es el dinero?",
    },
}


class MissingInfo(ResponseBody):
    """The draft's missing fields, and a question for each in the language of the recording."""

    missing_fields: list[str]
    suggested_questions: list[str]

    @classmethod
    def from_row(cls, row: Row) -> MissingInfo | None:
        """Make the response from the ticket's row, or return None if the ticket needs no information."""
        # `base` is the content status regardless of publication.
        if row["base"] != ContentStatus.NEEDS_INFO:
            return None
        missing = missing_fields(Kind(row["kind"]), draft_of(row))
        questions = QUESTIONS.get((row["analysis"] or {}).get("language") or "en", QUESTIONS["en"])
        return cls([FIELD_NAMES[name] for name in missing], [questions[name] for name in missing])


class StepError(ResponseBody):
    """The error of a failed step; `retryable` is true if the step may be tried again."""

    code: str
    message: str
    retryable: bool


class TicketProgress(ResponseBody):
    """The progress of the work on a ticket."""

    ticket_id: UUID
    status: Status
    content_status: ContentStatus
    funding_status: FundingStatus
    stage: Stage | None
    progress: Annotated[int, Meta(ge=0, le=100)]
    has_transcription: bool
    has_draft: bool
    has_document: bool
    needs_info: MissingInfo | None
    error: StepError | None
    updated_at: Time

    @classmethod
    def from_row(cls, row: Row, step_progress: float) -> TicketProgress:
        """Make the response from the ticket's row; `step_progress`, from 0 to 1, is that of its running step."""
        return cls(
            row["ticket_id"],
            *statuses(row),
            *_stage_and_progress(row, step_progress),
            has_transcription=bool(row["transcriptions"]),
            has_draft=has_draft(row),
            has_document=row["has_document"],
            needs_info=MissingInfo.from_row(row),
            error=StepError(**row["error"]) if row["error"] else None,
            updated_at=utc(row["updated_at"]),
        )

    @classmethod
    def of(cls, row: Row, step_progress: Callable[[UUID, UUID, str], float]) -> TicketProgress:
        """Make the response, with the progress of the running step as `step_progress` reads it."""
        running = (row["ticket_id"], row["recording_id"], row["step"])
        done = step_progress(*running) if row["step"] else 0.0
        return cls.from_row(row, _of_all_recordings(row, done) if row["step"] == Step.TRANSCRIBE else done)


def _of_all_recordings(row: Row, done: float) -> float:
    """Return how much of all recordings is transcribed, from 0 to 1, if `done` of the present one is."""
    recordings = used_recordings(row)
    heard = {transcription["recording_id"] for transcription in row["transcriptions"]}
    others = [recording for recording in recordings if recording["id"] != str(row["recording_id"])]
    finished = sum(recording["id"] in heard or recording["problem"] is not None for recording in others)
    return (finished + done) / max(1, len(recordings))


def _stage_and_progress(row: Row, step_progress: float) -> tuple[Stage | None, int]:
    if row["step"]:
        step = Step(row["step"])
        begins = _STEP_BEGINS[step]
        return _STAGES[step], int(begins + (_STEP_ENDS[step] - begins) * step_progress)
    if row["error"]:
        return "FAILED", _STEP_ENDS[Step.TRANSCRIBE] if row["transcriptions"] else 0
    if row["base"] in (ContentStatus.READY, ContentStatus.NEEDS_INFO):
        return "DONE", 100
    return None, 0


class ProcessingStarted(ResponseBody):
    """The work on the recording has begun; `pollUrl` shows its progress."""

    ticket_id: UUID
    status: Literal["PROCESSING"]
    poll_url: Url
