"""Handlers for support tickets, and for giving a ticket a new contact."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from psycopg import Cursor
from psycopg.rows import TupleRow
from pydantic import Field, ValidationInfo, field_validator

from adapters import contacts, ids
from adapters.contacts import ContactIndex
from adapters.event_store.log import EventLog
from adapters.identity.credentials import ticket_token
from adapters.identity.tokens import digest
from adapters.mail.outbox import Outbox
from domain.commands.support import ContactReset, HelpRequest, SupportCommands, reply_key, require_mail
from domain.errors import InvalidError, NotFoundError
from domain.support import LONGEST_REPLY
from domain.values import Contact, ContactType, Role, SupportCategory, SupportStatus
from entrypoints.http.bodies import Body, Empty, Line, Text, report_fault
from entrypoints.http.handlers.preconditions import etag_header, if_match
from entrypoints.http.handlers.ticket_list import NOBODY, ONESELF
from entrypoints.http.middleware.authorization import has_access
from entrypoints.http.operations import Answer, Call
from entrypoints.http.paging import requested_page
from entrypoints.http.query import choice_parameter, id_parameter
from entrypoints.presentation.responses import utc
from entrypoints.presentation.support import OpenedSupportTicket, SupportTicket, SupportTicketDetails, SupportTicketPage
from entrypoints.presentation.tickets import Ticket
from projections import support, ticket_status
from projections.model import Row

LONGEST_MESSAGE = 5_000


class SupportRequest(Body):
    ticket_id: UUID | None = None
    category: SupportCategory
    message: Annotated[Text, Field(max_length=LONGEST_MESSAGE)]
    contact: Annotated[Line, Field(max_length=contacts.LONGEST)] | None = None

    @field_validator("contact")
    @classmethod
    def _check_contact(cls, value: str | None) -> str | None:
        report_fault(lambda: _support_contact(value))
        return value


class NewReply(Body):
    text: Annotated[Text, Field(max_length=LONGEST_REPLY)]


class Assignment(Body):
    """A JSON Merge Patch (RFC 7396): null leaves nobody responsible."""

    assignee: UUID | None = None


class ProfileReset(Body):
    new_contact_type: Annotated[ContactType, Field(description="Only EMAIL: the new access token is sent by mail.")] = (
        ContactType.EMAIL
    )
    new_contact_value: Annotated[Line, Field(max_length=contacts.LONGEST)]

    @field_validator("new_contact_type")
    @classmethod
    def _check_type(cls, value: ContactType) -> ContactType:
        report_fault(lambda: require_mail(value))
        return value

    @field_validator("new_contact_value")
    @classmethod
    def _check_contact(cls, value: str, info: ValidationInfo) -> str:
        if "new_contact_type" in info.data:
            report_fault(lambda: contacts.normalize_contact(info.data["new_contact_type"], value))
        return value


@dataclass(frozen=True)
class SupportDesk:
    """Opens support tickets, for the operations that do so."""

    commands: SupportCommands
    contact_index: ContactIndex
    log: EventLog

    def open(
        self,
        call: Call,
        category: SupportCategory,
        message: str,
        contact_text: str | None,
        *,
        about: UUID | None,
        belongs_to_ticket: bool = False,
    ) -> OpenedSupportTicket:
        contact = _support_contact(contact_text)
        support_id = call.seed.id("support ticket")
        self.commands.open(
            call.principal.actor,
            HelpRequest(
                support_id=support_id,
                category=category,
                message=message,
                about=about,
                belongs_to_ticket=belongs_to_ticket,
                contact=contact,
                contact_index=self.contact_index.of(contact) if contact else None,
            ),
        )
        # The read model may not have the new support ticket yet, so its time is read from its first event.
        [opened, *_] = self.log.stream(support_id, until=1)
        return OpenedSupportTicket(support_id, "OPEN", utc(opened.recorded_at))


@dataclass(frozen=True)
class SupportHandlers:
    desk: SupportDesk
    commands: SupportCommands
    contact_index: ContactIndex
    outbox: Outbox

    def open_ticket(self, call: Call, body: SupportRequest) -> OpenedSupportTicket:
        """Give the same answer whether the named ticket is the caller's own, another person's, or does not exist."""
        about = body.ticket_id or (call.principal.ticket if call.principal.role is Role.HOLDER else None)
        belongs_to_ticket = about is not None and self._has_access(call, about)
        return self.desk.open(
            call, body.category, body.message, body.contact, about=about, belongs_to_ticket=belongs_to_ticket
        )

    def _has_access(self, call: Call, ticket_id: UUID) -> bool:
        row = call.reads.primary.read(ticket_status.ticket, ticket_id)
        return row is not None and not row["erased"] and has_access(call.principal, ticket_id, row, call.reads.primary)

    def list_recent(self, call: Call) -> Answer[SupportTicketPage]:
        return self.list(call, _filters(call))

    def list(self, call: Call, filters: support.Filters) -> Answer[SupportTicketPage]:
        page = requested_page(call)
        after = page.after_time_and_id()
        rows = call.reads.ask(lambda cursor: support.recent(cursor, page.limit + 1, after, filters))
        rows_on_page = page.cut(rows, lambda row: (row["asked_at"].isoformat(), str(row["support_id"])))
        personal = call.personal_data()
        tickets = [SupportTicket.of(row, personal) for row in rows_on_page]
        return page.answer(SupportTicketPage(tickets, page.next_cursor))

    def get(self, call: Call) -> SupportTicket:
        return SupportTicket.of(_support_row(call), call.personal_data(), shortened_contact=False)

    def show(self, call: Call) -> SupportTicketDetails:
        return SupportTicketDetails.with_replies(_support_row(call), call.personal_data())

    def reply(self, call: Call, body: NewReply) -> Answer[SupportTicketDetails]:
        row = _support_row(call)
        self.commands.reply(call.principal.actor, row["support_id"], _reply_id(call), body.text)
        return Answer(self.show(call), 201)

    def is_reply_sent(self, call: Call) -> bool:
        """Return True if the reply of this call goes to the author; few text messages go to a number in a day."""
        with call.reads.primary.connection() as connection:
            return self.outbox.is_queued(connection, reply_key(_reply_id(call)))

    def assign(self, call: Call, body: Assignment) -> SupportTicketDetails:
        row = _support_row(call)
        if "assignee" in body.model_fields_set:
            workspace = call.reads.ask(lambda cursor: support.workspace_of(cursor, row))
            self.commands.assign(call.principal.actor, row["support_id"], workspace, body.assignee)
        return self.show(call)

    def resolve(self, call: Call, _: Empty) -> SupportTicket:
        self.commands.resolve(call.principal.actor, _support_row(call)["support_id"])
        return SupportTicket.of(_support_row(call), call.personal_data())

    def approve_reset(self, call: Call, body: ProfileReset) -> Answer[Ticket]:
        """Return the ticket with its new contact; its new access token goes to that contact by mail only."""
        try:
            contact = contacts.normalize_contact(body.new_contact_type, body.new_contact_value)
        except InvalidError as error:
            raise InvalidError(error.detail, "/newContactValue", error.code) from None
        token = ticket_token(call.ticket_id, call.seed.secret("new ticket token"))
        self.commands.reset(
            call.principal.actor,
            call.ticket_id,
            ContactReset(
                reset_id=call.seed.id("reset"),
                contact=contact,
                contact_index=self.contact_index.of(contact),
                token=token,
                token_digest=digest(token),
            ),
            now=datetime.now(UTC),
            if_match=if_match(call),
        )
        row = call.current_row()
        return Answer(Ticket.from_row(row, call.personal_data()), 200, etag_header(row))


def _support_contact(text: str | None) -> Contact | None:
    try:
        return None if text is None else contacts.likely_contact(text)
    except InvalidError as error:
        raise InvalidError(error.detail, "/contact", error.code) from None


def _reply_id(call: Call) -> UUID:
    return call.seed.id("support reply")


def _filters(call: Call) -> support.Filters:
    assignee = call.query.get("assignee")
    own = call.principal.member_id if assignee == ONESELF else None
    return support.Filters(
        workspace=call.principal.workspace if call.principal.role is Role.MEMBER else None,
        status=choice_parameter(call, "status", tuple(SupportStatus)) if "status" in call.query else None,
        category=choice_parameter(call, "category", tuple(SupportCategory)) if "category" in call.query else None,
        assignee=own or (id_parameter(call, "assignee") if assignee != NOBODY else None),
        unassigned=assignee == NOBODY,
    )


def _support_row(call: Call) -> Row:
    id = ids.parse(call.path_params["id"])
    workspace = call.principal.workspace if call.principal.role is Role.MEMBER else None

    def query(cursor: Cursor[TupleRow]) -> Row | None:
        row = support.support_ticket(cursor, id) if id is not None else None
        is_hidden = row is not None and workspace not in (None, support.workspace_of(cursor, row))
        return None if is_hidden else row

    row = call.reads.ask(query)
    if row is None:
        raise NotFoundError("There is no such support ticket.")
    return row
