"""Failures of a child process as failed steps, in words for the person whose recording it is."""

from adapters.confined.errors import ChildFailed, ChildTimedOut, InputRefused
from adapters.speech.errors import NO_SPEECH, NOT_AUDIO, TOO_LONG, TOO_MUCH_SOUND, UNSUPPORTED_LANGUAGE
from domain.errors import StepFailed

REFUSALS = {
    NO_SPEECH: "We could not hear any speech in this recording. Please record it again, close to the microphone.",
    UNSUPPORTED_LANGUAGE: (
        "We could not tell the language of this recording. "
        "Please record it again in a quiet place, or write the story by hand."
    ),
    NOT_AUDIO: "This recording cannot be played. Please record it again.",
    TOO_LONG: "This recording is too long to be transcribed. Please make a shorter one.",
    TOO_MUCH_SOUND: "This recording has too many channels or samples. Please record it in mono or stereo.",
}


def refusal(code: str) -> StepFailed:
    """Return the failure for a recording that cannot be used. Another attempt would fail too."""
    return StepFailed(code, REFUSALS[code], retryable=False)


def failure_of(failed: ChildFailed) -> StepFailed:
    """Return the step's failure. Only a refused recording is final; every other cause may pass."""
    if isinstance(failed, InputRefused):
        return refusal(failed.code)
    if isinstance(failed, ChildTimedOut):
        return StepFailed("timeout", "Transcribing the recording took too long.", retryable=True)
    return StepFailed("interrupted", "Transcribing the recording was interrupted.", retryable=True)
