"""The words of donors as responses."""

from typing import Self
from uuid import UUID

from entrypoints.presentation.personal_data import PersonalData
from entrypoints.presentation.responses import ResponseBody
from projections.model import Row


class DonorWords(ResponseBody):
    """The name and the words that a donor left with a gift.

    The page shows them if the donor agreed (`shown`) and nobody took them off the page (`hidden`).
    """

    donation_id: UUID
    name: str | None
    message: str | None
    shown: bool
    hidden: bool

    @classmethod
    def from_row(cls, row: Row, personal: PersonalData) -> Self:
        ticket_id = row["ticket_id"]
        return cls(
            row["donation_id"],
            personal.text_or_none(ticket_id, row["name"]),
            personal.text_or_none(ticket_id, row["message"]),
            row["shown"],
            row["hidden"],
        )
