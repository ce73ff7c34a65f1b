"""The logos of workspaces, in a table: they are public, and small enough to be read with a page."""

from hashlib import sha256

from adapters.postgres.database import Database
from domain.errors import NotFoundError
from domain.organisations import Logo


class StoredLogos:
    """The port `Logos`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, workspace: str, image: bytes, width: int, height: int) -> Logo:
        digest = sha256(image).hexdigest()
        self._database.execute(
            "INSERT INTO workspace_logos (workspace, sha256, image) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            (workspace, digest, image),
        )
        return Logo(digest, len(image), width, height)

    def get(self, workspace: str, logo: Logo) -> bytes:
        query = "SELECT image FROM workspace_logos WHERE workspace = %s AND sha256 = %s"
        row = self._database.row(query, (workspace, logo.sha256))
        if row is None:
            raise NotFoundError("There is no such logo.")
        return bytes(row[0])

    def delete(self, workspace: str, logo: Logo) -> None:
        query = "DELETE FROM workspace_logos WHERE workspace = %s AND sha256 = %s"
        self._database.execute(query, (workspace, logo.sha256))
