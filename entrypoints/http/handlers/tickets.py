"""Handlers for tickets: open, show, search, rename and erase them."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from msgspec import UNSET
from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters import contacts
from adapters.contacts import ContactIndex
from adapters.identity.credentials import PUBLIC_WORKSPACE, ticket_token
from adapters.identity.tokens import digest
from domain.commands.tickets import TicketCommands
from domain.errors import FaultCode
from domain.ports import Contents, QrCodes, SettingsReader, Transcripts
from domain.tickets import NewTicket
from domain.values import Contact, Content, Role, SupportCategory
from entrypoints.http.bodies import TicketChange, TicketOpening
from entrypoints.http.handlers.preconditions import etag_header, if_match
from entrypoints.http.handlers.qr_codes import qr_code
from entrypoints.http.operations import Answer, Call
from entrypoints.http.paging import ResultPage, requested_page
from entrypoints.http.problems import Problem, invalid
from entrypoints.presentation.documents import Document
from entrypoints.presentation.donations import Attribution
from entrypoints.presentation.personal_data import PersonalData
from entrypoints.presentation.safety import DraftSafety
from entrypoints.presentation.support import SupportSummary
from entrypoints.presentation.tickets import (
    Draft,
    DraftSummary,
    ErasedTicket,
    OpenedTicket,
    ProfilePage,
    Ticket,
    TicketDetails,
    TicketPage,
    TicketSummary,
    Transcription,
    has_draft,
)
from projections import contact_index, documents, donation_ledger, support, ticket_status
from projections.model import Row

# The plus sign of a phone number arrives as a space if it is not escaped.
_UNESCAPED_PLUS = re.compile(r" [1-9]")
INCLUDES = ("draft", "documents", "attributions", "qr", "transcriptions", "support")


@dataclass(frozen=True)
class TicketHandlers:
    commands: TicketCommands
    contact_index: ContactIndex
    contents: Contents
    transcripts: Transcripts
    qr_codes: QrCodes
    public_url: str
    page_url: Callable[[str], str]
    safety: DraftSafety
    settings: SettingsReader

    def create(self, call: Call, body: TicketOpening) -> Answer[OpenedTicket]:
        contact = contacts.normalize_contact(body.contact_type, body.contact_value)
        ticket_id = call.answer_ticket_id = call.seed.id("ticket")
        workspace = call.principal.workspace or PUBLIC_WORKSPACE
        token = ticket_token(ticket_id, call.seed.secret("ticket token"))
        self.commands.open(
            call.principal.actor,
            NewTicket(
                ticket_id=ticket_id,
                workspace=workspace,
                slug=call.seed.slug(),
                contact=contact,
                contact_index=self.contact_index.of(contact),
                display_name=body.display_name,
                token_digest=digest(token),
                currency=self.settings.settings(workspace).currency,
            ),
        )
        # The read model may not have the new ticket yet; then its row is folded from its events.
        row = call.ticket_reader.ticket(ticket_id) or call.ticket_reader.newest_ticket(ticket_id, None)
        assert row is not None
        opened = OpenedTicket.from_row(row, call.personal_data(), access_token=token)
        return Answer(opened, 201, etag_header(row) | {"Location": f"/api/tickets/{ticket_id}"})

    def get(self, call: Call) -> Answer[TicketDetails]:
        include, principal = _included(call), call.principal
        if "attributions" in include and principal.role is Role.CLIENT and "donations:read" not in principal.scopes:
            raise Problem("forbidden", "This key lacks the scope donations:read, which attributions need.")
        row, personal, ticket_id = call.ticket, call.personal_data(), call.ticket_id
        details = TicketDetails.from_row(
            row,
            personal,
            documents=self._documents(call) if "documents" in include else UNSET,
            attributions=[
                Attribution.from_row(donation, personal)
                for donation in personal.preload(
                    call.reads.ask(lambda cursor: donation_ledger.donations(cursor, ticket_id))
                )
            ]
            if "attributions" in include
            else UNSET,
            donation_draft=self._draft(row, personal) if "draft" in include else UNSET,
            qr_code=qr_code(self.qr_codes, self.page_url(row["slug"]), row) if "qr" in include else UNSET,
            transcriptions=[self._transcription(call, transcription) for transcription in row["transcriptions"]]
            if "transcriptions" in include
            else UNSET,
            support_tickets=[
                SupportSummary.from_row(support_row)
                for support_row in call.reads.ask(lambda cursor: support.about(cursor, ticket_id))
                # The holder is not told that somebody reported the page.
                if support_row["category"] != SupportCategory.REPORT or principal.role in (Role.ADMIN, Role.AUDITOR)
            ]
            if "support" in include
            else UNSET,
        )
        return Answer(details, 200, etag_header(row))

    def search(self, call: Call) -> Answer[TicketPage]:
        rows, page = self._search(call)
        return page.answer(TicketPage(self._summaries(call, rows), page.next_cursor))

    def search_profiles(self, call: Call) -> Answer[ProfilePage]:
        rows, page = self._search(call)
        return page.answer(ProfilePage(True, len(rows), self._summaries(call, rows), page.next_cursor))

    def rename(self, call: Call, body: TicketChange) -> Answer[Ticket]:
        self.commands.rename(call.principal.actor, call.ticket_id, body.display_name, if_match(call))
        return changed_ticket(call)

    def erase(self, call: Call) -> ErasedTicket:
        self.commands.erase(call.principal.actor, call.ticket_id, if_match(call))
        return ErasedTicket(call.ticket_id, "ERASED")

    def _draft(self, row: Row, personal: PersonalData) -> Draft | None:
        return Draft.from_row(row, personal, self.safety.of(row, personal)) if has_draft(row) else None

    def _documents(self, call: Call) -> list[Document]:
        rows = call.reads.ask(lambda cursor: documents.documents(cursor, call.ticket_id))
        return [Document.from_row(row, self.public_url) for row in rows]

    def _transcription(self, call: Call, row: Row) -> Transcription:
        if call.masked:
            return Transcription.from_row(row, None)
        with self.contents.open(call.ticket_id, Content(row["sha256"], row["size_bytes"])) as content:
            corrections = call.personal_data().corrections(call.ticket)
            return Transcription.from_row(row, self.transcripts.load(content.read()), corrections)

    def _summaries(self, call: Call, rows: Sequence[Row]) -> list[TicketSummary]:
        personal = call.personal_data()
        return [
            TicketSummary.from_row(row, personal, donation_draft=DraftSummary.from_row(row, personal)) for row in rows
        ]

    def _search(self, call: Call) -> tuple[list[Row], ResultPage]:
        """Return the tickets of the given contact that the caller may see, newest first."""
        text = call.query.get("contact", "")
        if not text.strip():
            raise invalid("/contact", "must be a contact to search for", FaultCode.REQUIRED)
        candidates = searched_contacts(text)
        # A contact is stored as a keyed hash, its index, and may be stored under an older key.
        indexes = [index for contact in candidates for index in self.contact_index.all_of(contact)]
        if call.principal.role is Role.HOLDER and call.principal.session is not None:
            # A session finds the tickets of its own contact only.
            indexes = [index for index in indexes if index in call.principal.contact_indexes]
        page = requested_page(call)
        workspace = call.principal.workspace if call.principal.role in (Role.CLIENT, Role.MEMBER) else None
        after = page.after_time_and_id()

        def query(cursor: Cursor[TupleRow]) -> tuple[list[tuple[UUID, datetime]], dict[UUID, Row]]:
            matches = contact_index.tickets_of(
                cursor, indexes, workspace, page.limit + 1, after, only_ticket_id=call.principal.ticket
            )
            return matches, ticket_status.tickets(cursor, [ticket_id for ticket_id, _ in matches[: page.limit]])

        matches, rows = call.reads.ask(query)
        matches_on_page = page.cut(matches, lambda match: (match[1].isoformat(), str(match[0])))
        return [rows[ticket_id] for ticket_id, _ in matches_on_page if ticket_id in rows], page


def changed_ticket(call: Call) -> Answer[Ticket]:
    """Return the path's ticket as it is after the call has changed it."""
    row = call.current_row()
    return Answer(Ticket.from_row(row, call.personal_data()), 200, etag_header(row))


def searched_contacts(text: str) -> list[Contact]:
    """Return every contact that the text of a query may stand for."""
    return contacts.possible_contacts("+" + text[1:] if _UNESCAPED_PLUS.match(text) else text)


def _included(call: Call) -> set[str]:
    names = {name.strip() for value in call.query.getlist("include") for name in value.split(",") if name.strip()}
    if names - set(INCLUDES):
        raise invalid("/include", f"must be some of {', '.join(INCLUDES)}", FaultCode.UNKNOWN_VALUE)
    return names
