"""Handlers that forget donors: by the link in a mail, whose GET changes nothing, and for the staff."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from adapters import ids
from adapters.localisation import format_date, supported_language
from adapters.mail.forget_links import ForgetLinks
from domain.commands.documents import DocumentCommands
from domain.commands.donors import DonorCommands
from domain.donations import Donation
from domain.errors import NotFoundError
from domain.values import Money, Role
from entrypoints.http.amounts import format_amount
from entrypoints.http.bodies import Empty
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import Site, page_language
from entrypoints.presentation.donors import DonorForgetting
from projections import donation_ledger
from projections.model import Row


@dataclass(frozen=True)
class DonorHandlers:
    commands: DonorCommands
    documents: DocumentCommands
    links: ForgetLinks
    site: Site

    def forget(self, call: Call, _: Empty) -> DonorForgetting:
        """Forget the donor of a gift for the staff, whom the donor has asked."""
        row = donation_row(call)
        donation = self._forget(call, row["ticket_id"], row["donation_id"])
        return DonorForgetting.of(donation)

    def receipt(self, call: Call) -> Answer[bytes]:
        """Return the receipt of a gift for the books, also when the person of the story is erased."""
        row = donation_row(call)
        receipt = self.documents.receipt(
            call.principal.actor, row["ticket_id"], row["donation_id"], dated=datetime.now(UTC)
        )
        headers = {"Content-Disposition": 'attachment; filename="receipt.pdf"', "Cache-Control": "private, no-store"}
        return Answer(receipt, 200, headers, "application/pdf")

    def show(self, call: Call) -> Answer[bytes]:
        try:
            gift = self.links.check(call.path_params["token"])
            donation = self.commands.donations.get(*gift)
        except NotFoundError as error:
            return self.site.not_found(call, str(error))
        return self._page(call, donation)

    def forget_by_link(self, call: Call) -> Answer[bytes]:
        try:
            gift = self.links.check(call.path_params["token"])
            donation = self._forget(call, *gift)
        except NotFoundError as error:
            return self.site.not_found(call, str(error))
        return self._page(call, donation)

    def _forget(self, call: Call, ticket_id: UUID, donation_id: UUID) -> Donation:
        return self.commands.forget(call.principal.actor, ticket_id, donation_id, datetime.now(UTC))

    def _page(self, call: Call, donation: Donation) -> Answer[bytes]:
        language = page_language(call, None)
        kept_until = None
        if donation.forget_at is not None:
            day = datetime.fromtimestamp(donation.forget_at, UTC)
            kept_until = format_date(day, supported_language(language))
        return self.site.page(
            call,
            "forget.html",
            amount=format_amount(
                Money(donation.gift.paid or donation.amount.minor, donation.amount.currency), language
            ),
            forgotten=donation.forgotten,
            kept_until=kept_until,
        )


def donation_row(call: Call) -> Row:
    """Return the ledger's row of the donation in the path; NotFoundError for one of another workspace, too."""
    donation_id, row = ids.parse(call.path_params["donation_id"]), None
    if donation_id is not None:
        row = call.reads.primary.read(donation_ledger.donation, donation_id)
    principal = call.principal
    if row is None or (principal.role is Role.MEMBER and row["workspace"] != principal.workspace):
        raise NotFoundError("There is no such donation.")
    return row
