"""Asking for help, and seeing to it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from adapters import ids
from adapters.identity import contacts
from adapters.identity.credentials import ticket_token
from adapters.identity.tokens import digest
from domain.commands.support import ContactReset, HelpRequest
from domain.errors import InvalidError, NotFoundError
from domain.values import Contact, ContactType, Role, SupportCategory, SupportStatus
from entrypoints.http import paging
from entrypoints.http.bodies import Body, Line, Text
from entrypoints.http.handlers.tickets import if_match, row_of, shown, views_for
from entrypoints.http.operations import Answer, Call
from entrypoints.presentation import views
from projections import contact_index, support, ticket_status
from projections.model import Row


class SupportRequest(Body):
    ticket_id: UUID | None = None
    category: SupportCategory
    message: Annotated[Text, Field(max_length=5_000)]
    contact: Annotated[Line, Field(max_length=contacts.LONGEST)] | None = None


class ProfileReset(Body):
    new_contact_value: Annotated[Line, Field(max_length=contacts.LONGEST)]
    new_contact_type: Annotated[
        ContactType, Field(description="Only EMAIL: the new access token goes out by mail.")
    ] = ContactType.EMAIL


def ask(call: Call) -> Answer:
    """The same answer whether the ticket named is the caller's own, somebody else's, or none at all."""
    asked: SupportRequest = call.body
    about = asked.ticket_id or (call.principal.ticket if call.principal.role is Role.HOLDER else None)
    contact = _contact(asked.contact)
    support_id = call.seed.id("support ticket")
    call.service.commands.support.ask(
        call.principal.actor,
        HelpRequest(
            support_id=support_id,
            category=asked.category,
            message=asked.message,
            about=about,
            belongs_to_ticket=about is not None and _known(call, about),
            contact=contact,
            contact_index=call.service.contact_index.of(contact) if contact else None,
        ),
    )
    # As it is on record, whether its read model has seen it yet or not.
    [opened, *_] = call.service.log.stream(support_id, until=1)
    told = {"id": str(support_id), "status": SupportStatus.OPEN, "createdAt": views.time(opened.recorded_at)}
    return Answer(told, 201)


def _contact(text: str | None) -> Contact | None:
    try:
        return None if text is None else contacts.likely_contact(text)
    except InvalidError as fault:
        raise InvalidError(fault.detail, "/contact") from None


def _known(call: Call, ticket: UUID) -> bool:
    """Whether whoever asks belongs to the ticket they name."""
    principal = call.principal
    if principal.role is Role.VISITOR:
        return False
    with call.service.database.reading() as cursor:
        row = ticket_status.ticket(cursor, ticket)
    if row is None or row["erased"]:
        return False
    match principal.role:
        case Role.HOLDER if principal.session is not None:
            with call.service.database.reading() as cursor:
                return contact_index.is_of(cursor, ticket, list(principal.contact_indexes))
        case Role.HOLDER:
            return principal.ticket == ticket
        case Role.CLIENT:
            return bool(principal.workspace == row["workspace"])
        case _:
            return True


def list_recent(call: Call) -> Answer:
    page = paging.asked(call)
    after = page.after_time_and_id()
    found = call.reads.ask(lambda cursor: support.recent(cursor, page.limit + 1, after))
    if len(found) > page.limit:
        last = found[page.limit - 1]
        page.more_after(last["created_at"].isoformat(), str(last["support_id"]))
    view = views_for(call)
    return page.answer({"supportTickets": [view.support(row) for row in found[: page.limit]]})


def get(call: Call) -> Answer:
    return Answer(views_for(call).support(_row(call), contact=True))


def resolve(call: Call) -> Answer:
    row = _row(call)
    call.service.commands.support.resolve(call.principal.actor, row["support_id"])
    return Answer(views_for(call).support(_row(call)))


def approve_reset(call: Call) -> Answer:
    """The ticket with its new contact; its token is on the way there, and is part of no answer."""
    wanted: ProfileReset = call.body
    try:
        contact = contacts.normalize_contact(wanted.new_contact_type, wanted.new_contact_value)
    except InvalidError as fault:
        raise InvalidError(fault.detail, "/newContactValue") from None
    token = ticket_token(call.ticket_id, call.seed.secret("new ticket token"))
    call.service.commands.support.reset(
        call.principal.actor,
        call.ticket_id,
        ContactReset(
            reset_id=call.seed.id("reset"),
            contact=contact,
            contact_index=call.service.contact_index.of(contact),
            token=token,
            token_digest=digest(token),
        ),
        now=datetime.now(UTC),
        if_match=if_match(call),
    )
    return shown(call, row_of(call))


def _row(call: Call) -> Row:
    id = ids.parse(call.path["id"])
    row = None
    if id is not None:
        row = call.reads.ask(lambda cursor: support.support_ticket(cursor, id))
    if row is None:
        raise NotFoundError("There is no such support ticket.")
    return row
