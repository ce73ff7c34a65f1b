"""The settings of a workspace: the organisation that runs it, and what it decides for its tickets."""

from dataclasses import dataclass, fields
from enum import StrEnum


class Intake(StrEnum):
    """Who opens tickets in a workspace: everybody, those whom its staff invite, or its staff alone."""

    OPEN = "open"
    INVITED = "invited"
    CLOSED = "closed"


class Publishing(StrEnum):
    """Whether a page of a workspace is published by its holder alone, or once the workspace has approved it."""

    FREE = "free"
    APPROVAL = "approval"


@dataclass(frozen=True, slots=True)
class Organisation:
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
        return tuple(field.name for field in fields(cls))


@dataclass(frozen=True, slots=True)
class WorkspaceSettings:
    """All settings of a workspace; of one that changed none, the defaults.

    `language` and `currency` are those of new tickets whose person names no other; None for those of the service.
    """

    title: str
    organisation: Organisation = Organisation()
    intake: Intake = Intake.OPEN
    publishing: Publishing = Publishing.FREE
    language: str | None = None
    currency: str | None = None
