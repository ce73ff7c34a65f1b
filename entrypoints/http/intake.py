"""Who may open tickets: what the service allows to visitors, and what the workspace allows to all."""

from dataclasses import dataclass

from adapters.identity.credentials import PUBLIC_WORKSPACE, Principal
from adapters.postgres.database import Database
from domain.organisations import WorkspaceSettings
from domain.tickets import DEFAULT_CURRENCY
from domain.values import Role
from projections.workspaces import workspace_settings

# These open tickets in the built-in workspace, and only while the service takes in visitors.
VISITORS = frozenset({Role.VISITOR, Role.HOLDER})


@dataclass(frozen=True)
class Intake:
    database: Database
    open_to_visitors: bool

    def may_open(self, principal: Principal) -> bool:
        """Return True if the principal may open a ticket in the workspace that it would belong to."""
        is_visitor = principal.role in VISITORS
        if is_visitor and not self.open_to_visitors:
            return False
        return self._settings(principal).may_open(by_staff=not is_visitor)

    def currency(self, principal: Principal) -> str:
        """Return the currency of amounts in the tickets that the principal opens."""
        return self._settings(principal).currency or DEFAULT_CURRENCY

    def _settings(self, principal: Principal) -> WorkspaceSettings:
        return self.database.read(workspace_settings, principal.workspace or PUBLIC_WORKSPACE)
