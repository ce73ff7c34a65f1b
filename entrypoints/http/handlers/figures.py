"""Handlers of the figures: sums of periods and of campaigns as JSON and CSV, and the page that shows them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, partial
from typing import get_args
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from adapters.localisation import supported_language
from domain.errors import FaultCode
from entrypoints.http.desk import Desk
from entrypoints.http.downloads import attachment, organisation_of
from entrypoints.http.handlers.exports import requested_workspace
from entrypoints.http.operations import Answer, Call, Stream
from entrypoints.http.pages import caller_language
from entrypoints.http.paging import parse_id, requested_page
from entrypoints.http.problems import invalid
from entrypoints.http.query import choice_parameter
from entrypoints.presentation.exports import as_csv
from entrypoints.presentation.figure_tables import CurrencyFigures, amount_in, chart_of, table_lines
from entrypoints.presentation.figures import CampaignFigures, CampaignFiguresPage, Figures, FiguresReport
from projections.figures import (
    CampaignSums,
    Period,
    Step,
    borders,
    campaign_sums,
    campaigns,
    period_sums,
    periods,
    total,
)

STEPS: tuple[Step, ...] = ("month", *(step for step in get_args(Step) if step != "month"))
FORMATS = ("json", "csv")
CSV_TYPE = "text/csv; charset=utf-8"
MAX_PERIODS = 400
FIRST_YEAR, LAST_YEAR = 1970, 9000
# The number of months before the present one in a report without a beginning.
MONTHS_BEFORE = 11
# Titles that are read at once for the CSV of all campaigns.
TITLES_AT_ONCE = 500
SHOWN_CAMPAIGNS = 20


@cache
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones())


@dataclass(frozen=True)
class Asked:
    """The figures that a query asks for."""

    step: Step
    whole: Period
    zone: ZoneInfo
    workspace: str | None

    @property
    def query(self) -> dict[str, str]:
        """Return the parameters of the query."""
        days = {"from": str(self.whole.first), "to": str(self.whole.last)}
        workspace = {} if self.workspace is None else {"workspace": self.workspace}
        return {"by": self.step, **days, "timezone": self.zone.key, **workspace}

    @property
    def periods(self) -> list[Period]:
        return periods(self.step, self.whole)


@dataclass(frozen=True)
class FigureHandlers:
    desk: Desk
    now: Callable[[ZoneInfo], datetime] = datetime.now

    def report(self, call: Call) -> Answer[FiguresReport] | Answer[Stream]:
        asked, format = self._asked(call), choice_parameter(call, "format", FORMATS)
        lines, totals = _figures(call, asked)
        if format == "csv":
            return _csv(call, asked, as_csv(lines, Figures), "figures")
        organisation = organisation_of(call.reads, asked.workspace)
        return Answer(FiguresReport(asked.step, asked.zone.key, lines, totals, organisation))

    def campaigns(self, call: Call) -> Answer[CampaignFiguresPage] | Answer[Stream]:
        asked, format, page = self._asked(call), choice_parameter(call, "format", FORMATS), requested_page(call)
        after = page.after_key(lambda currency, paid, ticket: (str(currency), int(paid), parse_id(ticket)))
        sums = _campaign_sums(call, asked)
        if format == "csv":
            lines = self._campaign_lines(call, asked, sums)
            return _csv(call, asked, as_csv(lines, CampaignFigures), "campaigns")
        following = [each for each in sums if after is None or _sort_key(each) > after]
        shown = page.cut(following, lambda each: [each[1].currency, -each[1].paid, str(each[0])])
        organisation = organisation_of(call.reads, asked.workspace)
        body = CampaignFiguresPage(list(self._campaign_lines(call, asked, shown)), page.next_cursor, organisation)
        return page.answer(body)

    def show(self, call: Call) -> Answer[bytes]:
        asked = self._asked(call)
        lines, totals = _figures(call, asked)
        language = supported_language(caller_language(call))
        return self.desk.page(
            call,
            "figures.html",
            asked=asked,
            steps=STEPS,
            zones=sorted(_zone_names()),
            currencies=list(self._currencies(call, asked, lines, totals, language)),
            amount=lambda minor, currency: amount_in(currency, minor, language),
            csv_url=f"/api/figures?{urlencode(asked.query | {'format': 'csv'})}",
            campaigns_csv_url=f"/api/figures/campaigns?{urlencode(asked.query | {'format': 'csv'})}",
        )

    def _currencies(
        self, call: Call, asked: Asked, lines: list[Figures], totals: list[Figures], language: str
    ) -> Iterator[CurrencyFigures]:
        sums = _campaign_sums(call, asked)
        for whole in totals:
            own = [each for each in sums if each[1].currency == whole.currency]
            shown, hidden = own[:SHOWN_CAMPAIGNS], own[SHOWN_CAMPAIGNS:]
            of_periods = [line for line in lines if line.currency == whole.currency]
            yield CurrencyFigures(
                whole,
                chart_of(of_periods, asked.step, language),
                table_lines(of_periods, asked.step, language),
                list(self._campaign_lines(call, asked, shown)),
                Figures.of(asked.whole, total((each for _, each in hidden), whole.currency)),
                len(hidden),
            )

    def _campaign_lines(self, call: Call, asked: Asked, sums: Sequence[CampaignSums]) -> Iterator[CampaignFigures]:
        personal = call.personal_data()
        for start in range(0, len(sums), TITLES_AT_ONCE):
            part = sums[start : start + TITLES_AT_ONCE]
            rows = call.reads.ask(partial(campaigns, ticket_ids=[ticket_id for ticket_id, _ in part]))
            for ticket_id, each in part:
                yield CampaignFigures.of_campaign(asked.whole, each, ticket_id, rows.get(ticket_id), personal)

    def _asked(self, call: Call) -> Asked:
        """Return what the query asks for; without a period, the present month and the eleven before it."""
        name = call.query.get("timezone") or "UTC"
        if name not in _zone_names():
            raise invalid("/timezone", "must be the name of a time zone like Europe/Berlin", FaultCode.UNKNOWN_VALUE)
        zone = ZoneInfo(name)
        last = _day(call, "to") or self.now(zone).date()
        first = _day(call, "from") or _first_of_months_before(last)
        if first > last:
            raise invalid("/to", "must not be before the first day", FaultCode.OUT_OF_RANGE)
        asked = Asked(choice_parameter(call, "by", STEPS), Period(first, last), zone, requested_workspace(call))
        # A quarter is the longest period, so that days of a longer time are not even counted.
        if (last - first).days >= MAX_PERIODS * 92 or len(asked.periods) > MAX_PERIODS:
            detail = f"must be longer periods, because no report has more than {MAX_PERIODS} of them"
            raise invalid("/by", detail, FaultCode.OUT_OF_RANGE)
        return asked


def _figures(call: Call, asked: Asked) -> tuple[list[Figures], list[Figures]]:
    """Return a line for each period and currency, and the sum of those of each currency."""
    moments = borders(asked.periods, asked.zone)
    sums_by_period = call.reads.ask(lambda cursor: period_sums(cursor, moments, asked.workspace))
    parts = [
        (period, sums) for period, of_period in zip(asked.periods, sums_by_period, strict=True) for sums in of_period
    ]
    currencies = [sums.currency for sums in sums_by_period[0]]
    totals = [total((sums for _, sums in parts), currency) for currency in currencies]
    return [Figures.of(*part) for part in parts], [Figures.of(asked.whole, sums) for sums in totals]


def _campaign_sums(call: Call, asked: Asked) -> list[CampaignSums]:
    moments = borders([asked.whole], asked.zone)
    return call.reads.ask(lambda cursor: campaign_sums(cursor, moments, asked.workspace))


def _sort_key(campaign: CampaignSums) -> tuple[str, int, UUID]:
    ticket_id, sums = campaign
    return sums.currency, -sums.paid, ticket_id


def _csv(call: Call, asked: Asked, content: Iterator[bytes], name: str) -> Answer[Stream]:
    file_name = f"{name}-{asked.whole.first}-{asked.whole.last}.csv"
    headers = attachment(file_name, organisation_of(call.reads, asked.workspace))
    return Answer(Stream(content), 200, headers, CSV_TYPE)


def _day(call: Call, name: str) -> date | None:
    text = call.query.get(name)
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise invalid(f"/{name}", "must be a day like 2026-05-01", FaultCode.WRONG_TYPE) from None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise invalid(f"/{name}", f"must be a day from {FIRST_YEAR} to {LAST_YEAR}", FaultCode.OUT_OF_RANGE)
    return day


def _first_of_months_before(day: date) -> date:
    month = day.year * 12 + day.month - 1 - MONTHS_BEFORE
    return date(month // 12, month % 12 + 1, 1)
