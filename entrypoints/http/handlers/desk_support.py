"""Handlers for the inbox of requests for help, which the staff answer."""

from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from adapters.localisation import format_moment, supported_language
from domain.commands.desk import ASSIGNABLE
from domain.errors import DomainError
from domain.support import LONGEST_REPLY
from domain.values import SupportStatus
from entrypoints.http.bodies import Empty, form_fields, validated
from entrypoints.http.desk import DESK, Desk, name_of
from entrypoints.http.handlers.sign_in_pages import page_language
from entrypoints.http.handlers.support import NewReply, SupportHandlers
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import see_other
from entrypoints.http.problems import Problem, problem_of

INBOX = f"{DESK}/support"


@dataclass(frozen=True)
class DeskSupportHandlers:
    support: SupportHandlers
    desk: Desk

    def show_list(self, call: Call) -> Answer[bytes]:
        """Show the open requests, or those with the chosen state."""
        status, cursor = call.query.get("status") or SupportStatus.OPEN.value, call.query.get("cursor")
        call.query = QueryParams([("status", status), *([("cursor", cursor)] if cursor else [])])
        found = self.support.list_recent(call).body
        language = supported_language(page_language(call))
        more = {"status": status, "cursor": found.next_cursor} if found.next_cursor else None
        return self.desk.page(
            call,
            "support.html",
            requests=found.support_tickets,
            chosen=status,
            moment=lambda moment: format_moment(moment, language),
            next_url=f"{INBOX}?{urlencode(more)}" if more else None,
        )

    def show(self, call: Call) -> Answer[bytes]:
        return self._page(call)

    def reply(self, call: Call) -> Answer[bytes] | Answer[None]:
        text = form_fields(call.raw_body).get("text", "").replace("\r\n", "\n").strip()
        try:
            self.support.reply(call, validated(NewReply, {"text": text}))
        except Problem:
            return self._page(call, 422, fault=True, typed=text)
        except DomainError as error:
            return self._page(call, problem_of(error).status, refusal=str(error), typed=text)
        return see_other(f"{INBOX}/{call.path_params['id']}?done=replied")

    def resolve(self, call: Call) -> Answer[None]:
        self.support.resolve(call, Empty())
        return see_other(f"{INBOX}/{call.path_params['id']}?done=resolved")

    def _page(
        self, call: Call, status: int = 200, *, fault: bool = False, refusal: str | None = None, typed: str = ""
    ) -> Answer[bytes]:
        request, language = self.support.show(call), supported_language(page_language(call))
        assert call.principal.workspace is not None
        workspace = self.desk.workspaces.workspaces.get(call.principal.workspace)
        return self.desk.page(
            call,
            "support_request.html",
            status,
            request=request,
            replies=[(reply, name_of(reply.actor, workspace)) for reply in request.replies],
            moment=lambda moment: format_moment(moment, language),
            may_work=call.principal.member_role in ASSIGNABLE,
            fault=fault,
            refusal=refusal,
            typed=typed,
            done=call.query.get("done"),
            longest=LONGEST_REPLY,
        )
