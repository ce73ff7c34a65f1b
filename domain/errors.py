"""What can be the matter, in the domain's words; the edges turn each into a status and a sentence."""

from __future__ import annotations


class DomainError(Exception):
    """Something asked of us that we do not do; the message is fit for the person who asked."""


class AmountError(DomainError):
    """An amount that is no amount of its currency."""


class NotFoundError(DomainError):
    """There is no such thing, or not for this caller: nobody can tell which."""


class RefusedError(DomainError):
    """The state of things forbids the request."""


class StaleVersionError(DomainError):
    """The caller decided on an older version than the present one."""


class InvalidError(DomainError):
    """A well-formed request that breaks the contract; `pointer` is a JSON pointer to the part at fault."""

    def __init__(self, detail: str, pointer: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.pointer = pointer


class NotAudioError(DomainError):
    """Bytes that hold no sound we accept."""


class AudioTooLongError(DomainError):
    """A recording longer, or bigger once decoded, than we accept."""


class UnavailableError(DomainError):
    """Something we depend on is away; trying again later helps."""


class FullError(UnavailableError):
    """There is no room left to keep it in; somebody must make some."""


class StepFailed(DomainError):
    """A step of the work on a recording failed.

    `code` is stable (like `no_speech`), the message is plain enough to show the person, and `retryable` says
    whether the same recording may succeed later.
    """

    def __init__(self, code: str, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retryable = retryable


class Superseded(DomainError):
    """The work is no longer wanted: a newer recording took its place."""
