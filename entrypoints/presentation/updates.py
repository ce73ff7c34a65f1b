"""Updates on a campaign page as responses."""

from collections.abc import Callable
from datetime import datetime
from typing import Self
from uuid import UUID

from entrypoints.presentation.personal_data import PersonalData
from entrypoints.presentation.responses import ResponseBody, Time, utc
from projections.model import Row


class Update(ResponseBody):
    """The news that the holder wrote to the donors."""

    id: UUID
    text: str
    created_at: Time

    @classmethod
    def from_row(cls, ticket_id: UUID, row: Row, personal: PersonalData, shown: Callable[[str], str] = str) -> Self:
        """Make the response; `shown` takes out of the text what is not shown."""
        text = shown(personal.text(ticket_id, row["text"]))
        return cls(UUID(row["id"]), text, utc(datetime.fromisoformat(row["created_at"])))


class Updates(ResponseBody):
    """The updates on a campaign page, the newest first."""

    updates: list[Update]
