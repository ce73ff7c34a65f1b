"""Runs the groups of the self-test, each in its own transaction, which is rolled back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING

import structlog

from adapters.health.self_test.context import SelfTestContext, SelfTestFailed
from adapters.postgres.database import CONNECTION_ERRORS, ConnectionRegistry, connect
from domain.errors import UnavailableError

if TYPE_CHECKING:
    from adapters.health.self_test.groups import Group

# A group holds the lock for appends, so it must be short.
STATEMENT_SECONDS = 5

logger = structlog.get_logger()


# Its fields contain secrets, so `repr` does not show them.
@dataclass(frozen=True, repr=False)
class SelfTest:
    """Tests all writes to the database without leaving a row, a position or a number of a sequence behind."""

    url: str
    master: tuple[str, ...]
    groups: Mapping[str, Group] | None = None
    _: KW_ONLY
    registry: ConnectionRegistry | None = None

    def run(self) -> dict[str, bool]:
        """Return for each group whether it passed; UnavailableError when the database is not available."""
        from adapters.health.self_test.groups import GROUPS

        groups = GROUPS if self.groups is None else self.groups
        return {name: self._passes(name, group) for name, group in groups.items()}

    def _passes(self, name: str, group: Group) -> bool:
        try:
            connection = connect(
                self.url, statement_seconds=STATEMENT_SECONDS, name="storyledger self-test", registry=self.registry
            )
        except CONNECTION_ERRORS as error:
            raise UnavailableError("The database is not available.") from error
        with connection:
            try:
                with connection.transaction(force_rollback=True):
                    group(SelfTestContext(connection, self.master))
            except SelfTestFailed as failure:
                logger.error("self-test failed", group=name, expected=str(failure))
                return False
            except Exception as error:
                if connection.closed:
                    raise UnavailableError("The database is not available.") from error
                # The error's message may quote personal data.
                logger.error("self-test failed", group=name, error=type(error).__name__)
                return False
        return True
