"""The settings of a workspace: the organisation that runs it, and what it decides for its tickets."""

from dataclasses import dataclass
from enum import StrEnum

from domain.value import Value

# The built-in workspace, which the tickets of visitors belong to.
PUBLIC_WORKSPACE = "public"


class Intake(StrEnum):
    """Who opens tickets in a workspace: everybody, only its staff and its programs, or nobody."""

    OPEN = "open"
    INVITED = "invited"
    CLOSED = "closed"


class Publishing(StrEnum):
    """Whether a page of a workspace is published by its holder alone, or once the workspace has approved it."""

    FREE = "free"
    APPROVAL = "approval"


class Organisation(Value):
    """Who runs a workspace, as people read it on its pages, receipts and mails; a field that is not known is None.

    `tax_wording` is the sentence about tax that the law of its country wants on a receipt.
    """

    legal_name: str | None = None
    address: str | None = None
    registration_number: str | None = None
    tax_wording: str | None = None
    contact: str | None = None
    privacy_page: str | None = None
    reply_to: str | None = None

    @classmethod
    def names(cls) -> tuple[str, ...]:
        return cls.__struct_fields__


NOT_DESCRIBED = Organisation()


class Logo(Value):
    """The logo of a workspace: a JPEG that was encoded anew, by the SHA-256 of its bytes.

    Width and height have the ratio of its sides.
    """

    sha256: str
    size_bytes: int
    width: int
    height: int


@dataclass(frozen=True, slots=True, order=True)
class ReceiptNumber:
    """The number of a receipt among those of its workspace and year, from 1 on."""

    year: int
    number: int

    def __str__(self) -> str:
        return f"{self.year}-{self.number:05d}"


@dataclass(frozen=True, slots=True)
class RetentionPeriods:
    """How long a workspace keeps what it has; None for a period that was not set.

    A ticket is erased after `ticket_days` without use, otherwise never. The name of a donor who asks to be forgotten is
    kept until `donor_days` after the gift, otherwise not at all.
    """

    ticket_days: int | None = None
    donor_days: int | None = None


NO_RETENTION = RetentionPeriods()
# The longest period that a workspace may set.
LONGEST_RETENTION_DAYS = 36_500


@dataclass(frozen=True, slots=True)
class WorkspaceSettings:
    """All settings of a workspace; of one that changed none, the defaults.

    `currency` is that of new tickets of which nobody says another one, and `language` that of pages, messages and
    documents where neither the reader nor the story has one; None for those of the service.
    In a closed workspace nobody opens tickets or is invited, whatever its intake is.
    """

    title: str
    organisation: Organisation = NOT_DESCRIBED
    intake: Intake = Intake.OPEN
    publishing: Publishing = Publishing.FREE
    language: str | None = None
    currency: str | None = None
    closed: bool = False
    logo: Logo | None = None

    def may_open(self, *, by_staff: bool) -> bool:
        """Return True if tickets may be opened: by the staff and programs of the workspace, or by others."""
        return not self.closed and (self.intake is Intake.OPEN or (by_staff and self.intake is Intake.INVITED))
