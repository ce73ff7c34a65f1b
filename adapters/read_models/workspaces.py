"""The settings of workspaces, as the read model has them."""

from adapters.postgres.database import Database
from domain.organisations import Organisation
from projections.workspaces import workspace_settings


class Organisations:
    """The port `OrganisationReader`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def organisation(self, workspace: str) -> Organisation:
        with self._database.reading() as cursor:
            return workspace_settings(cursor, workspace).organisation
