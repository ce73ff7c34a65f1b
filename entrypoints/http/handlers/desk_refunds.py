"""Handlers for the page of one gift, on which it is paid back, or that is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.datastructures import QueryParams

from domain.errors import DomainError
from domain.refund_proposals import ProposalState
from entrypoints.http.bodies import Empty, form_fields, validated
from entrypoints.http.desk import DESK, MANAGERS, Desk, name_of
from entrypoints.http.handlers.admin import RefundHandlers, RefundOrder
from entrypoints.http.handlers.refund_preview import RefundPreviewHandlers
from entrypoints.http.handlers.refund_requests import RefundRequestHandlers
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import page_language, see_other
from entrypoints.http.problems import Problem, problem_of


@dataclass(frozen=True)
class DeskRefundHandlers:
    previews: RefundPreviewHandlers
    refunds: RefundHandlers
    requests: RefundRequestHandlers
    desk: Desk

    def show(self, call: Call, error: Exception | None = None, form: Mapping[str, str] | None = None) -> Answer[bytes]:
        done, amount = call.query.get("done"), call.query.get("amount", "").strip()
        call.query = QueryParams({"amount": amount} if amount else {})
        fault: Exception | None = error
        try:
            preview = self.previews.preview(call)
        except Problem as problem:
            fault, call.query = problem, QueryParams({})
            preview = self.previews.preview(call)
        call.query = QueryParams({"limit": "100"})
        open_requests = self.requests.list_requests(call).body.refund_requests
        workspace, language = self.desk.workspace(call), page_language(call)
        problem_shown = problem_of(fault) if fault else None
        return self.desk.page(
            call,
            "gift.html",
            problem_shown.status if problem_shown else 200,
            preview=preview,
            asked=[(each, name_of(each.asked_by, workspace, language, masked=call.masked)) for each in open_requests],
            open_state=ProposalState.OPEN,
            may_refund=call.principal.member_role in MANAGERS,
            own_actor=str(call.principal.actor),
            amount=amount,
            form=form or {},
            problem=problem_shown,
            done=done,
        )

    def refund(self, call: Call) -> Answer[bytes] | Answer[None]:
        """Pay the gift back, or a part of it."""
        form = form_fields(call.raw_body)
        try:
            self.refunds.refund(call, _order(form))
        except (Problem, DomainError) as error:
            return self.show(call, error, form)
        return self._done(call, "refunded")

    def ask(self, call: Call) -> Answer[bytes] | Answer[None]:
        """Ask somebody else to pay the gift back."""
        form = form_fields(call.raw_body)
        try:
            self.requests.ask(call, _order(form))
        except (Problem, DomainError) as error:
            return self.show(call, error, form)
        return self._done(call, "asked")

    def decide(self, call: Call) -> Answer[bytes] | Answer[None]:
        """Approve or decline what another person asked for, as the pressed button says."""
        approves = form_fields(call.raw_body).get("do") == "approve"
        try:
            (self.requests.approve if approves else self.requests.decline)(call, Empty())
        except DomainError as error:
            return self.show(call, error)
        return self._done(call, "refunded" if approves else "declined")

    @staticmethod
    def _done(call: Call, done: str) -> Answer[None]:
        return see_other(f"{DESK}/gifts/{call.path_params['donation_id']}?done={done}")


def _order(form: Mapping[str, str]) -> RefundOrder:
    amount = form.get("amount", "").strip()
    return validated(RefundOrder, {"reason": form.get("reason", "").strip(), **({"amount": amount} if amount else {})})
