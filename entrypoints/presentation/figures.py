"""Figures of periods and campaigns as responses, each line in one currency."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any, Self
from uuid import UUID

from entrypoints.presentation.exports import campaign_title
from entrypoints.presentation.personal_data import PersonalData
from entrypoints.presentation.responses import ResponseBody, major
from projections.figures import Period, Step, Sums
from projections.model import Row


class Figures(ResponseBody):
    """The money that moved in some days in one currency. Each amount is in the major unit and in the minor unit."""

    first_day: date
    last_day: date
    currency: str
    gifts: int
    average: Decimal | None
    paid: Decimal
    refunded: Decimal
    disputed: Decimal
    net: Decimal
    fees: Decimal
    average_minor: int | None
    paid_minor: int
    refunded_minor: int
    disputed_minor: int
    net_minor: int
    fees_minor: int

    @classmethod
    def of(cls, period: Period, sums: Sums, **subclass_fields: Any) -> Self:
        currency, average = sums.currency, sums.average
        return cls(
            period.first,
            period.last,
            currency,
            sums.gifts,
            None if average is None else major(average, currency),
            major(sums.paid, currency),
            major(sums.refunded, currency),
            major(sums.disputed, currency),
            major(sums.net, currency),
            major(sums.fees, currency),
            average,
            sums.paid,
            sums.refunded,
            sums.disputed,
            sums.net,
            sums.fees,
            **subclass_fields,
        )


class CampaignFigures(Figures):
    """The money that moved for one campaign in one currency."""

    ticket_id: UUID
    campaign: str | None

    @classmethod
    def of_campaign(
        cls, period: Period, sums: Sums, ticket_id: UUID, campaign: Row | None, personal: PersonalData
    ) -> CampaignFigures:
        """Make the line from the sums of a ticket and its row in `projections.figures.campaigns`."""
        title = None if campaign is None else campaign_title(campaign, personal)
        return cls.of(period, sums, ticket_id=ticket_id, campaign=title)


class FiguresReport(ResponseBody):
    """The figures of consecutive periods, and their sums; each currency is by itself."""

    by: Step
    timezone: str
    periods: list[Figures]
    totals: list[Figures]
    # The legal name of who runs the workspace that was asked for.
    organisation: str | None


class CampaignFiguresPage(ResponseBody):
    """A result page of campaigns with their figures in each currency, those with the highest payments first."""

    campaigns: list[CampaignFigures]
    next_cursor: str | None
    organisation: str | None
