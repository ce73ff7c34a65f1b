"""Handlers for the inbox of requests for help, which the staff answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from adapters.localisation import format_moment, supported_language
from domain.commands.desk import ASSIGNABLE
from domain.errors import DomainError
from domain.support import LONGEST_REPLY
from domain.values import SupportCategory, SupportStatus
from domain.workspaces import Workspace
from entrypoints.http.bodies import Empty, form_fields, validated
from entrypoints.http.desk import DESK, Desk, assignable, name_of
from entrypoints.http.handlers.sign_in_pages import page_language
from entrypoints.http.handlers.support import Assignment, NewReply, SupportHandlers
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import see_other
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
        chosen = {name: text for name in FILTERS if (text := call.query.get(name, "").strip())}
        chosen.setdefault("status", SupportStatus.OPEN.value)
        cursor = call.query.get("cursor")
        call.query = QueryParams(chosen | ({"cursor": cursor} if cursor else {}))
        found = self.support.list_recent(call).body
        language, workspace = supported_language(page_language(call)), self._workspace(call)
        return self.desk.page(
            call,
            "support.html",
            requests=[(each, _name_of_assignee(call, each, workspace, language)) for each in found.support_tickets],
            chosen=chosen,
            with_status=lambda status: _url({**chosen, "status": status}),
            categories=tuple(SupportCategory),
            people=assignable(workspace, masked=call.masked),
            moment=lambda moment: format_moment(moment, language),
            next_url=_url({**chosen, "cursor": found.next_cursor}) if found.next_cursor else None,
        )

    def show(self, call: Call) -> Answer[bytes]:
        return self._page(call)

    def reply(self, call: Call) -> Answer[bytes] | Answer[None]:
        text = form_fields(call.raw_body).get("text", "").replace("\r\n", "\n").strip()
        try:
            self.support.reply(call, validated(NewReply, {"text": text}))
        except Problem:
            return self._page(call, 422, fault="text", typed=text)
        except DomainError as error:
            return self._page(call, problem_of(error).status, refusal=str(error), typed=text)
        return self._done(call, "replied" if self.support.is_reply_sent(call) else "kept")

    def assign(self, call: Call) -> Answer[bytes] | Answer[None]:
        assignee = form_fields(call.raw_body).get("assignee") or None
        try:
            self.support.assign(call, validated(Assignment, {"assignee": assignee}))
        except (Problem, DomainError) as error:
            return self._page(call, problem_of(error).status, fault="assignee")
        return self._done(call, "assigned")

    def resolve(self, call: Call) -> Answer[None]:
        self.support.resolve(call, Empty())
        return self._done(call, "resolved")

    @staticmethod
    def _done(call: Call, done: str) -> Answer[None]:
        return see_other(f"{INBOX}/{call.path_params['id']}?done={done}")

    def _page(
        self,
        call: Call,
        status: int = 200,
        *,
        fault: str | None = None,
        refusal: str | None = None,
        typed: str = "",
    ) -> Answer[bytes]:
        request, language = self.support.show(call), supported_language(page_language(call))
        workspace = self._workspace(call)
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
            moment=lambda moment: format_moment(moment, language),
            may_work=call.principal.member_role in ASSIGNABLE,
            fault=fault,
            refusal=refusal,
            typed=typed,
            done=call.query.get("done"),
            longest=LONGEST_REPLY,
        )

    def _workspace(self, call: Call) -> Workspace:
        assert call.principal.workspace is not None
        return self.desk.workspaces.workspaces.get(call.principal.workspace)


def _name_of_assignee(call: Call, request: SupportTicket, workspace: Workspace, language: str) -> str | None:
    return name_of(f"member:{request.assignee}", workspace, language, masked=call.masked) if request.assignee else None


def _url(query: Mapping[str, str]) -> str:
    return f"{INBOX}?{urlencode(query)}"
