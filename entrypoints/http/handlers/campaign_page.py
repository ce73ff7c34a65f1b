"""Handlers for the public page of a campaign, and for its form, which opens a checkout."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from adapters.languages import DEFAULT_LANGUAGE, offered_language, text_direction, translations
from adapters.payments.retrieval import PendingRetrievals
from domain.commands.checkouts import CheckoutCommands, checked_amount, largest_amount, smallest_amount
from domain.consent import USUAL_SCOPES
from domain.errors import FaultCode, InvalidError, NotFoundError, TakenDownError
from domain.values import CURRENCIES, ConsentScope, GiftWords, Money
from entrypoints.http.amounts import MAX_AMOUNT_LENGTH, format_amount, read_amount
from entrypoints.http.bodies import form_fields
from entrypoints.http.handlers.campaign_view import RECENT_GIFTS, PageTotal, page_date, page_total, recent_gifts
from entrypoints.http.handlers.logos import shows_logo
from entrypoints.http.handlers.public_pages import StoryLanguages, page_language, page_row, unavailable_page
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import Site
from entrypoints.http.suggested_amounts import preselected, suggested_amounts
from entrypoints.presentation.donations import DonationTotals, main_currency
from entrypoints.presentation.personal_data import PersonalData
from entrypoints.presentation.safety import DraftSafety
from entrypoints.presentation.tickets import Draft
from entrypoints.presentation.voices import page_voice
from projections import donation_ledger, page_words, ticket_status, workspaces
from projections.model import Row

LONGEST_NAME, LONGEST_MESSAGE = 60, 500
# The description that other sites show with a link to the page.
LONGEST_DESCRIPTION = 200

# What a person is asked to agree to when the page is published, as far as the page has it.
PREVIEWED_SCOPES = (*USUAL_SCOPES, ConsentScope.PHOTO)
SESSION_ID = re.compile(r"cs_[A-Za-z0-9_]{1,250}")
_NO_FORM: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class CampaignPageHandlers:
    commands: CheckoutCommands
    safety: DraftSafety
    retrievals: PendingRetrievals
    site: Site
    page_url: Callable[[str], str]
    languages: StoryLanguages = field(default_factory=StoryLanguages)

    def show(self, call: Call) -> Answer[bytes]:
        row = page_row(call)
        if row is None or not ticket_status.is_public(row):
            return unavailable_page(self.site, call, row)
        # The checkout returns the donor to this page with `thanks` and `session_id`.
        if "thanks" in call.query:
            self._retrieve_unpaid_session(call, row)
        return self._page(call, row)

    def preview(self, call: Call) -> Answer[bytes]:
        """Show the holder the page as donors see it or would see it; nothing on it can be paid or shared."""
        row = call.ticket
        if not ticket_status.is_public(row):
            # Nobody has agreed to anything yet, so the page shows what it would with the usual consents.
            row = row | {"consents": [{"given": PREVIEWED_SCOPES}, *row["consents"]]}
        return self._page(call, row, preview=True)

    def donate(self, call: Call) -> Answer[bytes | None]:
        """Open a checkout and redirect to it, or show the form again if the amount is invalid."""
        row = page_row(call)
        if row is None or not ticket_status.is_public(row):
            return unavailable_page(self.site, call, row)
        call.answer_ticket_id = row["ticket_id"]
        form = form_fields(call.raw_body)
        currency = form["currency"] if "currency" in form else main_currency(row, _totals(call, row))
        draft = self._draft(call, row)
        language = self._language(call, row, draft, form.get("lang"))
        typed = form.get("amount", "").strip() or form.get("choice", "")
        try:
            amount = checked_amount(read_amount(typed, currency, language))
            checkout = self.commands.open(
                call.principal.actor,
                row["ticket_id"],
                call.seed.id("donation"),
                amount,
                _checkout_text(draft.title, language),
                return_url=self.page_url(row["slug"]),
                published=True,
                words=_words(form),
            )
        except NotFoundError:
            # The page was unpublished or erased since its row was read.
            return unavailable_page(self.site, call, None)
        except TakenDownError:
            return self.site.gone(call)
        except InvalidError as error:
            return self._page(call, row, error=_sentence(error, currency, language), form=form, status=422)
        return Answer(None, 303, {"Location": checkout.url})

    def total(self, call: Call) -> Answer[PageTotal]:
        """Return the totals for the script of the page, which shows them as they change."""
        row = page_row(call)
        if row is None or not ticket_status.is_public(row):
            raise NotFoundError("There is no such page, or it is not public yet.")
        draft = self._draft(call, row)
        totals = DonationTotals.from_rows(row, _totals(call, row), None, None, PersonalData(call.cipher))
        shown = page_total(totals, goal_of(draft), self._own_gift(call, row), self._language(call, row, draft))
        return Answer(shown, 200, {"Cache-Control": "no-store"})

    def _retrieve_unpaid_session(self, call: Call, row: Row) -> None:
        """Request the donor's session from Stripe if the donation is unpaid here, because its webhook may be late."""
        session_id = call.query.get("session_id", "")
        if not SESSION_ID.fullmatch(session_id):
            return
        unpaid = call.reads.primary.read(donation_ledger.unpaid_donation, row["ticket_id"], session_id)
        if unpaid is not None:
            self.retrievals.request(session_id)

    def _own_gift(self, call: Call, row: Row) -> Row | None:
        """Return the donation of the session that the request names, which only its donor knows."""
        session_id = call.query.get("session_id", "")
        if not SESSION_ID.fullmatch(session_id):
            return None
        return call.reads.ask(lambda cursor: donation_ledger.donation_of_session(cursor, row["ticket_id"], session_id))

    def _draft(self, call: Call, row: Row) -> Draft:
        return Draft.from_row(self.safety.public_row(row), PersonalData(call.cipher))

    def _language(self, call: Call, row: Row, draft: Draft, chosen: str | None = None) -> str:
        return page_language(call, row, self.languages.of(row, draft), offered_language(chosen))

    def _page(
        self,
        call: Call,
        row: Row,
        error: str | None = None,
        form: Mapping[str, str] = _NO_FORM,
        status: int = 200,
        *,
        preview: bool = False,
    ) -> Answer[bytes]:
        personal, public = PersonalData(call.cipher), self.safety.public_row(row)
        draft = Draft.from_row(public, personal)
        story_language = self.languages.of(row, draft)
        language = self._language(call, row, draft, form.get("lang"))
        totals, gifts, updates, settings = call.reads.ask(
            lambda cursor: (
                donation_ledger.totals(cursor, row["ticket_id"]),
                page_words.recent_gifts(cursor, row["ticket_id"], RECENT_GIFTS),
                page_words.updates(cursor, row["ticket_id"]),
                workspaces.workspace_settings(cursor, row["workspace"]),
            )
        )
        shown_text = self.safety.shown_text(row)
        own_gift, thanks = self._own_gift(call, row), "thanks" in call.query and not preview
        all_totals = DonationTotals.from_rows(row, totals, None, None, personal)
        currency, url = all_totals.currency, self.page_url(row["slug"])
        amounts = suggested_amounts(currency, goal_of(draft))
        # The holder may clear the title while the page is published.
        title = draft.title or translations(language).gettext("A campaign")
        paragraphs = [paragraph for paragraph in (draft.story or "").splitlines() if paragraph.strip()]
        # Browsers also apply the policy for forms to the redirect to the checkout.
        checkout_origin = self.site.public_url if self.site.sandbox else "https://checkout.stripe.com"
        return self.site.page(
            call,
            "campaign.html",
            status,
            story_language=language,
            form_action="'self'" if preview else f"'self' {checkout_origin}",
            preview=preview,
            public=not preview or ticket_status.is_public(row),
            wide="wide" in call.query,
            ticket_id=row["ticket_id"],
            draft=draft,
            title=title,
            paragraphs=paragraphs,
            description=_description(paragraphs) or title,
            story_direction=text_direction(story_language or language),
            story_tag=story_language or language,
            holder=personal.text_or_none(row["ticket_id"], public["display_name"]),
            picture=_picture(public, personal, preview=preview),
            voice=page_voice(public, personal, preview=preview),
            operator=self.site.operator,
            organisation=settings.organisation,
            logo=settings.logo if shows_logo(settings) else None,
            currency=currency,
            total=page_total(all_totals, goal_of(draft), own_gift, language),
            gifts=recent_gifts(gifts, row, personal, shown_text, language),
            updates=[
                {
                    "on": page_date(datetime.fromisoformat(update["created_at"]), language),
                    "paragraphs": shown_text(personal.text(row["ticket_id"], update["text"])).splitlines(),
                }
                for update in updates
            ],
            amounts=[_choice(amount, language) for amount in amounts],
            chosen=form.get("choice") or _value(preselected(amounts)),
            form=form,
            error=error,
            typed_amount=form.get("amount", "")[:MAX_AMOUNT_LENGTH],
            smallest=format_amount(smallest_amount(currency), language),
            largest=format_amount(largest_amount(currency), language),
            longest_name=LONGEST_NAME,
            longest_message=LONGEST_MESSAGE,
            thanks=thanks,
            cancelled="cancelled" in call.query,
            own_amount=format_amount(Money(own_gift["amount"], own_gift["currency"]), language) if own_gift else None,
            session_id=call.query.get("session_id", "") if own_gift else "",
            path=f"/d/{row['slug']}",
            url=url,
        )


