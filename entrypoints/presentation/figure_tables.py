"""The figures of one currency as the page shows them: a chart, the table of its periods, and that of its campaigns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from babel.dates import format_date

from adapters.localisation import NO_BREAK_SPACE, format_money, locale_of
from domain.values import Money
from entrypoints.presentation.charts import Chart, Value, bar_chart
from entrypoints.presentation.figures import CampaignFigures, Figures
from projections.figures import Period, Step, is_whole

_DAY = "d MMM y"
# How a whole period is named below the chart, and in the table.
_SHORT = {"day": "d MMM", "week": "d MMM", "month": "MMM y", "quarter": "QQQ y"}
_NAMES = {"day": _DAY, "month": "MMMM y", "quarter": "QQQ y"}


@dataclass(frozen=True)
class Line:
    """A line of the table: the period in words, and its figures."""

    period: str
    figures: Figures


@dataclass(frozen=True)
class CurrencyFigures:
    """All figures of one currency; `others` has those of the `hidden` campaigns that are not shown."""

    whole: Figures
    chart: Chart
    lines: Sequence[Line]
    campaigns: Sequence[CampaignFigures]
    others: Figures
    hidden: int


def table_lines(figures: Sequence[Figures], step: Step, language: str) -> list[Line]:
    return [Line(period_name(Period(each.first_day, each.last_day), step, language), each) for each in figures]


def period_name(period: Period, step: Step, language: str) -> str:
    """Return the name of a whole day, month or quarter, and of other periods the first and the last day."""
    if step in _NAMES and is_whole(step, period):
        return format_date(period.first, _NAMES[step], locale_of(language))
    if period.first == period.last:
        return format_date(period.first, _DAY, locale_of(language))
    return " – ".join(format_date(day, _DAY, locale_of(language)) for day in (period.first, period.last))


def chart_of(figures: Sequence[Figures], step: Step, language: str) -> Chart:
    """Return the chart of the figures, which are of one currency."""
    currency = figures[0].currency
    values = [
        Value(
            format_date(each.first_day, _SHORT[step], locale_of(language)),
            inflow={"paid": each.paid_minor},
            outflow={"refunded": each.refunded_minor, "disputed": each.disputed_minor},
            net=each.net_minor,
        )
        for each in figures
    ]
    return bar_chart(values, lambda minor: amount_in(currency, minor, language))


def amount_in(currency: str, minor: int, language: str) -> str:
    """Return an amount for a table or an axis of one currency, whose code is in the heading."""
    amount, _, _ = format_money(Money(minor, currency), language).rpartition(NO_BREAK_SPACE)
    return amount
