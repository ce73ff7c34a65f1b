"""The handler of the page with the refunds that were asked for and wait for a decision."""

from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from adapters.localisation import format_moment, format_money, supported_language
from domain.refund_proposals import ProposalState
from domain.values import Money
from entrypoints.http.desk import DESK, MANAGERS, Desk, name_of
from entrypoints.http.handlers.refund_request_list import RefundRequestListHandlers
from entrypoints.http.handlers.sign_in_pages import page_language
from entrypoints.http.operations import Answer, Call

REQUESTS = f"{DESK}/refund-requests"


@dataclass(frozen=True)
class DeskRefundRequestHandlers:
    requests: RefundRequestListHandlers
    desk: Desk

    def show(self, call: Call) -> Answer[bytes]:
        """Show the open requests, or those that were decided as the filter says."""
        status, cursor = call.query.get("status") or ProposalState.OPEN.value, call.query.get("cursor")
        call.query = QueryParams([("status", status), *([("cursor", cursor)] if cursor else [])])
        found = self.requests.list_all(call).body
        language = supported_language(page_language(call))
        assert call.principal.workspace is not None
        workspace = self.desk.workspaces.workspaces.get(call.principal.workspace)
        more = {"status": status, "cursor": found.next_cursor}
        return self.desk.page(
            call,
            "refund_requests.html",
            requests=found.refund_requests,
            chosen=status,
            states=tuple(ProposalState),
            money=lambda minor, currency: format_money(Money(minor, currency), language),
            moment=lambda time: format_moment(time, language),
            who=lambda actor: name_of(actor, workspace, language, masked=call.masked),
            may_decide=call.principal.member_role in MANAGERS,
            own_actor=str(call.principal.actor),
            next_url=f"{REQUESTS}?{urlencode(more)}" if found.next_cursor else None,
        )
