"""Handlers for reports about a public page: each opens a support ticket."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated

from pydantic import Field

from adapters import contacts
from domain.errors import InvalidError
from domain.values import SupportCategory
from entrypoints.http.bodies import Body, Line, Text, form_fields, validated
from entrypoints.http.handlers.public_pages import page_row, unavailable_page
from entrypoints.http.handlers.support import SupportDesk
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import Site
from entrypoints.http.problems import Problem, problem_of
from entrypoints.presentation.personal_data import PersonalData
from entrypoints.presentation.safety import DraftSafety
from entrypoints.presentation.support import OpenedSupportTicket
from entrypoints.presentation.tickets import Draft
from projections import ticket_status
from projections.model import Row

LONGEST_REASON = 2_000
_FIELDS = ("reason", "contact")


class PageReport(Body):
    reason: Annotated[Text, Field(max_length=LONGEST_REASON)]
    contact: Annotated[Line, Field(max_length=contacts.LONGEST)] | None = None


@dataclass(frozen=True)
class PageReportHandlers:
    desk: SupportDesk
    safety: DraftSafety
    site: Site

    def show(self, call: Call) -> Answer[bytes]:
        row = page_row(call)
        if row is None or not ticket_status.is_public(row):
            return unavailable_page(self.site, call, row)
        return self._page(call, row, sent="sent" in call.query)

    def report(self, call: Call, body: PageReport | None) -> Answer[OpenedSupportTicket | bytes | None]:
        """Open a support ticket and return it; without `body` the request is the form of the page, and gets pages."""
        row = page_row(call)
        if row is None or not ticket_status.is_public(row):
            return unavailable_page(self.site, call, row)
        if body is not None:
            return Answer(self._open(call, row, body), 201)
        # The browser sends an empty field for none, and ends lines with both characters.
        sent = form_fields(call.raw_body)
        form = {name: sent[name].replace("\r\n", "\n") for name in _FIELDS if sent.get(name, "").strip()}
        try:
            self._open(call, row, validated(PageReport, form))
        except (Problem, InvalidError) as error:
            problem = problem_of(error)
            if problem.name != "invalid":
                raise
            faults = {fault.pointer.removeprefix("/"): str(fault.code) for fault in reversed(problem.errors)}
            return self._page(call, row, faults=faults, form=form, status=422)
        return Answer(None, 303, {"Location": f"/d/{row['slug']}/report?sent"})

    def _open(self, call: Call, row: Row, report: PageReport) -> OpenedSupportTicket:
        return self.desk.open(call, SupportCategory.REPORT, report.reason, report.contact, about=row["ticket_id"])

    def _page(
        self,
        call: Call,
        row: Row,
        *,
        sent: bool = False,
        faults: Mapping[str, str] = MappingProxyType({}),
        form: Mapping[str, str] = MappingProxyType({}),
        status: int = 200,
    ) -> Answer[bytes]:
        return self.site.page(
            call,
            "report.html",
            status,
            title=Draft.from_row(self.safety.public_row(row), PersonalData(call.cipher)).title or f"/d/{row['slug']}",
            page_path=f"/d/{row['slug']}",
            sent=sent,
            faults=faults,
            reason=form.get("reason", ""),
            contact=form.get("contact", ""),
            longest_reason=LONGEST_REASON,
            longest_contact=contacts.LONGEST,
        )