def _picture(public: Row, personal: PersonalData, *, preview: bool) -> dict[str, Any] | None:
    """Return the path, the size and the description of the photo that the page shows, or None."""
    picture = public["picture"]
    if not picture:
        return None
    # Before the page is public, only the holder may load the photo.
    own_path = f"/api/tickets/{public['ticket_id']}/attachments/{picture['attachment_id']}"
    return {
        "path": own_path if preview else f"/d/{public['slug']}/picture?v={picture['sha256'][:16]}",
        **{name: picture[name] for name in ("width", "height")},
        "description": personal.text_or_none(public["ticket_id"], picture["description"]) or "",
    }


def _totals(call: Call, row: Row) -> list[Row]:
    return call.reads.ask(lambda cursor: donation_ledger.totals(cursor, row["ticket_id"]))


def goal_of(draft: Draft) -> Money | None:
    """Return the goal of the draft."""
    if draft.goal_amount_minor is None or draft.currency is None:
        return None
    return Money(draft.goal_amount_minor, draft.currency)


def _words(form: Mapping[str, str]) -> GiftWords:
    """Return the name and the message of the form, cut to their length: a gift is not refused because of its words."""
    name, message = (" ".join(form.get(field, "").replace("\0", "").split()) for field in ("name", "message"))
    if not name and not message:
        return GiftWords()
    return GiftWords(name[:LONGEST_NAME] or None, message[:LONGEST_MESSAGE] or None, form.get("shown") == "yes")


