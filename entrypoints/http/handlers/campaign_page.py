"""Handlers for the public page of a campaign, and for its form, which opens a checkout."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from adapters.encryption.field_cipher import FieldCipher
from adapters.payments.retrieval import PendingRetrievals
from adapters.postgres.database import Database
from domain.commands.checkouts import CheckoutCommands, checked_amount, largest_amount, smallest_amount
from domain.errors import InvalidError, NotFoundError, TakenDownError
from domain.values import Money
from entrypoints.http.amounts import DEFAULT_LANGUAGE, MAX_AMOUNT_LENGTH, format_amount, read_amount
from entrypoints.http.bodies import form_fields
from entrypoints.http.handlers.public_pages import page_row, unavailable_page
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import Site
from entrypoints.presentation.donations import DonationTotals, main_currency
from entrypoints.presentation.personal_data import PersonalData
from entrypoints.presentation.safety import DraftSafety
from entrypoints.presentation.tickets import Draft
from projections import donation_ledger, ticket_status
from projections.model import Row

SUGGESTED_MAJOR = (10, 25, 50, 100)
SUGGESTED_MAJOR_ZERO_DECIMAL = (1_000, 2_500, 5_000, 10_000)

_SESSION_ID = re.compile(r"cs_[A-Za-z0-9_]{1,250}")


@dataclass(frozen=True)
class CampaignPageHandlers:
    commands: CheckoutCommands
    database: Database
    cipher: FieldCipher
    safety: DraftSafety
    retrievals: PendingRetrievals
    site: Site
    page_url: Callable[[str], str]

    def show(self, call: Call) -> Answer[bytes]:
        row = page_row(self.database, call)
        if row is None or not ticket_status.is_public(row):
            return unavailable_page(self.site, call, row)
        # The checkout returns the donor to this page with `thanks` and `session_id`.
        if "thanks" in call.query:
            self._retrieve_unpaid_session(call, row)
        return self._page(call, row)

    def donate(self, call: Call) -> Answer[bytes | None]:
        """Open a checkout and redirect to it, or show the form again if the amount is invalid."""
        row = page_row(self.database, call)
        if row is None or not ticket_status.is_public(row):
            return unavailable_page(self.site, call, row)
        call.answer_ticket_id = row["ticket_id"]
        form = form_fields(call.raw_body)
        currency = form["currency"] if "currency" in form else main_currency(row, _totals(call, row))
        try:
            amount = checked_amount(read_amount(form.get("amount", ""), currency, _language(row)))
            checkout = self.commands.open(
                call.principal.actor,
                row["ticket_id"],
                call.seed.id("donation"),
                amount,
                None,
                return_url=self.page_url(row["slug"]),
                published=True,
            )
        except NotFoundError:
            # The page was unpublished or erased since its row was read.
            return unavailable_page(self.site, call, None)
        except TakenDownError:
            return self.site.gone(call)
        except InvalidError as error:
            typed_amount = form.get("amount", "")[:MAX_AMOUNT_LENGTH]
            return self._page(call, row, error=_sentence(error), typed_amount=typed_amount, status=422)
        return Answer(None, 303, {"Location": checkout.url})

    def _retrieve_unpaid_session(self, call: Call, row: Row) -> None:
        """Request the donor's session from Stripe if the donation is unpaid here, because its webhook may be late."""
        session_id = call.query.get("session_id", "")
        if not _SESSION_ID.fullmatch(session_id):
            return
        with self.database.reading() as cursor:
            unpaid = donation_ledger.unpaid_donation(cursor, row["ticket_id"], session_id)
        if unpaid is not None:
            self.retrievals.request(session_id)

    def _page(
        self, call: Call, row: Row, error: str | None = None, typed_amount: str = "", status: int = 200
    ) -> Answer[bytes]:
        personal = PersonalData(self.cipher)
        draft = Draft.from_row(self.safety.public_row(row), personal)
        totals = DonationTotals.from_rows(row, _totals(call, row), None, None, personal)
        language = _language(row)
        currency, counts = totals.currency, totals.counts
        goal = draft.goal_amount_minor if draft.currency == currency else None
        raised = max(0, totals.total_minor)
        # Browsers also apply the policy for forms to the redirect to the checkout.
        checkout_origin = self.site.public_url if self.site.sandbox else "https://checkout.stripe.com"
        return self.site.page(
            call,
            "campaign.html",
            status,
            story_language=language,
            form_action=f"'self' {checkout_origin}",
            draft=draft,
            # The holder may clear the title while the page is published.
            title=draft.title or "A campaign",
            paragraphs=[paragraph for paragraph in (draft.story or "").splitlines() if paragraph.strip()],
            currency=currency,
            raised=format_amount(Money(raised, currency), language),
            goal=format_amount(Money(goal, currency), language) if goal else None,
            percent_raised=min(100, raised * 100 // goal) if goal else None,
            gifts=counts.paid + counts.refunded + counts.disputed,
            suggested_amounts=_suggested_amounts(currency, language),
            smallest=format_amount(smallest_amount(currency), language),
            largest=format_amount(largest_amount(currency), language),
            error=error,
            typed_amount=typed_amount,
            thanks="thanks" in call.query,
            report_path=f"/d/{row['slug']}/report",
        )


def _totals(call: Call, row: Row) -> list[Row]:
    return call.reads.ask(lambda cursor: donation_ledger.totals(cursor, row["ticket_id"]))


def _language(row: Row) -> str:
    """Return the language of the campaign, in which the page shows and reads amounts."""
    return (row["analysis"] or {}).get("language") or DEFAULT_LANGUAGE


def _sentence(error: InvalidError) -> str:
    # The payment service's refusals are sentences already.
    if error.detail.endswith("."):
        return error.detail
    return f"The {'currency' if error.pointer == '/currency' else 'amount'} {error.detail}."


def _suggested_amounts(currency: str, language: str) -> list[dict[str, str]]:
    # The smallest gift is 1 in the major unit, or 100 if the currency has no decimals.
    amounts = SUGGESTED_MAJOR if smallest_amount(currency).major < 100 else SUGGESTED_MAJOR_ZERO_DECIMAL
    return [{"value": str(amount), "label": format_amount(Money.of(amount, currency), language)} for amount in amounts]
