"""The pages that strangers open."""

from entrypoints.http.handlers.campaign_files import CampaignFileHandlers
from entrypoints.http.handlers.campaign_page import CampaignPageHandlers
from entrypoints.http.handlers.page_reports import PageReport, PageReportHandlers
from entrypoints.http.handlers.site_pages import SitePageHandlers
from entrypoints.http.operations import BodyKind, Operation, Parameter, RateLimit
from entrypoints.http.table.access import (
    ALWAYS_OPEN,
    DONATE,
    HOLDER_PAGE,
    NOT_FOUND,
    OPEN,
    PAGE_UNAVAILABLE,
    REPORT,
)

LANGUAGE = Parameter("lang", "The language of the texts.")
SESSION = Parameter("session_id", "The checkout session of the donor's own gift.")

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
        "GET", "/d/{slug}/total", "Get the totals of a campaign as its page shows them", CampaignPageHandlers.total,
        OPEN, query=(SESSION, LANGUAGE), rate_limit=RateLimit.PAGE,
        other_responses=NOT_FOUND, tag="Public page",
    ),
    Operation(
        "GET", "/d/{slug}/picture.png", "Get the picture that other sites show with a link to the campaign",
        CampaignFileHandlers.picture, OPEN, media_types=("image/png",), rate_limit=RateLimit.IMAGE,
        other_responses=NOT_FOUND, tag="Public page",
    ),
    Operation(
        "GET", "/d/{slug}/qr.svg", "Get the QR code of a campaign page", CampaignFileHandlers.qr_code, OPEN,
        media_types=("image/svg+xml",), rate_limit=RateLimit.IMAGE, other_responses=NOT_FOUND, tag="Public page",
    ),
    Operation(
        "GET", "/d/{slug}/receipt", "Get the receipt of a gift, whose checkout session only its donor knows",
        CampaignFileHandlers.receipt, OPEN, media_types=("application/pdf",), query=(SESSION,),
        rate_limit=RateLimit.GIFT, other_responses=NOT_FOUND, tag="Public page",
    ),
    Operation(
        "GET", "/t/{ticket_id}/poster", "Get a poster of the campaign page with strips to tear off, as PDF",
        CampaignFileHandlers.poster, HOLDER_PAGE, media_types=("application/pdf",), query=(LANGUAGE,),
        tag="Public page",
    ),
    *(
        Operation("GET", path, summary, handler, ALWAYS_OPEN, media_types=("text/html",), tag="About")
        for path, summary, handler in (
            ("/imprint", "Show who runs this service", SitePageHandlers.imprint),
            ("/privacy", "Show what becomes of personal data", SitePageHandlers.privacy),
        )
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
