"""No more mails: a page with one button, since whoever looks at links in mails (a filter, say) must change nothing.

A mail program may press the button by itself (RFC 8058): it posts a form of either kind, of which nothing is read.
"""

from __future__ import annotations

from domain.errors import NotFoundError
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import CSP, HTML, PAGES, absent


def show(call: Call) -> Answer:
    try:
        call.service.subscriptions.check(call.path["token"])
    except NotFoundError as none:
        return absent(call, str(none))
    return _answer(left=False)


def leave(call: Call) -> Answer:
    try:
        call.service.subscriptions.unsubscribe(call.path["token"])
    except NotFoundError as none:
        return absent(call, str(none))
    return _answer(left=True)


def _answer(*, left: bool) -> Answer:
    headers = {"Content-Security-Policy": CSP.format(form="'self'"), "Referrer-Policy": "no-referrer"}
    return Answer(PAGES.render("unsubscribe.html", left=left).encode(), 200, headers, HTML)
