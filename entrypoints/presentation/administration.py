"""Dead letters, dead mails and read models as responses."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from adapters.mail.dead_mails import DeadMail
from adapters.mail.outbox import Channel
from adapters.payments.dead_letters import DeadLetter
from domain.values import ContactType
from entrypoints.presentation.personal_data import shortened_contact
from entrypoints.presentation.responses import ResponseBody, Time, utc


class DeadLetterView(ResponseBody):
    """A webhook event that could not be applied."""

    id: str
    type: str
    attempts: int
    error: str | None
    received_at: Time

    @classmethod
    def of(cls, letter: DeadLetter) -> DeadLetterView:
        return cls(letter.id, letter.type, letter.attempts, letter.error, utc(letter.received_at))


class DeadLetterPage(ResponseBody):
    """A result page of dead letters, oldest first; `nextCursor` is null on the last one."""

    dead_letters: list[DeadLetterView]
    next_cursor: str | None


class RetriedDeadLetter(ResponseBody):
    """A dead letter that will be applied again."""

    id: str
    state: Literal["received"]


class DeadMailView(ResponseBody):
    """A mail or text message that could not be sent, with enough of its recipient to recognise it."""

    id: UUID
    kind: str
    channel: Literal["mail", "text"]
    recipient: str | None
    ticket_id: UUID | None
    attempts: int
    error: str | None
    created_at: Time
    retryable: bool

    @classmethod
    def of(cls, mail: DeadMail) -> DeadMailView:
        channel = Channel(mail.channel)
        type = ContactType.EMAIL if channel is Channel.MAIL else ContactType.PHONE
        return cls(
            mail.id,
            mail.kind,
            channel.value,
            shortened_contact(type, mail.recipient) if mail.recipient else None,
            mail.ticket_id,
            mail.attempts,
            mail.error,
            utc(mail.created_at),
            mail.retryable,
        )


class DeadMailPage(ResponseBody):
    """A result page of dead mails, oldest first; `nextCursor` is null on the last one."""

    dead_mails: list[DeadMailView]
    next_cursor: str | None


class RetriedDeadMail(ResponseBody):
    """A dead mail that will be sent again."""

    id: UUID
    state: Literal["waiting"]


class ProjectionState(ResponseBody):
    """The positions of a read model and of the event log (`head`), and the age of the first event not yet applied."""

    name: str
    version: int
    position: int
    head: int
    lag_seconds: float
    rebuilding: bool


class ProjectionList(ResponseBody):
    projections: list[ProjectionState]


class RebuildStarted(ResponseBody):
    """A rebuild has begun; `/admin/projections` shows when it has ended."""

    name: str
    status: Literal["REBUILDING"]
