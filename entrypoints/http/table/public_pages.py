"""The pages that strangers open."""

from functools import partial

from entrypoints.http.handlers.campaign_files import CampaignFileHandlers
from entrypoints.http.handlers.campaign_page import CampaignPageHandlers
from entrypoints.http.handlers.page_reports import PageReport, PageReportHandlers
from entrypoints.http.handlers.site_pages import SitePageHandlers
from entrypoints.http.operations import BodyKind, Operation, Parameter, RateLimit
from entrypoints.http.table import pages
from entrypoints.http.table.access import (
    ALWAYS_OPEN,
    DONATE,
    HOLDER_PAGE,
    NOT_FOUND,
    OPEN,
    REPORT,
)
from entrypoints.http.table.pages import UNAVAILABLE, as_pages

LANGUAGE = Parameter("lang", "The language of the texts.")
SESSION = Parameter("session_id", "The checkout session of the donor's own gift.")
page = partial(pages.page, tag="Public page")
form = partial(pages.form, tag="Public page")

OPERATIONS: tuple[Operation, ...] = (
    page(
        "/d/{slug}", "Show the public page of a campaign", CampaignPageHandlers.show, OPEN, rate_limit=RateLimit.PAGE,
        other_responses=UNAVAILABLE, id="showCampaign",
    ),
    form(
        "/d/{slug}", "Open a checkout and redirect to it", CampaignPageHandlers.donate, DONATE, idempotency_key=True,
        rate_limit=RateLimit.GIFT, other_responses=as_pages(422, 404, 410), id="giveToCampaign",
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
    pages.page("/imprint", "Show who runs this service", SitePageHandlers.imprint, ALWAYS_OPEN, tag="About"),
    pages.page("/privacy", "Show what becomes of personal data", SitePageHandlers.privacy, ALWAYS_OPEN, tag="About"),
    page(
        "/d/{slug}/report", "Show the form that reports a campaign page", PageReportHandlers.show, OPEN,
        rate_limit=RateLimit.PAGE, other_responses=UNAVAILABLE,
    ),
    Operation(
        "POST", "/d/{slug}/report", "Report a campaign page, which opens a support ticket", PageReportHandlers.report,
        REPORT, BodyKind.JSON_OR_FORM, PageReport, 201, idempotency_key=True, rate_limit=RateLimit.REPORT,
        other_responses=as_pages(303, 404, 410, 422), tag="Public page",
    ),
)  # fmt: skip
