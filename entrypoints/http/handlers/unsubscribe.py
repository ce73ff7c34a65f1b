"""Handlers for unsubscribing: a GET shows a button and changes nothing, because mail filters follow links.

A mail program may unsubscribe with one click (RFC 8058): it posts a form, whose fields are ignored.
"""

from collections.abc import Callable
from dataclasses import dataclass

from adapters.mail.subscriptions import Subscriptions
from domain.errors import NotFoundError
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

    def _page(self, call: Call, use_token: Callable[[str], object], *, unsubscribed: bool) -> Answer[bytes]:
        try:
            use_token(call.path_params["token"])
        except NotFoundError as error:
            return self.site.not_found(call, str(error))
        return self.site.page(call, "unsubscribe.html", unsubscribed=unsubscribed)
