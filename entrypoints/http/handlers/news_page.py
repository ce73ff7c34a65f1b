"""The page on which a holder chooses what to hear of."""

from dataclasses import dataclass

from adapters.mail.outbox import Outbox
from adapters.mail.subscriptions import NEWS_OF_HOLDERS, Subscriptions
from domain.values import Contact, ContactType
from entrypoints.http.bodies import form_fields
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import Site, see_other, story_language
from entrypoints.http.problems import Problem


@dataclass(frozen=True)
class NewsPageHandlers:
    subscriptions: Subscriptions
    outbox: Outbox
    site: Site

    def show(self, call: Call) -> Answer[bytes]:
        contact = self._contact(call)
        chosen: list[str] = []
        if contact is not None:
            unwanted = self.subscriptions.unwanted(contact.value)
            chosen = [news for news in NEWS_OF_HOLDERS if news not in unwanted]
        return self.site.page(
            call,
            "news.html",
            story_language=story_language(call.ticket),
            contact=call.personal_data().contact(call.ticket, shortened=True),
            reached=contact is not None,
            by_text=contact is not None and contact.type is ContactType.PHONE,
            wanted=chosen,
            saved=call.query.get("done") == "saved",
        )

    def choose(self, call: Call) -> Answer[None]:
        contact = self._contact(call)
        if contact is None:
            raise Problem("conflict", "No messages can be sent to the contact of this ticket.")
        self.subscriptions.choose(contact.value, form_fields(call.raw_body).keys())
        return see_other(f"/t/{call.ticket_id}/news?done=saved")

    def _contact(self, call: Call) -> Contact | None:
        """Return the ticket's contact if messages can be sent to it."""
        value = call.personal_data().contact(call.ticket)
        if value is None:
            return None
        contact = Contact(ContactType(call.ticket["contact_type"]), value)
        return contact if self.outbox.reaches(contact) else None
