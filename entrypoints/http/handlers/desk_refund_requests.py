"""The handler of the page with the refunds that were asked for and wait for a decision."""

from dataclasses import dataclass

from domain.refund_proposals import ProposalState
from entrypoints.http.desk import DESK, MANAGERS, Desk, ask_for, name_of, next_page
from entrypoints.http.handlers.refund_request_list import list_refund_requests
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import page_language

REQUESTS = f"{DESK}/refund-requests"


@dataclass(frozen=True)
class DeskRefundRequestHandlers:
    desk: Desk

    def show(self, call: Call) -> Answer[bytes]:
        """Show the open requests, or those that were decided as the filter says."""
        chosen = {"status": call.query.get("status") or ProposalState.OPEN.value}
        ask_for(call, chosen)
        result_page = list_refund_requests(call).body
        workspace, language = self.desk.workspace(call), page_language(call)
        return self.desk.page(
            call,
            "refund_requests.html",
            requests=result_page.refund_requests,
            chosen=chosen["status"],
            states=tuple(ProposalState),
            who=lambda actor: name_of(actor, workspace, language, masked=call.masked),
            may_decide=call.principal.member_role in MANAGERS,
            own_actor=str(call.principal.actor),
            next_url=next_page(REQUESTS, result_page.next_cursor, chosen),
        )
