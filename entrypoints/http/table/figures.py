"""Operations on the figures of a workspace, the pages of its money, and the preview of a refund."""

from entrypoints.http.handlers.desk_gifts import DeskGiftHandlers
from entrypoints.http.handlers.figures import FORMATS, STEPS, FigureHandlers
from entrypoints.http.handlers.refund_preview import RefundPreviewHandlers
from entrypoints.http.operations import Operation, Parameter, choice_schema
from entrypoints.http.table.access import CURSOR, FIGURES, GIFTS, LIMIT, NOT_FOUND, REFUND_PREVIEW
from entrypoints.http.table.pages import as_pages, desk_page

PERIOD = (
    Parameter("from", "The first day; without it, figures begin eleven months before the month of the last day."),
    Parameter("to", "The last day; without it, today."),
    Parameter("by", "How the days are divided. Weeks begin on Monday.", choice_schema(STEPS)),
    Parameter("timezone", "The time zone of the days, such as `Europe/Berlin`.", {"type": "string", "default": "UTC"}),
    Parameter("workspace", "Only donations to tickets of this workspace."),
)
FORMAT = Parameter("format", "JSON, or CSV with one line for each period or campaign.", choice_schema(FORMATS))
JSON_OR_CSV = ("application/json", "text/csv")

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET", "/api/donations/{donation_id}/refund-preview", "Get what a refund would pay back and leave",
        RefundPreviewHandlers.preview, REFUND_PREVIEW, other_responses=NOT_FOUND, tag="Donations",
        query=(Parameter("amount", "The amount to refund, in the major unit; all that is left if none is given."),),
        id="previewRefund",
    ),
    desk_page(
        "/desk/gifts", "Show the donations that are searched for over all tickets", DeskGiftHandlers.show, GIFTS,
        query=(LIMIT, CURSOR), other_responses=as_pages(303, 404, 422),
    ),
    Operation(
        "GET", "/api/figures", "Get what was paid, refunded, disputed and kept as fees in each period and currency",
        FigureHandlers.report, FIGURES, media_types=JSON_OR_CSV, other_responses=NOT_FOUND, query=(*PERIOD, FORMAT),
        tag="Donations", id="getFigures",
    ),
    Operation(
        "GET", "/api/figures/campaigns", "Get the same figures of each campaign in the whole time",
        FigureHandlers.campaigns, FIGURES, media_types=JSON_OR_CSV, other_responses=NOT_FOUND,
        query=(*PERIOD, FORMAT, LIMIT, CURSOR), tag="Donations", id="getCampaignFigures",
    ),
    desk_page(
        "/desk/figures", "Show the figures of a time as charts and tables", FigureHandlers.show, FIGURES, query=PERIOD,
        other_responses=as_pages(303, 404, 422),
    ),
)  # fmt: skip
