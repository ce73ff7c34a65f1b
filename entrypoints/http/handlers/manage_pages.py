"""Pages on which a holder looks after a story: gifts, sharing, the contact, the recovery sheet and erasing."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from adapters import contacts, ids
from adapters.contacts import ContactIndex
from adapters.identity.contact_changes import ContactChanges
from adapters.identity.recovery_links import RecoveryLinks
from adapters.identity.sessions import SESSION_TOKEN, session_token
from adapters.languages import translations
from adapters.localisation import format_date, supported_language
from adapters.mail.outbox import Outbox
from domain.commands.approvals import NeedsApproval
from domain.commands.donor_words import DonorWordsCommands
from domain.commands.support import SupportCommands
from domain.commands.tickets import TicketCommands
from domain.errors import InvalidError, NotFoundError, RefusedError
from domain.ports import QrCodes
from domain.values import Contact, ContactType, DonationStatus, Money, Role
from entrypoints.http.amounts import format_amount
from entrypoints.http.bodies import form_fields, typed_fields
from entrypoints.http.cookies import session_cookie
from entrypoints.http.handlers.publish_page import approval_values
from entrypoints.http.handlers.sign_in_pages import require_own_page
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import Site, page_language, see_other, story_language
from entrypoints.presentation.donations import DonationTotals, net_minor
from entrypoints.presentation.personal_data import PersonalData
from entrypoints.presentation.tickets import Draft
from projections import donation_ledger, page_words, ticket_status
from projections.model import Row

MAX_GIFTS = 100
MAX_WORD = 40
LONGEST_THANKS = 1_000


class ShownGift(NamedTuple):
    """A gift as its receiver sees it: the donor's own words, never an address."""

    amount: str
    remains: str | None
    day: str
    donor: str | None
    message: str | None
    status: DonationStatus
    donation_id: UUID
    # Whether the page shows the words: None if the donor does not want that.
    words_hidden: bool | None


