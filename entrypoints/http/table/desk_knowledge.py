"""The page of the knowledge base, for the keys of the installation."""

from dataclasses import replace

from entrypoints.http.handlers.desk_knowledge import DeskKnowledgeHandlers
from entrypoints.http.operations import BodyKind, Operation
from entrypoints.http.table.access import ADMINISTER, CURSOR, SEARCH_TEXT
from entrypoints.http.table.pages import AGAIN, GONE, desk_button, desk_form, desk_page

PAGE = "/desk/knowledge"

OPERATIONS: tuple[Operation, ...] = (
    desk_page(
        PAGE, "Show the texts of the knowledge base, or search them", DeskKnowledgeHandlers.show, ADMINISTER,
        query=(replace(SEARCH_TEXT, required=False), CURSOR), other_responses=AGAIN,
    ),
    desk_form(
        PAGE, "Add a text to the knowledge base by the page", DeskKnowledgeHandlers.add, ADMINISTER,
        body_kind=BodyKind.LONG_FORM, other_responses=AGAIN,
    ),
    desk_button(
        f"{PAGE}/{{source_id}}/remove", "Remove a text from the knowledge base by the page",
        DeskKnowledgeHandlers.remove, ADMINISTER, other_responses=GONE,
    ),
)  # fmt: skip
