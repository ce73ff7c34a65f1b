"""The handler of the page with the disputes over all gifts, and until when they have to be answered."""

from collections.abc import Mapping
from dataclasses import dataclass

from entrypoints.http.desk import DESK, REFUNDERS, Desk, ask_for, chosen_filters, next_page
from entrypoints.http.handlers.disputes import DisputeHandlers
from entrypoints.http.operations import Answer, Call
from entrypoints.http.problems import Problem
from entrypoints.presentation.disputes import DisputePage
from entrypoints.presentation.event_sentences import N_

DISPUTES = f"{DESK}/disputes"
FILTERS = ("status", "from", "to")
# https://docs.stripe.com/disputes/categories
REASONS: Mapping[str, str] = {
    "bank_cannot_process": N_("The bank cannot process the payment."),
    "check_returned": N_("The bank returned the cheque."),
    "credit_not_processed": N_("The donor says that a promised refund did not come."),
    "customer_initiated": N_("The donor asked the bank for the money back."),
    "debit_not_authorized": N_("The donor says that the debit was not allowed."),
    "duplicate": N_("The donor says that the same gift was charged twice."),
    "fraudulent": N_("The donor says that somebody else paid with the card."),
    "general": N_("The bank gave no special reason."),
    "incorrect_account_details": N_("The details of the account are not correct."),
    "insufficient_funds": N_("There was not enough money in the account."),
    "noncompliant": N_("The bank says that the payment broke a rule of the card network."),
    "product_not_received": N_("The donor says that nothing was received for the payment."),
    "product_unacceptable": N_("The donor says that it was not what was described."),
    "subscription_canceled": N_("The donor says that a regular payment was cancelled before."),
    "unrecognized": N_("The donor does not recognise the payment."),
}
STATES: Mapping[str, str] = {
    "needs_response": N_("Needs an answer"),
    "under_review": N_("The bank looks at the answer"),
    "warning_needs_response": N_("Inquiry that needs an answer"),
    "warning_under_review": N_("Inquiry: the bank looks at the answer"),
    "warning_closed": N_("Inquiry that ended without a dispute"),
    "prevented": N_("Prevented"),
    "won": N_("Won"),
    "lost": N_("Lost"),
}


@dataclass(frozen=True)
class DeskDisputeHandlers:
    disputes: DisputeHandlers
    desk: Desk

    def show(self, call: Call) -> Answer[bytes]:
        chosen, faults = chosen_filters(call, FILTERS), []
        ask_for(call, chosen)
        result_page = DisputePage([], None)
        try:
            result_page = self.disputes.list_all(call).body
        except Problem as problem:
            faults = [error.pointer.removeprefix("/") for error in problem.errors]
        return self.desk.page(
            call,
            "disputes.html",
            422 if faults else 200,
            disputes=result_page.disputes,
            chosen=chosen,
            faults=faults,
            reasons=REASONS,
            states=STATES,
            may_see_gift=call.principal.member_role in REFUNDERS,
            next_url=next_page(DISPUTES, result_page.next_cursor, chosen),
        )
