"""Handlers for the updates that a holder posts on the campaign page."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from adapters import ids
from domain.commands.tickets import TicketCommands
from domain.errors import NotFoundError
from entrypoints.http.bodies import Body, Text
from entrypoints.http.operations import Answer, Call
from entrypoints.presentation.safety import DraftSafety
from entrypoints.presentation.updates import Update, Updates
from projections import page_words

LONGEST_UPDATE = 4_000


class NewUpdate(Body):
    text: Annotated[Text, Field(max_length=LONGEST_UPDATE)]


@dataclass(frozen=True)
class UpdateHandlers:
    commands: TicketCommands
    safety: DraftSafety

    def list_updates(self, call: Call) -> Updates:
        rows = call.reads.ask(lambda cursor: page_words.updates(cursor, call.ticket_id))
        personal, shown = call.personal_data(), self.safety.shown_text(call.ticket)
        return Updates([Update.from_row(call.ticket_id, row, personal, shown) for row in rows])

    def post(self, call: Call, body: NewUpdate) -> Answer[Updates]:
        self.commands.post_update(call.principal.actor, call.ticket_id, call.seed.id("update"), body.text)
        return Answer(self.list_updates(call), 201)

    def remove(self, call: Call) -> Updates:
        update_id = ids.parse(call.path_params["update_id"])
        if update_id is None:
            raise NotFoundError("There is no such update.")
        self.commands.remove_update(call.principal.actor, call.ticket_id, update_id)
        return self.list_updates(call)
