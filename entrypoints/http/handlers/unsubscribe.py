"""Handlers for unsubscribing: a GET shows a button and changes nothing, because mail filters follow links.

A mail program may unsubscribe with one click (RFC 8058): it posts a form, whose fields are ignored.
"""

from collections.abc import Callable
from dataclasses import dataclass

from adapters.mail.subscriptions import NEWS_OF_HOLDERS, OPTIONAL_KINDS, News, Subscriptions
from domain.errors import NotFoundError
from entrypoints.http.bodies import form_fields
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import Site


@dataclass(frozen=True)
class UnsubscribeHandlers:
    subscriptions: Subscriptions
    site: Site

    def show(self, call: Call) -> Answer[bytes]:
        return self._page(call, self.subscriptions.check, unsubscribed=False)

    def unsubscribe(self, call: Call) -> Answer[bytes]:
        return self._page(call, self.subscriptions.unsubscribe, unsubscribed=True)

    def choose(self, call: Call) -> Answer[bytes]:
        """Send only the news that the form names."""
        chosen = form_fields(call.raw_body).keys()
        return self._page(call, lambda token: self.subscriptions.choose_by_link(token, chosen), saved=True)

    def _page(
        self, call: Call, use_token: Callable[[str], object], *, unsubscribed: bool = False, saved: bool = False
    ) -> Answer[bytes]:
        token = call.path_params["token"]
        try:
            use_token(token)
            unwanted = self.subscriptions.unwanted_by_link(token)
        except NotFoundError as error:
            return self.site.not_found(call, str(error))
        return self.site.page(
            call,
            "unsubscribe.html",
            token=token,
            unsubscribed=unsubscribed,
            saved=saved,
            # Donors and staff get one kind each, and have nothing to choose.
            has_choice=OPTIONAL_KINDS.get(call.query.get("kind", "")) not in (News.THANKS, News.DISPUTES),
            wanted=[news for news in NEWS_OF_HOLDERS if news not in unwanted],
        )
