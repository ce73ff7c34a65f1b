"""Why a child process returned no result. Both the child and its parent raise these errors."""


class ChildFailed(Exception):
    """The child process returned no result."""


class InputRefused(ChildFailed):
    """The input cannot be used. `code` says why, and is a constant of the area that asked for the job."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class ChildCrashed(ChildFailed):
    """The child ended without an answer, because it ran out of memory or the input crashed a library."""


class ChildInterrupted(ChildCrashed):
    """The child was killed from outside or could not start. The input is not the cause."""


class ChildOutOfCpuTime(ChildCrashed):
    """The child used up its CPU time."""


class ChildTimedOut(ChildCrashed):
    """The child did not finish before its deadline."""
