"""Operations on the figures of a workspace, and the page that shows them."""

from entrypoints.http.handlers.figures import FORMATS, STEPS, FigureHandlers
from entrypoints.http.operations import Operation, Parameter, choice_schema
from entrypoints.http.table.access import CURSOR, FIGURES, LIMIT, NOT_FOUND

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
        "GET", "/api/figures", "Get what was paid, refunded, disputed and kept as fees in each period and currency",
        FigureHandlers.report, FIGURES, media_types=JSON_OR_CSV, other_responses=NOT_FOUND, query=(*PERIOD, FORMAT),
        tag="Donations",
    ),
    Operation(
        "GET", "/api/figures/campaigns", "Get the same figures of each campaign in the whole time",
        FigureHandlers.campaigns, FIGURES, media_types=JSON_OR_CSV, other_responses=NOT_FOUND,
        query=(*PERIOD, FORMAT, LIMIT, CURSOR), tag="Donations",
    ),
    Operation(
        "GET", "/desk/figures", "Show the figures of a time as charts and tables", FigureHandlers.show, FIGURES,
        query=PERIOD, media_types=("text/html",), other_responses={**NOT_FOUND, 303: "text/html"}, tag="Desk",
    ),
)  # fmt: skip