@dataclass(frozen=True)
class ManagePageHandlers:
    commands: TicketCommands
    support: SupportCommands
    donor_words: DonorWordsCommands
    contact_index: ContactIndex
    recovery_links: RecoveryLinks
    contact_changes: ContactChanges
    outbox: Outbox
    qr_codes: QrCodes
    page_url: Callable[[str], str]
    site: Site
    # The paths that this process answers.
    paths: Collection[str]
    needs_approval: NeedsApproval

    def show(self, call: Call, *, fault: str | None = None, typed: str = "") -> Answer[bytes]:
        """Show "my page": what came in, and everything that the holder may do."""
        row, personal = call.ticket, call.personal_data()
        language = page_language(call, story_language(row))
        gift_rows, total_rows, words = call.reads.ask(
            lambda cursor: (
                rows := donation_ledger.donations(cursor, call.ticket_id, MAX_GIFTS),
                donation_ledger.totals(cursor, call.ticket_id),
                page_words.words_of(cursor, [row["donation_id"] for row in rows]),
            )
        )
        personal.preload([*words.values()])
        totals = DonationTotals.from_rows(row, total_rows, None, None, personal)
        draft, url = Draft.from_row(row, personal), self.page_url(row["slug"])
        goal = draft.goal_amount_minor if draft.currency == totals.currency else None

        def amount(minor: int) -> str:
            return format_amount(Money(minor, totals.currency), language)

        sums = totals.breakdown
        return self.site.page(
            call,
            "manage.html",
            422 if fault else 200,
            story_language=story_language(row),
            title=draft.title,
            name=personal.text_or_none(row["ticket_id"], row["display_name"]),
            public=ticket_status.is_public(row),
            suspended=row["suspended"],
            **approval_values(row, personal, self.needs_approval),
            url=url,
            qr=self.qr_codes.svg(url).decode(),
            gifts=[
                _shown_gift(row, words.get(row["donation_id"]), personal, language) for row in gift_rows if row["paid"]
            ],
            full=len(gift_rows) == MAX_GIFTS,
            paid=amount(sums.paid_minor),
            refunded=amount(sums.refunded_minor) if sums.refunded_minor else None,
            disputed=amount(sums.disputed_minor) if sums.disputed_minor else None,
            net=amount(sums.net_minor),
            goal=amount(goal) if goal else None,
            percent=min(100, max(0, sums.net_minor) * 100 // goal) if goal else None,
            contact=personal.contact(row, shortened=True),
            notice=call.query.get("done"),
            fault=fault,
            typed=typed,
            there=self._there(),
            longest=LONGEST_THANKS,
        )

    def unpublish(self, call: Call) -> Answer[None]:
        self.commands.unpublish(call.principal.actor, call.ticket_id)
        return see_other(f"/t/{call.ticket_id}/manage?done=unpublished")

    def change_words(self, call: Call) -> Answer[None]:
        """Hide the words of a donor or show them again, as the form says."""
        form = form_fields(call.raw_body)
        donation_id, hidden = ids.parse(form.get("donation", "")), form.get("hidden") == "yes"
        if donation_id is None:
            raise NotFoundError("There is no such gift.")
        self.donor_words.hide(call.principal.actor, call.ticket_id, donation_id, hidden=hidden)
        done = "hidden" if hidden else "shown"
        return see_other(f"/t/{call.ticket_id}/manage?done={done}#gift-{donation_id}")

    def thank(self, call: Call) -> Answer[bytes] | Answer[None]:
        """Send the typed thanks to those who gave; nobody's address is shown."""
        text = typed_fields(call.raw_body).get("text", "")
        if not text or len(text) > LONGEST_THANKS:
            return self.show(call, fault="long" if text else "none", typed=text[:LONGEST_THANKS])
        try:
            self.commands.thank_donors(call.principal.actor, call.ticket_id, call.seed.id("thanks"), text)
        except RefusedError:
            return self.show(call, fault="often", typed=text)
        return see_other(f"/t/{call.ticket_id}/manage?done=thanked")

    def show_recovery(self, call: Call) -> Answer[bytes]:
        made_at = self.recovery_links.made_at(call.ticket_id)
        language = supported_language(page_language(call, story_language(call.ticket)))
        made = format_date(made_at, language) if made_at else None
        return self._recovery_page(call, made=made, qr=None)

    def make_recovery(self, call: Call) -> Answer[bytes]:
        """Show the sheet with a new link; it cannot be shown again, because only its digest is stored."""
        link = self.recovery_links.make(call.ticket_id, call.seed.secret("recovery link"))
        return self._recovery_page(call, made=None, qr=self.qr_codes.svg(link).decode())

    def show_recovery_link(self, call: Call) -> Answer[bytes]:
        """Show a button and change nothing, because cameras and messengers look at links before a person does."""
        valid = self.recovery_links.is_valid(call.path_params["token"])
        return self.site.page(call, "sign_in_link.html", 200 if valid else 404, valid=valid)

    def open_recovery_link(self, call: Call) -> Answer[bytes] | Answer[None]:
        token, secret = call.path_params["token"], call.seed.secret("session")
        if not self.recovery_links.is_valid(token):
            return self.show_recovery_link(call)
        require_own_page(call)
        ticket_id = self.recovery_links.open(token, call.seed.id("session"), secret)
        if ticket_id is None:
            return self.show_recovery_link(call)
        cookie = session_cookie(session_token(secret), https=self.site.https)
        return see_other(f"/t/{ticket_id}/recovery?used", cookie)

    def show_contact(
        self, call: Call, *, typed: str = "", change_id: UUID | None = None, fault: str | None = None
    ) -> Answer[bytes]:
        return self.site.page(
            call,
            "contact.html",
            422 if fault else 200,
            story_language=story_language(call.ticket),
            contact=call.personal_data().contact(call.ticket, shortened=True),
            typed=typed[: contacts.LONGEST],
            change_id=change_id,
            by_text=change_id is not None and contacts.likely_contact(typed).type is ContactType.PHONE,
            texts=self.outbox.sends_texts,
            fault=fault,
        )

    def request_contact(self, call: Call) -> Answer[bytes]:
        """Send a code to the new contact, and show the form for the code.

        The form is the answer itself: the new contact must not stand in a path.
        """
        typed = form_fields(call.raw_body).get("contact", "").strip()
        contact = self._new_contact(typed)
        if contact is None:
            return self.show_contact(call, typed=typed, fault="invalid")
        change_id = call.seed.id("contact change")
        language = page_language(call, story_language(call.ticket))
        if not self.contact_changes.request(change_id, call.ticket_id, contact, language):
            return self.show_contact(call, typed=typed, fault="often")
        return self.show_contact(call, typed=contact.value, change_id=change_id)

    def confirm_contact(self, call: Call) -> Answer[bytes] | Answer[None]:
        """Change the contact if the code is right, and keep the browser signed in for this ticket."""
        form = form_fields(call.raw_body)
        contact, change_id = self._new_contact(form.get("contact", "")), ids.parse(form.get("change", ""))
        if contact is None or change_id is None:
            return self.show_contact(call, fault="invalid")
        if not self.contact_changes.confirm(change_id, call.ticket_id, contact, form.get("code", "")):
            return self.show_contact(call, typed=contact.value, change_id=change_id, fault="code")
        self.support.change_contact(
            call.principal.actor,
            call.ticket_id,
            contact,
            self.contact_index.of(contact),
            change_id=change_id,
            now=datetime.now(UTC),
        )
        cookie: Mapping[str, str] = {}
        is_holder = call.principal.role is Role.HOLDER
        if is_holder and (call.principal.session is not None or (call.credential or "").startswith(SESSION_TOKEN)):
            secret = call.seed.secret("session")
            self.recovery_links.open_for(call.ticket_id, call.seed.id("session"), secret)
            cookie = session_cookie(session_token(secret), https=self.site.https)
        return see_other(f"/t/{call.ticket_id}/manage?done=contact", cookie)

    def _new_contact(self, typed: str) -> Contact | None:
        """Return the contact, or None if no code can be sent to it."""
        try:
            contact = contacts.likely_contact(typed)
        except InvalidError:
            return None
        return contact if self.outbox.reaches(contact) else None

    def show_erase(self, call: Call) -> Answer[bytes]:
        return self._erase_page(call, wrong=False)

    def erase(self, call: Call) -> Answer[bytes] | Answer[None]:
        """Erase the person once the word was typed that the page asks for."""
        typed = form_fields(call.raw_body).get("word", "").strip().casefold()[:MAX_WORD]
        if typed not in (_word(call), "erase"):
            return self._erase_page(call, wrong=True)
        self.commands.erase(call.principal.actor, call.ticket_id)
        if call.principal.role is Role.MEMBER:
            return see_other("/desk?done=erased")
        # A session of the contact may have other stories; everything else was for this ticket alone.
        signed_out = {} if call.principal.session else session_cookie(None, https=self.site.https)
        return see_other("/find?erased", signed_out)

    def _there(self) -> Collection[str]:
        """Return the names of the pages that there are, so that no link leads nowhere."""
        named = {"/api/tickets/{ticket_id}/export": "export"}
        named |= {f"/t/{{ticket_id}}/{name}": name for name in ("story", "publish", "consent", "photo", "voice")}
        return {name for path, name in named.items() if path in self.paths}

    def _recovery_page(self, call: Call, *, made: str | None, qr: str | None) -> Answer[bytes]:
        personal = call.personal_data()
        return self.site.page(
            call,
            "recovery.html",
            story_language=story_language(call.ticket),
            title=Draft.from_row(call.ticket, personal).title,
            made=made,
            qr=qr,
            used="used" in call.query,
        )

    def _erase_page(self, call: Call, *, wrong: bool) -> Answer[bytes]:
        personal = call.personal_data()
        return self.site.page(
            call,
            "erase.html",
            422 if wrong else 200,
            story_language=story_language(call.ticket),
            title=Draft.from_row(call.ticket, personal).title,
            name=personal.text_or_none(call.ticket_id, call.ticket["display_name"]),
            word=_word(call),
            there=self._there(),
            wrong=wrong,
        )


def _shown_gift(row: Row, words: Row | None, personal: PersonalData, language: str) -> ShownGift:
    ticket_id, currency, net = row["ticket_id"], row["currency"], net_minor(row)
    return ShownGift(
        amount=format_amount(Money(row["paid"], currency), language),
        remains=format_amount(Money(net, currency), language) if net != row["paid"] else None,
        day=format_date(row["paid_at"], supported_language(language)) if row["paid_at"] else "",
        donor=personal.text_or_none(ticket_id, words["name"] if words else None),
        message=personal.text_or_none(ticket_id, words["message"] if words else None),
        status=row["status"],
        donation_id=row["donation_id"],
        words_hidden=words["hidden"] if words and words["shown"] else None,
    )


def _word(call: Call) -> str:
    """Return the word that confirms erasing, in the language of the page."""
    language = page_language(call, story_language(call.ticket))
    # Translators: the word that a person types to confirm.
    _ = translations(language).gettext
    return _("erase")
