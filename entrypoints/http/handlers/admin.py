"""Handlers for administrators: dead letters, dead mails, read models, the access log and refunds."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated

from pydantic import Field, field_validator

import projections
from adapters import ids
from adapters.identity.access_log import AccessLog
from adapters.mail.dead_mails import DeadMails
from adapters.payments.dead_letters import DeadLetters
from adapters.read_models.rebuild_jobs import RebuildJobs
from domain.commands.refunds import RefundCommands, require_positive
from domain.errors import NotFoundError
from entrypoints.composition.queries import Queries
from entrypoints.http.bodies import Amount, Body, DeadLetterRetry, Empty, Line, report_fault
from entrypoints.http.handlers.donations import money
from entrypoints.http.handlers.donors import donation_row
from entrypoints.http.operations import Answer, Call
from entrypoints.http.paging import requested_page
from entrypoints.http.problems import Problem
from entrypoints.http.query import parse_time
from entrypoints.presentation.access import AccessLogEntry, AccessLogPage
from entrypoints.presentation.administration import (
    DeadLetterPage,
    DeadLetterView,
    DeadMailPage,
    DeadMailView,
    ProjectionList,
    ProjectionState,
    RebuildStarted,
    RetriedDeadLetter,
    RetriedDeadMail,
)
from entrypoints.presentation.donations import Attribution
from projections import ticket_status


class RefundOrder(Body):
    amount: Amount | None = None
    reason: Annotated[Line, Field(max_length=500)]

    @field_validator("amount")
    @classmethod
    def _check_amount(cls, value: Decimal | None) -> Decimal | None:
        if value is not None:
            report_fault(lambda: require_positive(value))
        return value


@dataclass(frozen=True)
class DeadLetterHandlers:
    dead_letters: DeadLetters
    wake_applier: Callable[[], None]

    def list_dead_letters(self, call: Call) -> Answer[DeadLetterPage]:
        page = requested_page(call)
        letters = self.dead_letters.list(page.limit + 1, page.after_key(_parse_key))
        letters_on_page = page.cut(letters, lambda letter: (letter.received_at.isoformat(), letter.id))
        return page.answer(DeadLetterPage([DeadLetterView.of(letter) for letter in letters_on_page], page.next_cursor))

    def retry(self, call: Call, body: DeadLetterRetry) -> RetriedDeadLetter:
        id = call.path_params["id"]
        letters = self.dead_letters
        if not (letters.accept([id], str(call.principal.actor)) if body.accept else letters.retry([id])):
            raise NotFoundError("There is no such dead letter.")
        self.wake_applier()
        return RetriedDeadLetter(id, "received")


def _parse_key(time: str, event_id: str) -> tuple[datetime, str]:
    if not event_id.isprintable():
        raise ValueError
    return parse_time(time), event_id


@dataclass(frozen=True)
class DeadMailHandlers:
    dead_mails: DeadMails

    def list_dead_mails(self, call: Call) -> Answer[DeadMailPage]:
        page = requested_page(call)
        mails = self.dead_mails.list(page.limit + 1, page.after_time_and_id(), call.principal.members_workspace)
        mails_on_page = page.cut(mails, lambda mail: (mail.created_at.isoformat(), str(mail.id)))
        return page.answer(DeadMailPage([DeadMailView.of(mail) for mail in mails_on_page], page.next_cursor))

    def retry(self, call: Call, _: Empty) -> RetriedDeadMail:
        id = ids.parse(call.path_params["id"])
        if id is None:
            raise NotFoundError("There is no such dead mail.")
        call.answer_ticket_id = self.dead_mails.retry(id, call.principal.members_workspace)
        return RetriedDeadMail(id, "waiting")


@dataclass(frozen=True)
class ProjectionHandlers:
    queries: Queries
    rebuilds: RebuildJobs

    def list_projections(self, _: Call) -> ProjectionList:
        lags = self.queries.projection_lags()
        return ProjectionList(
            [
                ProjectionState(
                    name=name,
                    version=projections.BY_NAME[name].VERSION,
                    position=lag.position,
                    head=lag.head,
                    lag_seconds=lag.seconds,
                    rebuilding=self.rebuilds.is_requested(name),
                )
                for name, lag in lags.items()
                if name in projections.BY_NAME
            ]
        )

    def rebuild(self, call: Call, _: Empty) -> Answer[RebuildStarted]:
        """Start a rebuild; queries use the old read model until the rebuild has ended."""
        projection = projections.BY_NAME.get(call.path_params["name"])
        if projection is None:
            raise NotFoundError("There is no such projection.")
        if not self.rebuilds.request(projection):
            raise Problem("conflict", "This projection is being rebuilt already.")
        headers = {"Location": "/admin/projections", "Retry-After": "1"}
        return Answer(RebuildStarted(projection.NAME, "REBUILDING"), 202, headers)


@dataclass(frozen=True)
class AccessLogHandlers:
    access_log: AccessLog

    def list_access_log(self, call: Call) -> Answer[AccessLogPage]:
        page = requested_page(call)
        entries = self.access_log.page(page.limit + 1, page.after_position())
        entries_on_page = page.cut(entries, lambda entry: [entry.position])
        return page.answer(AccessLogPage([AccessLogEntry.of(entry) for entry in entries_on_page], page.next_cursor))


@dataclass(frozen=True)
class RefundHandlers:
    commands: RefundCommands

    def refund(self, call: Call, body: RefundOrder) -> Attribution:
        """Record the request for a refund; the donation changes when Stripe reports the refund."""
        row = donation_row(call)
        call.answer_ticket_id = row["ticket_id"]
        amount = None if body.amount is None else money(body.amount, row["currency"])
        ticket = call.reads.primary.read(ticket_status.ticket, row["ticket_id"])
        # The key of an erased ticket is destroyed, so the reason cannot be stored; the refund is still possible.
        reason = body.reason if ticket is not None and not ticket["erased"] else None
        self.commands.request(
            call.principal.actor, row["ticket_id"], row["donation_id"], call.seed.id("refund"), amount, reason
        )
        return Attribution.from_row(donation_row(call), call.personal_data())
