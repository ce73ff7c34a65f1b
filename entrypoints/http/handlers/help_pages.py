"""Pages on which a holder asks for help, reads the answers, and writes again."""

from dataclasses import dataclass

from adapters import ids
from domain.commands.support import SupportCommands
from domain.errors import NotFoundError, RefusedError
from domain.support import LONGEST_REPLY
from domain.values import SupportCategory
from entrypoints.http.bodies import typed_fields, validated
from entrypoints.http.handlers.support import (
    LONGEST_MESSAGE,
    NewReply,
    SupportDesk,
    SupportHandlers,
    SupportRequest,
)
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import Site, see_other, story_language
from entrypoints.http.problems import Problem
from entrypoints.presentation.support import SupportTicketDetails
from projections import support
from projections.model import Row


@dataclass(frozen=True)
class HelpPageHandlers:
    """The pages show only requests that were made with access to the ticket, because strangers may name any ticket."""

    desk: SupportDesk
    support: SupportHandlers
    commands: SupportCommands
    site: Site

    def show_list(self, call: Call, *, fault: bool = False, typed: str = "") -> Answer[bytes]:
        result_page = self.support.list(call, support.Filters(ticket_id=call.ticket_id)).body
        more = f"/t/{call.ticket_id}/help?cursor={result_page.next_cursor}" if result_page.next_cursor else None
        return self.site.page(
            call,
            "help.html",
            422 if fault else 200,
            story_language=story_language(call.ticket),
            requests=result_page.support_tickets,
            fault=fault,
            typed=typed,
            longest=LONGEST_MESSAGE,
            next_url=more,
        )

    def ask(self, call: Call) -> Answer[bytes] | Answer[None]:
        text = typed_fields(call.raw_body).get("text", "")
        try:
            request = validated(SupportRequest, {"category": SupportCategory.OTHER, "message": text})
        except Problem:
            return self.show_list(call, fault=True, typed=text[:LONGEST_MESSAGE])
        opened = self.desk.open(
            call, request.category, request.message, None, about=call.ticket_id, belongs_to_ticket=True
        )
        return see_other(f"/t/{call.ticket_id}/help/{opened.id}?done=asked")

    def show(self, call: Call, status: int = 200, *, fault: str | None = None, typed: str = "") -> Answer[bytes]:
        request = SupportTicketDetails.with_replies(self._own_row(call), call.personal_data())
        return self.site.page(
            call,
            "help_request.html",
            status,
            story_language=story_language(call.ticket),
            request=request,
            fault=fault,
            typed=typed,
            longest=LONGEST_REPLY,
        )

    def reply(self, call: Call) -> Answer[bytes] | Answer[None]:
        text, support_id = typed_fields(call.raw_body).get("text", ""), self._own_row(call)["support_id"]
        try:
            body = validated(NewReply, {"text": text})
        except Problem:
            return self.show(call, 422, fault="text", typed=text[:LONGEST_REPLY])
        try:
            self.commands.reply_as_author(
                call.principal.actor, call.ticket_id, support_id, call.seed.id("author's reply"), body.text
            )
        except RefusedError:
            return self.show(call, 409, fault="full", typed=text)
        return see_other(f"/t/{call.ticket_id}/help/{support_id}?done=replied")

    def _own_row(self, call: Call) -> Row:
        support_id = ids.parse(call.path_params["support_id"])
        row = call.reads.ask(lambda cursor: support.support_ticket(cursor, support_id)) if support_id else None
        if row is None or row["ticket_id"] != call.ticket_id:
            raise NotFoundError("There is no such support ticket.")
        return row
