"""The settings of workspaces, as the read model has them."""

from adapters.postgres.database import Database
from domain.organisations import WorkspaceSettings
from projections.workspaces import workspace_settings


class StoredSettings:
    """The port `SettingsReader`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def settings(self, workspace: str) -> WorkspaceSettings:
        return self._database.read(workspace_settings, workspace)
