"""Handlers for the page of webhook events that could not be applied."""

from dataclasses import dataclass

from starlette.datastructures import QueryParams

from adapters.payments.inbox import NO_CHECKOUT
from domain.errors import NotFoundError
from entrypoints.http.bodies import DeadLetterRetry, form_fields
from entrypoints.http.desk import DESK, Desk, next_page
from entrypoints.http.handlers.admin import DeadLetterHandlers
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import see_other

DEAD_LETTERS = f"{DESK}/dead-letters"
# The beginnings of the reasons that the inbox has, and what each means to an operator.
_FAULTS = {NO_CHECKOUT: "no_checkout", "captured ": "amount", "malformed": "malformed", "erased": "erased"}
# A person decides whether such a payment counts; the others are only tried again.
ACCEPTABLE = ("no_checkout", "amount")


def fault_of(error: str | None) -> str:
    """Return which sentence of the page says why an event could not be applied."""
    if error == "unmatched":
        return "unmatched"
    return next((fault for beginning, fault in _FAULTS.items() if (error or "").startswith(beginning)), "other")


@dataclass(frozen=True)
class DeskDeadLetterHandlers:
    letters: DeadLetterHandlers
    desk: Desk

    def show(
        self, call: Call, status: int = 200, *, unconfirmed: str | None = None, gone: bool = False
    ) -> Answer[bytes]:
        result_page = self.letters.list_dead_letters(call).body
        return self.desk.page(
            call,
            "dead_letters.html",
            status,
            letters=[(letter, fault_of(letter.error)) for letter in result_page.dead_letters],
            acceptable=ACCEPTABLE,
            cursor=call.query.get("cursor", ""),
            unconfirmed=unconfirmed,
            gone=gone,
            next_url=next_page(DEAD_LETTERS, result_page.next_cursor),
        )

    def retry(self, call: Call) -> Answer[bytes] | Answer[None]:
        """Have the event applied again, and accept its fault if the form confirms that."""
        form = form_fields(call.raw_body)
        accept = form.get("do") == "accept"
        call.query = QueryParams({"cursor": form["cursor"]} if form.get("cursor") else {})
        if accept and form.get("confirmed") != "yes":
            return self.show(call, 422, unconfirmed=call.path_params["id"])
        try:
            self.letters.retry(call, DeadLetterRetry(accept=accept))
        except NotFoundError:
            return self.show(call, 404, gone=True)
        return see_other(f"{DEAD_LETTERS}?done={'accepted' if accept else 'retried'}")
