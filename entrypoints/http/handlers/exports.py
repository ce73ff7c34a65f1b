"""The handler that exports donations for accounting."""

from dataclasses import dataclass

from adapters.encryption.field_cipher import FieldCipher
from domain.errors import FaultCode
from domain.values import Role
from entrypoints.composition.queries import Queries
from entrypoints.http.operations import Answer, Call, JsonStream, Stream
from entrypoints.http.problems import invalid
from entrypoints.http.query import day_parameter, id_parameter
from entrypoints.presentation.exports import ExportedDonation, as_csv, as_json


@dataclass(frozen=True)
class ExportHandlers:
    queries: Queries
    cipher: FieldCipher

    def export(self, call: Call) -> Answer[Stream | JsonStream[list[ExportedDonation]]]:
        format = call.query.get("format", "csv")
        if format not in ("csv", "json"):
            raise invalid("/format", "must be csv or json", FaultCode.UNKNOWN_VALUE)
        ticket_id = id_parameter(call, "ticket")
        since, until = day_parameter(call, "from"), day_parameter(call, "to", end_of_day=True)
        workspace = call.principal.workspace if call.principal.role is Role.CLIENT else None
        rows = self.queries.exported(ticket_id, workspace, since, until, call.reads)
        personal = call.personal_data(self.cipher)
        lines = (ExportedDonation.from_rows(row, settlements, personal) for row, settlements in rows)
        headers = {"Content-Disposition": f'attachment; filename="donations.{format}"'}
        if format == "csv":
            return Answer(Stream(as_csv(lines)), 200, headers, "text/csv; charset=utf-8")
        return Answer(JsonStream(as_json(lines)), 200, headers)
