"""The page of the knowledge base, for the keys of the installation."""

from dataclasses import replace

from entrypoints.http.handlers.desk_knowledge import DeskKnowledgeHandlers
from entrypoints.http.operations import BodyKind, Operation
from entrypoints.http.table.access import ADMINISTER, CURSOR, SEARCH_TEXT

HTML = ("text/html",)
AGAIN = {422: "text/html"}
PAGE = "/desk/knowledge"
TAG = "Desk"

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET", PAGE, "Show the texts of the knowledge base, or search them", DeskKnowledgeHandlers.show, ADMINISTER,
        media_types=HTML, query=(replace(SEARCH_TEXT, required=False), CURSOR), other_responses=AGAIN, tag=TAG,
    ),
    Operation(
        "POST", PAGE, "Add a text to the knowledge base by the page", DeskKnowledgeHandlers.add, ADMINISTER,
        BodyKind.LONG_FORM, None, 303, media_types=HTML, other_responses=AGAIN, tag=TAG,
    ),
    Operation(
        "POST", f"{PAGE}/{{source_id}}/remove", "Remove a text from the knowledge base by the page",
        DeskKnowledgeHandlers.remove, ADMINISTER, status=303, media_types=HTML, other_responses={404: "text/html"},
        tag=TAG,
    ),
)  # fmt: skip
