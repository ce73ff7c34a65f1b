"""The pages that strangers open."""

from entrypoints.http.handlers.campaign_page import CampaignPageHandlers
from entrypoints.http.handlers.page_reports import PageReport, PageReportHandlers
from entrypoints.http.operations import BodyKind, Operation, RateLimit
from entrypoints.http.table.access import DONATE, OPEN, PAGE_UNAVAILABLE, REPORT

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET", "/d/{slug}", "Show the public page of a campaign", CampaignPageHandlers.show, OPEN,
        media_types=("text/html",), rate_limit=RateLimit.PAGE, other_responses=PAGE_UNAVAILABLE, tag="Public page",
    ),
    Operation(
        "POST", "/d/{slug}", "Open a checkout and redirect to it", CampaignPageHandlers.donate, DONATE, BodyKind.FORM,
        None, 303, media_types=("text/html",), idempotency_key=True, rate_limit=RateLimit.GIFT,
        other_responses={422: "text/html", **PAGE_UNAVAILABLE}, tag="Public page",
    ),
    Operation(
        "GET", "/d/{slug}/report", "Show the form that reports a campaign page", PageReportHandlers.show, OPEN,
        media_types=("text/html",), rate_limit=RateLimit.PAGE, other_responses=PAGE_UNAVAILABLE, tag="Public page",
    ),
    Operation(
        "POST", "/d/{slug}/report", "Report a campaign page, which opens a support ticket", PageReportHandlers.report,
        REPORT, BodyKind.JSON_OR_FORM, PageReport, 201, idempotency_key=True, rate_limit=RateLimit.REPORT,
        other_responses={303: "text/html", 422: "text/html", **PAGE_UNAVAILABLE}, tag="Public page",
    ),
)  # fmt: skip
