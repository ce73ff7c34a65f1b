"""Handlers for the inbox of requests for help, which the staff answer."""

from dataclasses import dataclass
from urllib.parse import urlencode

from domain.commands.desk import ASSIGNABLE
from domain.errors import DomainError
from domain.support import LONGEST_REPLY
from domain.values import SupportCategory, SupportStatus
from domain.workspaces import Workspace
from entrypoints.http.bodies import Empty, form_fields, typed_fields, validated
from entrypoints.http.desk import DESK, Desk, ask_for, assignable, chosen_filters, name_of, next_page
from entrypoints.http.handlers.support import Assignment, NewReply, SupportHandlers
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import page_language, see_other
from entrypoints.http.problems import Problem, problem_of
from entrypoints.presentation.support import SupportTicket

INBOX = f"{DESK}/support"
FILTERS = ("status", "category", "assignee")


@dataclass(frozen=True)
class DeskSupportHandlers:
    support: SupportHandlers
    desk: Desk

    def show_list(self, call: Call) -> Answer[bytes]:
        """Show the open requests, or those that the filters leave."""
        chosen = {"status": SupportStatus.OPEN.value, **chosen_filters(call, FILTERS)}
        ask_for(call, chosen)
        result_page = self.support.list_recent(call).body
        language, workspace = page_language(call), self.desk.workspace(call)
        return self.desk.page(
            call,
            "support.html",
            requests=[
                (each, _name_of_assignee(call, each, workspace, language)) for each in result_page.support_tickets
            ],
            chosen=chosen,
            with_status=lambda status: f"{INBOX}?{urlencode({**chosen, 'status': status})}",
            categories=tuple(SupportCategory),
            people=assignable(workspace, masked=call.masked),
            next_url=next_page(INBOX, result_page.next_cursor, chosen),
        )

    def show(
        self,
        call: Call,
        status: int = 200,
        *,
        fault: str | None = None,
        refusal: str | None = None,
        typed: str = "",
    ) -> Answer[bytes]:
        request, language, workspace = self.support.show(call), page_language(call), self.desk.workspace(call)
        return self.desk.page(
            call,
            "support_request.html",
            status,
            request=request,
            replies=[
                (reply, name_of(reply.actor, workspace, language, masked=call.masked)) for reply in request.replies
            ],
            people=assignable(workspace, masked=call.masked),
            assignee=_name_of_assignee(call, request, workspace, language),
            may_work=call.principal.member_role in ASSIGNABLE,
            fault=fault,
            refusal=refusal,
            typed=typed,
            longest=LONGEST_REPLY,
        )

    def reply(self, call: Call) -> Answer[bytes] | Answer[None]:
        text = typed_fields(call.raw_body).get("text", "")
        try:
            self.support.reply(call, validated(NewReply, {"text": text}))
        except Problem:
            return self.show(call, 422, fault="text", typed=text)
        except DomainError as error:
            return self.show(call, problem_of(error).status, refusal=str(error), typed=text)
        return self._done(call, "replied" if self.support.is_reply_sent(call) else "kept")

    def assign(self, call: Call) -> Answer[bytes] | Answer[None]:
        assignee = form_fields(call.raw_body).get("assignee") or None
        try:
            self.support.assign(call, validated(Assignment, {"assignee": assignee}))
        except (Problem, DomainError) as error:
            return self.show(call, problem_of(error).status, fault="assignee")
        return self._done(call, "assigned")

    def resolve(self, call: Call) -> Answer[None]:
        self.support.resolve(call, Empty())
        return self._done(call, "resolved")

    @staticmethod
    def _done(call: Call, done: str) -> Answer[None]:
        return see_other(f"{INBOX}/{call.path_params['id']}?done={done}")


def _name_of_assignee(call: Call, request: SupportTicket, workspace: Workspace, language: str) -> str | None:
    return name_of(f"member:{request.assignee}", workspace, language, masked=call.masked) if request.assignee else None
