"""What goes wrong in a child, in words for the person whose recording it is."""

from __future__ import annotations

from adapters.speech.bounded import ChildFailed, ChildRefused, ChildTimedOut
from domain.errors import StepFailed

REFUSALS = {
    "no_speech": "We could hear nobody speak in this recording. Please record it again, close to the microphone.",
    "unsupported_language": (
        "We could not understand this recording as English, and English is the only language we can write down here. "
        "If it is in English, please record it again in a quiet place; otherwise you can write the story by hand."
    ),
    "not_audio": "This recording cannot be played. Please record it again.",
    "too_long": "This recording is too long to be written down. Please make a shorter one.",
}


def refusal(code: str) -> StepFailed:
    """The recording itself is the trouble: trying it again would not help."""
    return StepFailed(code, REFUSALS[code], retryable=False)


def failure_of(failed: ChildFailed) -> StepFailed:
    """Why the step failed; what stopped a child from outside may pass, what it says of the recording will not."""
    if isinstance(failed, ChildRefused):
        return refusal(failed.code)
    if isinstance(failed, ChildTimedOut):
        return StepFailed("timeout", "Writing the recording down took too long.", retryable=True)
    return StepFailed("interrupted", "Writing the recording down was interrupted.", retryable=True)