def _checkout_text(title: str | None, language: str) -> str:
    """Return what the pay page says the payment is for, in the language in which the donor read the story."""
    _ = translations(language).gettext
    return _("Gift: %(title)s") % {"title": title} if title else _("Gift")


def _description(paragraphs: list[str]) -> str:
    text = " ".join(paragraphs)
    return text if len(text) <= LONGEST_DESCRIPTION else text[:LONGEST_DESCRIPTION].rpartition(" ")[0] + " …"


def _value(amount: Money | None) -> str:
    """Return the amount in the notation that every language reads alike."""
    return f"{amount.major.normalize():f}" if amount else ""


def _choice(amount: Money, language: str) -> dict[str, Any]:
    return {"value": _value(amount), "label": format_amount(amount, language)}


def _sentence(error: InvalidError, currency: str, language: str) -> str:
    """Return what is wrong with the amount, in the reader's language where we have a sentence for it."""
    # The payment service's refusals are sentences already.
    if error.detail.endswith("."):
        return error.detail
    _ = translations(language).gettext
    translated = {
        FaultCode.WRONG_TYPE: _("Write the amount in %(currency)s as a number, like 25."),
        FaultCode.OUT_OF_RANGE: _("You can give from %(smallest)s to %(largest)s."),
        FaultCode.TOO_MANY_DECIMALS: _("The amount has more decimals than %(currency)s allows."),
        FaultCode.AMBIGUOUS: _("Write the amount without a sign between thousands, like 1000."),
        FaultCode.UNKNOWN_CURRENCY: _("Gifts in this currency are not possible."),
    }.get(error.code)
    if translated is None or language == DEFAULT_LANGUAGE:
        return f"The {'currency' if error.pointer == '/currency' else 'amount'} {error.detail}."
    offered = currency if currency in CURRENCIES else "USD"
    limits = {"smallest": smallest_amount(offered), "largest": largest_amount(offered)}
    return translated % {
        "currency": offered,
        **{name: format_amount(amount, language) for name, amount in limits.items()},
    }
