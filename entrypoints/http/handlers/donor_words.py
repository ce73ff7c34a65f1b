"""Handlers for the words of donors, which a holder may keep off the campaign page."""

from dataclasses import dataclass
from uuid import UUID

from pydantic import StrictBool

from adapters import ids
from domain.commands.donor_words import DonorWordsCommands
from domain.errors import NotFoundError
from entrypoints.http.bodies import Body
from entrypoints.http.operations import Call
from entrypoints.presentation.donor_words import DonorWords
from projections import page_words


class WordsChange(Body):
    """With `hidden`, the page does not show the words."""

    hidden: StrictBool


@dataclass(frozen=True)
class DonorWordsHandlers:
    commands: DonorWordsCommands

    def get(self, call: Call) -> DonorWords:
        return self._words(call, _donation_id(call))

    def change(self, call: Call, body: WordsChange) -> DonorWords:
        donation_id = _donation_id(call)
        self.commands.hide(call.principal.actor, call.ticket_id, donation_id, hidden=body.hidden)
        return self._words(call, donation_id)

    def _words(self, call: Call, donation_id: UUID) -> DonorWords:
        row = call.reads.ask(lambda cursor: page_words.words_of(cursor, [donation_id])).get(donation_id)
        if row is None or row["ticket_id"] != call.ticket_id:
            raise NotFoundError("This gift has no words.")
        return DonorWords.from_row(row, call.personal_data())


def _donation_id(call: Call) -> UUID:
    donation_id = ids.parse(call.path_params["donation_id"])
    if donation_id is None:
        raise NotFoundError("There is no such gift.")
    return donation_id
