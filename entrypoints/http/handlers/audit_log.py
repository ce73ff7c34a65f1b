"""Handlers for the audit log of a workspace."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from adapters.identity.access_log import AccessLog, AuditRecord, AuditSelection
from adapters.identity.network_addresses import AddressCipher
from domain.errors import FaultCode
from domain.ports import Workspaces
from entrypoints.http.downloads import attachment
from entrypoints.http.handlers.members import named_workspace
from entrypoints.http.operations import Answer, Call, Stream
from entrypoints.http.paging import parse_position, requested_page
from entrypoints.http.problems import invalid
from entrypoints.http.query import choice_parameter, day_parameter, flag_parameter, id_parameter, parse_time
from entrypoints.presentation.audit_log import AuditLogEntry, AuditLogPage
from entrypoints.presentation.exports import as_csv
from entrypoints.presentation.responses import encode

# The number of entries of an export that are in memory at a time.
EXPORT_PAGE = 1_000

Format = Literal["csv", "jsonl"]
FILES: dict[Format, tuple[str, str]] = {
    "csv": ("audit-log.csv", "text/csv; charset=utf-8"),
    "jsonl": ("audit-log.jsonl", "application/jsonl"),
}


@dataclass(frozen=True)
class AuditLogHandlers:
    access_log: AccessLog
    addresses: AddressCipher
    workspaces: Workspaces

    def list_entries(self, call: Call) -> Answer[AuditLogPage]:
        page, selection = requested_page(call), self._selection(call)
        after = page.after_key(_parse_key)
        records = page.cut(self.access_log.page_of_workspace(selection, page.limit + 1, after), _key)
        return page.answer(AuditLogPage(list(self._entries(call, records)), page.next_cursor))

    def export(self, call: Call) -> Answer[Stream]:
        format: Format = choice_parameter(call, "format", get_args(Format))
        entries = self._entries(call, self._all(self._selection(call)))
        lines = as_csv(entries, AuditLogEntry) if format == "csv" else (encode(entry) + b"\n" for entry in entries)
        file_name, media_type = FILES[format]
        organisation = self.workspaces.get(named_workspace(call)).settings.organisation
        headers = attachment(file_name, organisation.legal_name)
        return Answer(Stream(lines), 200, headers, media_type)

    def _selection(self, call: Call) -> AuditSelection:
        workspace = named_workspace(call)
        since, until = day_parameter(call, "from"), day_parameter(call, "to", end_of_day=True)
        if since and until and since >= until:
            raise invalid("/to", "must be later than the beginning of the period", FaultCode.OUT_OF_RANGE)
        operations = call.query.getlist("operation") or None
        if operations is not None and any("\0" in operation for operation in operations):
            raise invalid("/operation", "contains characters that are not text", FaultCode.NOT_TEXT)
        without_begun = "begun" in call.query and not flag_parameter(call, "begun")
        return AuditSelection(workspace, id_parameter(call, "member"), operations, since, until, without_begun)

    def _all(self, selection: AuditSelection) -> Iterator[AuditRecord]:
        """Yield the selected records, newest first. Those that are added meanwhile are not among them."""
        before = None
        while records := self.access_log.page_of_workspace(selection, EXPORT_PAGE, before):
            yield from records
            before = records[-1].recorded_at, records[-1].position

    def _entries(self, call: Call, records: Iterable[AuditRecord]) -> Iterator[AuditLogEntry]:
        workspace = self.workspaces.get(named_workspace(call))
        for record in records:
            member = None if record.member_id is None else workspace.ever_member(record.member_id)
            address = None if call.masked else self.addresses.open(record.address)
            yield AuditLogEntry.of(record, member, address, masked=call.masked)


def _key(record: AuditRecord) -> tuple[str, int]:
    return record.recorded_at.isoformat(), record.position


def _parse_key(time: str, position: object) -> tuple[datetime, int]:
    return parse_time(time), parse_position(position)
