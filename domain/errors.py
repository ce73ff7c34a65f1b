"""The domain's errors; the entrypoints turn each into a status and a sentence."""

from enum import StrEnum


class DomainError(Exception):
    """A refused request; the message is written for the person who made it."""


class NotFoundError(DomainError):
    """The object does not exist or the caller may not see it; the error does not tell which."""


class RefusedError(DomainError):
    """The present state does not allow the request."""


class ForbiddenError(DomainError):
    """The caller may never do this, whatever the state."""


class AlreadyProcessing(RefusedError):
    """The recording is being processed already."""

    def __init__(self) -> None:
        super().__init__("The recording is being processed already.")


class OptedOutError(RefusedError):
    """The person wants no messages at this address."""


class TakenDownError(RefusedError):
    """The ticket is suspended, or its page was taken down meanwhile."""


class StaleVersionError(DomainError):
    """The caller read an older version than the present one."""


class FaultCode(StrEnum):
    """The kind of fault of a value. The names are stable, while the text beside one may change."""

    INVALID = "invalid"
    REQUIRED = "required"
    UNKNOWN_FIELD = "unknown_field"
    WRONG_TYPE = "wrong_type"
    UNKNOWN_VALUE = "unknown_value"
    BLANK = "blank"
    NOT_TEXT = "not_text"
    SEVERAL_LINES = "several_lines"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    OUT_OF_RANGE = "out_of_range"
    TOO_MANY_DECIMALS = "too_many_decimals"
    UNKNOWN_CURRENCY = "unknown_currency"
    AMBIGUOUS = "ambiguous"
    INVALID_CONTACT = "invalid_contact"
    CONSENT_MISSING = "consent_missing"
    SECRET_FOUND = "secret_found"  # noqa: S105 - a name
    KEY_REUSED = "key_reused"
    REFUSED_BY_PAYMENT_SERVICE = "refused_by_payment_service"


class InvalidError(DomainError):
    """A request with an invalid value; `pointer` is a JSON pointer to that value."""

    def __init__(self, detail: str, pointer: str = "", code: FaultCode = FaultCode.INVALID) -> None:
        super().__init__(detail)
        self.detail = detail
        self.pointer = pointer
        self.code = code


class AmountError(InvalidError):
    """An amount that its currency does not allow; the message continues a sentence that begins with "The amount"."""


class NotAudioError(DomainError):
    """A file without audio in an accepted format."""


class NotAnAttachmentError(DomainError):
    """A file that is neither a photo nor a PDF, or a photo that is too large once decoded."""


class AudioTooLongError(DomainError):
    """A recording that is longer, or bigger once decoded, than the limit."""


class UnavailableError(DomainError):
    """A system that we depend on is away; the same request may succeed later."""


class BusyError(UnavailableError):
    """Too much work of this kind is in progress; the same request may succeed in some seconds."""


class FullError(UnavailableError):
    """The storage is full; an operator must make room."""


class NotInstalledError(UnavailableError):
    """A part that an operator must install is missing. The work is kept and waits for it."""


class StepFailed(DomainError):
    """A step of processing a recording failed.

    `code` is stable (like `no_speech`), the message may be shown to the holder, and `retryable` is True if the same
    recording may succeed later.
    """

    def __init__(self, code: str, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retryable = retryable


class Superseded(DomainError):
    """The step is no longer needed: a newer recording replaced this one."""
