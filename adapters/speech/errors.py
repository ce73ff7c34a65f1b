"""Why a child process returned no result. Both the child and its parent raise these errors."""

NOT_AUDIO = "not_audio"
TOO_LONG = "too_long"
TOO_MUCH_SOUND = "too_much_sound"
NO_SPEECH = "no_speech"
UNSUPPORTED_LANGUAGE = "unsupported_language"


class ChildFailed(Exception):
    """The child process returned no result."""


class RecordingRefused(ChildFailed):
    """The recording cannot be used. `code` is one of the constants above."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class ChildCrashed(ChildFailed):
    """The child ended without an answer, because it ran out of memory or the recording crashed a library."""


class ChildInterrupted(ChildCrashed):
    """The child was killed from outside or could not start. The recording is not the cause."""


class ChildOutOfCpuTime(ChildCrashed):
    """The child used up its CPU time."""


class ChildTimedOut(ChildCrashed):
    """The child did not finish before its deadline."""
