"""The handler that exports the ledgers for accounting."""

from typing import get_args

from domain.errors import NotFoundError
from domain.values import Role
from entrypoints.composition.exports import Export, Format
from entrypoints.http.downloads import attachment, organisation_of
from entrypoints.http.operations import Answer, Call, JsonStream, Stream
from entrypoints.http.query import choice_parameter, day_parameter, flag_parameter, id_parameter
from entrypoints.presentation.exports import ExportedDonation
from projections.exports import By, Selection

FILES: dict[Format, tuple[str, str]] = {
    "csv": ("donations.csv", "text/csv; charset=utf-8"),
    "json": ("donations.json", "application/json"),
    "movements": ("movements.csv", "text/csv; charset=utf-8"),
    "journal": ("donations.journal", "text/plain; charset=utf-8"),
}


def export_donations(call: Call) -> Answer[Stream | JsonStream[list[ExportedDonation]]]:
    format: Format = choice_parameter(call, "format", get_args(Format))
    by: By = choice_parameter(call, "by", get_args(By))
    ticket_id, workspace = id_parameter(call, "ticket"), requested_workspace(call)
    since, until = day_parameter(call, "from"), day_parameter(call, "to", end_of_day=True)
    export = Export(format, Selection(by, ticket_id, workspace, since, until), flag_parameter(call, "unpaid"))
    content = export.content(call.reads, call.personal_data())
    file_name, media_type = FILES[format]
    headers = attachment(file_name, organisation_of(call.reads, workspace))
    body = JsonStream[list[ExportedDonation]](content) if format == "json" else Stream(content)
    return Answer(body, 200, headers, media_type)


def requested_workspace(call: Call) -> str | None:
    """Return the workspace that the call is about, or None for all.

    One of others is answered as one that does not exist.
    """
    workspace = call.query.get("workspace")
    if call.principal.role in (Role.CLIENT, Role.MEMBER):
        if workspace not in (None, call.principal.workspace):
            raise NotFoundError
        return call.principal.workspace
    if workspace is not None and not call.workspace_exists(workspace):
        raise NotFoundError
    return workspace
