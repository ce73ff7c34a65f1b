"""What only an administrator does: look after the inbox and the read models, and give money back."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

import projections
from adapters import ids
from adapters.identity.access_log import StoredAccessRecord
from adapters.mail.dead_mails import DeadMail
from adapters.payments.dead_letters import DeadLetter
from domain.errors import NotFoundError
from entrypoints.http import paging
from entrypoints.http.bodies import Amount, Body, Line
from entrypoints.http.handlers import donations
from entrypoints.http.handlers.tickets import views_for
from entrypoints.http.operations import Answer, Call
from entrypoints.http.problems import Problem, invalid
from entrypoints.presentation import views
from projections import donation_ledger, ticket_status
from projections.model import Row


class RefundOrder(Body):
    amount: Amount | None = None
    reason: Annotated[Line, Field(max_length=500)]


# The inbox.


def list_dead_letters(call: Call) -> Answer:
    page = paging.asked(call)
    found = call.service.dead_letters.list(page.limit + 1, _after(page))
    if len(found) > page.limit:
        last = found[page.limit - 1]
        page.more_after(last.received_at.isoformat(), last.id)
    return page.answer({"deadLetters": [letter_view(letter) for letter in found[: page.limit]]})


def letter_view(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "type": letter.type,
        "attempts": letter.attempts,
        "error": letter.error,
        "receivedAt": views.time(letter.received_at),
    }


def _after(page: paging.Page) -> tuple[datetime, str] | None:
    if page.after is None:
        return None
    try:
        moment, id = page.after
        after = datetime.fromisoformat(moment), str(id)
        if after[0].tzinfo is None or "\x00" in after[1]:
            raise ValueError
    except (ValueError, TypeError):
        raise invalid("/cursor", "is not a cursor of this list") from None
    return after


def retry_dead_letter(call: Call) -> Answer:
    """Taken up again at once by whichever worker is there."""
    id = call.path["id"]
    if not call.service.dead_letters.retry([id]):
        raise NotFoundError("There is no such dead letter.")
    call.service.inbox.arrived.set()
    return Answer({"id": id, "state": "received"}, 202)


# Mails.


def list_dead_mails(call: Call) -> Answer:
    page = paging.asked(call)
    found = call.service.dead_mails.list(page.limit + 1, page.after_time_and_id())
    if len(found) > page.limit:
        last = found[page.limit - 1]
        page.more_after(last.created_at.isoformat(), str(last.id))
    return page.answer({"deadMails": [_mail_view(mail) for mail in found[: page.limit]]})


def _mail_view(mail: DeadMail) -> dict[str, Any]:
    return {
        "id": str(mail.id),
        "kind": mail.kind,
        "ticketId": mail.ticket_id and str(mail.ticket_id),
        "attempts": mail.attempts,
        "error": mail.error,
        "createdAt": views.time(mail.created_at),
        "retryable": mail.retryable,
    }


def retry_dead_mail(call: Call) -> Answer:
    """Tried again at once by whichever sender is there."""
    id = ids.parse(call.path["id"])
    if id is None:
        raise NotFoundError("There is no such dead mail.")
    call.service.dead_mails.retry(id)
    return Answer({"id": str(id), "state": "waiting"}, 202)


# Read models.


def list_projections(call: Call) -> Answer:
    standing = call.service.projections_standing()
    known = {name: told for name, told in standing.items() if name in projections.BY_NAME}
    return Answer({"projections": [_projection(call, name, told) for name, told in known.items()]})


def _projection(call: Call, name: str, told: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "version": projections.BY_NAME[name].VERSION,
        **told,
        "rebuilding": call.service.rebuilds.running(name),
    }


def rebuild_projection(call: Call) -> Answer:
    """Begun at once; the list of projections says when it is done. Readers see the old one until then."""
    projection = projections.BY_NAME.get(call.path["name"])
    if projection is None:
        raise NotFoundError("There is no such projection.")
    if not call.service.rebuilds.begin(projection):
        raise Problem("conflict", "This projection is being rebuilt already.")
    headers = {"Location": "/admin/projections", "Retry-After": "1"}
    return Answer({"name": projection.NAME, "status": "REBUILDING"}, 202, headers)


# Who did what, and who was not let do it.


def list_access_log(call: Call) -> Answer:
    page = paging.asked(call)
    found = call.service.access_log.page(page.limit + 1, page.after_position() or None)
    if len(found) > page.limit:
        page.more_after(found[page.limit - 1].position)
    return page.answer({"accessLog": [_entry_view(entry) for entry in found[: page.limit]]})


def _entry_view(entry: StoredAccessRecord) -> dict[str, Any]:
    return {
        "position": entry.position,
        "at": views.time(entry.recorded_at),
        "actor": entry.actor,
        "operation": entry.operation,
        "object": entry.object or None,
        "outcome": entry.outcome,
        "requestId": entry.request_id,
    }


# Money.


def refund(call: Call) -> Answer:
    """On record at once; what Stripe answered later, or will, shows in the donation."""
    row = _donation(call)
    call.speaks_of = row["ticket_id"]
    order = call.body
    amount = None if order.amount is None else donations.money(order.amount, row["currency"])
    with call.service.database.reading() as cursor:
        ticket = ticket_status.ticket(cursor, row["ticket_id"])
    # Where a person was erased the money can still go back; the words about it have no key to be sealed with.
    reason = order.reason if ticket is not None and not ticket["erased"] else None
    call.service.commands.refunds.request(
        call.principal.actor, row["ticket_id"], row["donation_id"], call.seed.id("refund"), amount, reason
    )
    return Answer(views_for(call).donation(_donation(call), attributed=True), 202)


def _donation(call: Call) -> Row:
    try:
        donation = UUID(call.path["donation_id"])
    except ValueError:
        raise NotFoundError("There is no such donation.") from None
    with call.service.database.reading() as cursor:
        row = donation_ledger.donation(cursor, donation)
    if row is None:
        raise NotFoundError("There is no such donation.")
    return row
