"""The command that generates a document."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from uuid import UUID

from domain.commands.content_recorder import ContentRecorder
from domain.commands.receipts import ReceiptCommands
from domain.commands.recordings import transcript_of
from domain.commands.tickets import public_draft
from domain.consent import shown_draft
from domain.errors import FaultCode, InvalidError, NotFoundError, RefusedError
from domain.organisations import WorkspaceSettings
from domain.ports import Contents, Logos, Printer, Reserve, SafetyReviewer, Tickets, Transcripts, unreserved
from domain.sheets import CampaignSheet, LogoPicture, ReceiptSheet, Sheet, TranscriptSheet
from domain.tickets import RecordingTicket
from domain.values import Actor, ConsentScope, DocumentFormat, DocumentType, Money


@dataclass(frozen=True)
class DocumentCommands:
    """`checkpoint` returns the newest signed checkpoint of the event log, which is printed on every document.

    `page_url` returns the URL of the public page with this slug.
    """

    tickets: Tickets
    receipts: ReceiptCommands
    logos: Logos
    contents: Contents
    transcripts: Transcripts
    printer: Printer
    safety: SafetyReviewer
    page_url: Callable[[str], str]
    checkpoint: Callable[[], str | None]
    sandbox: bool

    def generate(
        self,
        actor: Actor,
        ticket_id: UUID,
        document_id: UUID,
        type: DocumentType,
        format: DocumentFormat,
        *,
        dated: datetime,
        donation_id: UUID | None = None,
        if_match: int | None = None,
        reserve: Reserve = unreserved,
    ) -> None:
        """Render and record the document. It is stored in the context of `reserve`, which gets its size in bytes."""
        ticket = self.tickets.get(ticket_id)
        rendered = self.printer.render(self._sheet(actor, ticket, type, donation_id, dated), format)
        with reserve(len(rendered)):
            ContentRecorder(self.tickets, self.contents).record(
                ticket_id,
                BytesIO(rendered),
                lambda ticket, content: ticket.record_document(actor, document_id, type, format, content, donation_id),
                if_match,
            )

    def receipt(self, actor: Actor, ticket_id: UUID, donation_id: UUID, *, dated: datetime) -> bytes:
        """Return the receipt of a paid donation as PDF for its donor; nothing but its number is recorded."""
        sheet = self._sheet(actor, self.tickets.get(ticket_id), DocumentType.RECEIPT, donation_id, dated)
        return self.printer.render(sheet, DocumentFormat.PDF)

    def _sheet(
        self, actor: Actor, ticket: RecordingTicket, type: DocumentType, donation_id: UUID | None, dated: datetime
    ) -> Sheet:
        language = self._language(ticket)
        match type:
            case DocumentType.GOFUNDME_DRAFT:
                if ticket.draft.title is None and ticket.draft.story is None:
                    raise RefusedError("There is no draft to print yet.")
                shown = ticket.shown_scopes(dated)
                if ConsentScope.STORY not in shown:
                    raise RefusedError("The consent to show this story was withdrawn.")
                # The document of a public campaign is handed out; before that it is the holder's own copy.
                draft = shown_draft(ticket.draft, ticket.display_name, shown)
                if ticket.lifecycle.public:
                    draft = public_draft(ticket, self.safety, dated)
                name = ticket.display_name if ConsentScope.NAME in shown else None
                return CampaignSheet(draft, name, language, self.page_url(ticket.slug), dated, self.checkpoint())
            case DocumentType.OTHER:  # the transcript
                transcript = transcript_of(ticket, self.contents, self.transcripts)
                return TranscriptSheet(transcript, ticket.display_name, dated, self.checkpoint())
            case DocumentType.RECEIPT:
                donation_id = required_donation(donation_id)
                donation, settings = self.receipts.issue(actor, ticket.workspace, ticket.id, donation_id, dated=dated)
                gift = donation.gift
                assert gift.paid_at is not None
                draft = public_draft(ticket, self.safety, dated)
                return ReceiptSheet(
                    donation_id=donation_id,
                    donor=gift.donor.last_name or "Anonymous",
                    amount=Money(gift.paid, donation.amount.currency),
                    refunded_minor=gift.refunded,
                    paid_at=datetime.fromtimestamp(gift.paid_at, UTC),
                    campaign_title=draft.title,
                    beneficiary=draft.beneficiary,
                    language=language,
                    test=self.sandbox,
                    dated=dated,
                    checkpoint=self.checkpoint(),
                    organisation=settings.organisation,
                    number=donation.receipt_number,
                    logo=self._logo(ticket.workspace, settings),
                )

    def _language(self, ticket: RecordingTicket) -> str | None:
        """Return the language of the story, or else that of the workspace."""
        language = ticket.analysis.language if ticket.analysis else None
        return language or self.receipts.settings.settings(ticket.workspace).language

    def _logo(self, workspace: str, settings: WorkspaceSettings) -> LogoPicture | None:
        logo = settings.logo
        if logo is None or settings.organisation.legal_name is None:
            return None
        with suppress(NotFoundError):  # It was replaced since the settings were read.
            return LogoPicture(self.logos.get(workspace, logo), logo.width, logo.height)
        return None


def required_donation(donation_id: UUID | None) -> UUID:
    """Return the donation that a receipt is for; InvalidError if there is none."""
    if donation_id is None:
        raise InvalidError("a receipt needs the donation it is for", "/donationId", FaultCode.REQUIRED)
    return donation_id
