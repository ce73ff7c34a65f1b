"""Donations found over all tickets as responses."""

from __future__ import annotations

from typing import Any, Self
from uuid import UUID

from entrypoints.presentation.donations import Attribution
from entrypoints.presentation.exports import campaign_title
from entrypoints.presentation.personal_data import PersonalData
from entrypoints.presentation.responses import ResponseBody
from projections.model import Row


class FoundDonation(Attribution):
    """A donation with its ticket and the title of its campaign."""

    ticket_id: UUID
    workspace: str
    campaign: str | None

    @classmethod
    def from_row(cls, row: Row, personal: PersonalData, **subclass_fields: Any) -> Self:
        """Make the answer from a row of `projections.gift_search`."""
        return super().from_row(
            row,
            personal,
            ticket_id=row["ticket_id"],
            workspace=row["workspace"],
            campaign=campaign_title(row, personal),
            **subclass_fields,
        )


class FoundDonationPage(ResponseBody):
    """A result page of donations over all tickets, the latest first."""

    donations: list[FoundDonation]
    next_cursor: str | None
