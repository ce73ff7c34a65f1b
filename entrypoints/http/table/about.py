"""Operations for health checks and metrics, and those that describe the interface."""

from functools import partial

from entrypoints.http.handlers.about import AboutHandlers
from entrypoints.http.handlers.health import HealthHandlers
from entrypoints.http.handlers.metrics import MetricsHandlers
from entrypoints.http.operations import Operation, RateLimit
from entrypoints.http.table import pages
from entrypoints.http.table.access import ALWAYS_OPEN, METRICS, NOT_FOUND

UNAVAILABLE = {503: "application/json"}
page = partial(pages.page, tag="About")

OPERATIONS: tuple[Operation, ...] = (
    *(
        Operation(
            "GET", path, summary, handler, ALWAYS_OPEN, tag="Health", rate_limit=RateLimit.NONE,
            other_responses=other_responses, monitoring=True, id=id,
        )
        for path, id, summary, handler, other_responses in (
            ("/health", None, "Check that the process runs; the same as /health/live", HealthHandlers.live, {}),
            ("/health/live", "checkLiveness", "Check that the process runs", HealthHandlers.live, {}),
            ("/health/db", "checkDatabase", "Check that the database answers", HealthHandlers.database, UNAVAILABLE),
            ("/health/ready", "checkReadiness", "Check that requests can be served", HealthHandlers.ready, UNAVAILABLE),
        )
    ),
    Operation(
        "GET", "/metrics", "Get the metrics for Prometheus", MetricsHandlers.metrics, METRICS,
        media_types=("text/plain",), tag="Health", rate_limit=RateLimit.NONE, other_responses=NOT_FOUND,
        monitoring=True, id="getMetrics",
    ),
    Operation(
        "GET", "/problems", "List the problem types", AboutHandlers.list_problems, ALWAYS_OPEN,
        media_types=("application/json", "text/html"), tag="About", id="listProblemTypes",
    ),
    Operation(
        "GET", "/problems/{name}", "Get the meaning of a problem type", AboutHandlers.problem, ALWAYS_OPEN,
        media_types=("application/json", "text/html"), tag="About", id="getProblemType",
    ),
    Operation(
        "GET", "/openapi.json", "Get the OpenAPI document", AboutHandlers.openapi, ALWAYS_OPEN, tag="About",
        id="getOpenapi",
    ),
    page("/", "Show the home page", AboutHandlers.home, ALWAYS_OPEN, id="showHome"),
    page("/docs", "Show the API reference", AboutHandlers.reference, ALWAYS_OPEN, id="showReference"),
    page(
        "/docs/{name}", "Show one operation of the API reference", AboutHandlers.reference_operation, ALWAYS_OPEN,
        id="showReferenceOperation",
    ),
    *(
        Operation(
            "GET", path, "Get a file that the pages load", AboutHandlers.static_file, ALWAYS_OPEN,
            media_types=("text/css", "text/javascript", "image/svg+xml", "image/png", "text/plain"),
            rate_limit=RateLimit.NONE, hidden=True,
        )
        for path in ("/static/{name}", "/favicon.ico")
    ),
)  # fmt: skip
