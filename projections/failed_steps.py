"""Failed steps: what has failed for good in the work on a ticket's recordings, in columns of ticket status.

A ticket has such a step as long as its content is in the state ERROR. People find it by the id `failed_job`.
"""

from collections.abc import Mapping
from uuid import uuid5

from domain.events import DraftingFailed, TranscriptionFailed
from domain.values import ContentStatus, Step
from projections.model import RecordedEvent, Row

COLUMNS: Mapping[str, str] = {"failed_job": "uuid", "failed_step": "text", "failed_at": "timestamptz"}
INDEXES = (
    "(workspace, failed_at, failed_job) WHERE failed_job IS NOT NULL",
    "(failed_at, failed_job) WHERE failed_job IS NOT NULL",
    "(failed_job) WHERE failed_job IS NOT NULL",
)
NOTHING_FAILED: Row = dict.fromkeys(COLUMNS)


def columns_after(recorded: RecordedEvent, base: ContentStatus) -> Row:
    """Return the columns that an event changes, after which the ticket's content has this state."""
    event = recorded.event
    if base is not ContentStatus.ERROR:
        return NOTHING_FAILED
    if not isinstance(event, TranscriptionFailed | DraftingFailed):
        return {}
    # Each failure has an id of its own, so that nobody retries a later one in place of the one that was seen.
    job = uuid5(event.ticket, f"failed step {event.originator_version}")
    step = event.step if isinstance(event, DraftingFailed) else Step.TRANSCRIBE
    return {"failed_job": job, "failed_step": step.value, "failed_at": recorded.recorded_at}
