"""Handlers for the page of mails and text messages that could not be sent."""

from dataclasses import dataclass

from domain.errors import DomainError
from entrypoints.http.bodies import Empty
from entrypoints.http.desk import DESK, Desk, next_page
from entrypoints.http.handlers.admin import DeadMailHandlers
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import see_other
from entrypoints.http.problems import problem_of

MAILS = f"{DESK}/mails"
# The beginnings of the reasons that the outbox has, and what each means to the staff. The first that fits counts.
_FAULTS = {
    "SMTP recipient": "recipient",
    "SMTP: the server does not accept such an address": "recipient",
    "SMTP message": "refused",
    "SMTP": "server",
    "text provider: 4": "number",
    "text provider": "server",
    "text folder": "server",
    "mail folder": "server",
    "no text messages are sent": "off",
    "the code of the text message has expired": "expired",
}


def fault_of(error: str | None) -> str:
    """Return which sentence of the page says why a message was not sent."""
    return next((fault for beginning, fault in _FAULTS.items() if (error or "").startswith(beginning)), "other")


@dataclass(frozen=True)
class DeskMailHandlers:
    mails: DeadMailHandlers
    desk: Desk

    def show(self, call: Call, error: DomainError | None = None) -> Answer[bytes]:
        result_page = self.mails.list_dead_mails(call).body
        return self.desk.page(
            call,
            "mails.html",
            problem_of(error).status if error else 200,
            mails=[(mail, fault_of(mail.error)) for mail in result_page.dead_mails],
            refused=error is not None,
            next_url=next_page(MAILS, result_page.next_cursor),
        )

    def retry(self, call: Call) -> Answer[bytes] | Answer[None]:
        try:
            self.mails.retry(call, Empty())
        except DomainError as error:
            # Somebody else was faster, or the content has expired.
            return self.show(call, error)
        return see_other(f"{MAILS}?done=retried")
