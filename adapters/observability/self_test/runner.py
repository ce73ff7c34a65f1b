"""Runs the groups, each in a transaction of its own that is rolled back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import structlog

from adapters.observability.self_test.context import Failed, SelfTestContext
from adapters.postgres.database import CONNECTION_ERRORS, ConnectionRegistry, connect
from domain.errors import UnavailableError

if TYPE_CHECKING:
    from adapters.observability.self_test.groups import Group

# A group holds the lock of the append while it lasts, so it may not last.
STATEMENT_SECONDS = 5

logger = structlog.get_logger()


class SelfTest:
    """Rehearses what is kept in the database, without a trace: no row, no position, no number of a sequence."""

    def __init__(
        self,
        url: str,
        master: tuple[str, ...],
        groups: Mapping[str, Group] | None = None,
        *,
        registry: ConnectionRegistry | None = None,
    ) -> None:
        self._url = url
        self._registry = registry
        self._master = master
        self._groups = groups

    def run(self) -> dict[str, bool]:
        """For each group whether it did what it should; UnavailableError when the database is away."""
        from adapters.observability.self_test.groups import GROUPS

        groups = GROUPS if self._groups is None else self._groups
        return {name: self._passes(name, group) for name, group in groups.items()}

    def _passes(self, name: str, group: Group) -> bool:
        try:
            connection = connect(
                self._url, statement_seconds=STATEMENT_SECONDS, name="storyledger self-test", registry=self._registry
            )
        except CONNECTION_ERRORS as error:
            raise UnavailableError("The database is not available.") from error
        with connection:
            try:
                with connection.transaction(force_rollback=True):
                    group(SelfTestContext(connection, self._master))
            except Failed as missing:
                logger.error("self-test failed", group=name, expected=str(missing))
                return False
            except Exception as error:
                if connection.closed:
                    raise UnavailableError("The database is not available.") from error
                # Its text may quote a row.
                logger.error("self-test failed", group=name, error=type(error).__name__)
                return False
        return True
