"""Handlers for the logo of a workspace."""

from dataclasses import dataclass

from adapters.speech.inspection_slots import InspectionSlots
from domain.commands.logos import LogoCommands
from domain.errors import FaultCode, NotFoundError
from domain.organisations import Logo, WorkspaceSettings
from domain.ports import AttachmentInspector, RetentionReader
from domain.workspaces import workspace_stream
from entrypoints.http.handlers.attachments import KEPT_BY_BROWSER, PHOTO_MEDIA_TYPE
from entrypoints.http.handlers.members import named_workspace
from entrypoints.http.handlers.public_pages import page_row
from entrypoints.http.middleware.rate_limits import client_network
from entrypoints.http.operations import Answer, Call
from entrypoints.http.problems import invalid
from entrypoints.presentation.workspaces import WorkspaceView
from projections import ticket_status
from projections.workspaces import workspace_settings

NO_LOGO = "There is no logo."


@dataclass(frozen=True)
class LogoHandlers:
    commands: LogoCommands
    periods: RetentionReader
    inspector: AttachmentInspector
    inspection_slots: InspectionSlots

    def choose(self, call: Call) -> WorkspaceView:
        workspace = named_workspace(call)
        assert call.upload is not None
        if not call.upload.size_bytes:
            raise invalid("/file", "is empty", FaultCode.REQUIRED)
        with self.inspection_slots.taken(workspace_stream(workspace), client_network(call.client_address)):
            inspected = self.inspector.inspect(call.upload.file)
        self.commands.choose(call.principal.actor, workspace, inspected)
        return WorkspaceView.of(self.commands.workspaces.get(workspace), self.periods.retention(workspace))

    def remove(self, call: Call) -> Answer[None]:
        self.commands.remove(call.principal.actor, named_workspace(call))
        return Answer(None, 204)

    def get(self, call: Call) -> Answer[bytes]:
        workspace = named_workspace(call)
        return self._answer(call, workspace, self.commands.workspaces.get(workspace).settings.logo)

    def show(self, call: Call) -> Answer[bytes]:
        """Return the logo that a public page shows."""
        row = page_row(call)
        if row is None or not ticket_status.is_public(row):
            raise NotFoundError(NO_LOGO)
        settings = call.reads.primary.read(workspace_settings, row["workspace"])
        return self._answer(call, row["workspace"], settings.logo if shows_logo(settings) else None)

    def _answer(self, call: Call, workspace: str, logo: Logo | None) -> Answer[bytes]:
        if logo is None:
            raise NotFoundError(NO_LOGO)
        kept = KEPT_BY_BROWSER if call.query.get("v") == logo.sha256[:16] else {}
        image = self.commands.logos.get(workspace, logo)
        return Answer(image, 200, {"ETag": f'"{logo.sha256}"', **kept}, PHOTO_MEDIA_TYPE)


def shows_logo(settings: WorkspaceSettings) -> bool:
    """Return True if pages and receipts show the logo: beside the name of the organisation."""
    return settings.logo is not None and settings.organisation.legal_name is not None
