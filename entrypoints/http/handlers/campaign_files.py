"""Handlers for the files of a campaign page: picture, QR code, the donor's receipt, and the holder's poster."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from adapters.languages import DEFAULT_LANGUAGE, translations
from domain.commands.documents import DocumentCommands
from domain.errors import NotFoundError, RefusedError
from domain.ports import QrCodes
from entrypoints.http.handlers.campaign_page import SESSION_ID, goal_of
from entrypoints.http.handlers.campaign_view import page_total
from entrypoints.http.handlers.public_pages import NO_PAGE, StoryLanguages, page_row
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import caller_language
from entrypoints.presentation.donations import DonationTotals
from entrypoints.presentation.personal_data import PersonalData
from entrypoints.presentation.safety import DraftSafety
from entrypoints.presentation.tickets import Draft
from projections import donation_ledger, ticket_status
from projections.model import Row

if TYPE_CHECKING:
    from adapters.documents.campaign_prints import CampaignFace, CampaignPrints

# Other sites ask rarely, and a total that is some minutes old does no harm there.
PICTURE_CACHE = {"Cache-Control": "public, max-age=300"}
CODE_CACHE = {"Cache-Control": "public, max-age=86400"}


@dataclass(frozen=True)
class CampaignFileHandlers:
    documents: DocumentCommands
    safety: DraftSafety
    prints: "Callable[[], CampaignPrints]"
    qr_codes: QrCodes
    page_url: Callable[[str], str]
    languages: StoryLanguages

    def picture(self, call: Call) -> Answer[bytes]:
        face = self._face(call, self._public_row(call), DEFAULT_LANGUAGE)
        return Answer(self.prints().picture(face), 200, dict(PICTURE_CACHE), "image/png")

    def qr_code(self, call: Call) -> Answer[bytes]:
        url = self.page_url(self._public_row(call)["slug"])
        return Answer(self.qr_codes.svg(url), 200, dict(CODE_CACHE), "image/svg+xml")

    def receipt(self, call: Call) -> Answer[bytes]:
        """Return the receipt to a person who knows the checkout session, which Stripe tells only the donor."""
        row, session_id = page_row(call), call.query.get("session_id", "")
        if row is None or row["erased"] or not SESSION_ID.fullmatch(session_id):
            raise NotFoundError(NO_PAGE)
        ticket_id = row["ticket_id"]
        donation = call.reads.ask(lambda cursor: donation_ledger.donation_of_session(cursor, ticket_id, session_id))
        if donation is None:
            raise NotFoundError("There is no such gift.")
        try:
            receipt = self.documents.receipt(
                call.principal.actor, ticket_id, donation["donation_id"], dated=datetime.now(UTC)
            )
        except RefusedError as refused:
            raise NotFoundError(str(refused)) from None
        headers = {"Content-Disposition": 'attachment; filename="receipt.pdf"', "Cache-Control": "private, no-store"}
        return Answer(receipt, 200, headers, "application/pdf")

    def poster(self, call: Call) -> Answer[bytes]:
        row = call.ticket
        face = self._face(call, row, caller_language(call))
        headers = {"Content-Disposition": 'inline; filename="poster.pdf"', "Cache-Control": "private, no-store"}
        return Answer(self.prints().poster(face, datetime.now(UTC)), 200, headers, "application/pdf")

    def _public_row(self, call: Call) -> Row:
        row = page_row(call)
        if row is None or not ticket_status.is_public(row):
            raise NotFoundError(NO_PAGE)
        return row

    def _face(self, call: Call, row: Row, otherwise: str) -> "CampaignFace":
        from adapters.documents.campaign_prints import CampaignFace

        personal = PersonalData(call.cipher)
        draft = Draft.from_row(self.safety.public_row(row), personal)
        language = self.languages.of(row, draft) or otherwise
        totals = call.reads.ask(lambda cursor: donation_ledger.totals(cursor, row["ticket_id"]))
        total = page_total(DonationTotals.from_rows(row, totals, None, None, personal), goal_of(draft), None, language)
        _ = translations(language).gettext
        of_goal = _("%(raised)s of %(goal)s") % {"raised": total.raised, "goal": total.goal}
        return CampaignFace(
            title=draft.title or _("A campaign"),
            beneficiary=" · ".join(part for part in (draft.beneficiary, draft.location) if part) or None,
            raised=of_goal if total.goal else total.raised,
            percent=total.percent,
            language=language,
            url=self.page_url(row["slug"]),
        )
