"""The health of every part of the service: the record of the last day, as JSON and as a page of the desk."""

from entrypoints.http.handlers.desk_health import HealthHistoryHandlers
from entrypoints.http.operations import Access, Operation
from entrypoints.http.table.access import ADMIN, AUDITOR, MANAGERS, OVERSEE
from entrypoints.http.table.pages import desk_page

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET", "/admin/health/history", "Show the state of every part of the service in the last 24 hours",
        HealthHistoryHandlers.report, OVERSEE, tag="Administration", id="showHealthHistory",
    ),
    desk_page(
        "/desk/health", "Show the health of every part of the service, with the last day as a chart",
        HealthHistoryHandlers.show, Access(frozenset({ADMIN, AUDITOR}), members=MANAGERS),
    ),
)  # fmt: skip
