"""Handlers for problem types, the OpenAPI document, the API reference, the home page and the static files of pages."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from domain.errors import NotFoundError
from entrypoints.http.openapi import JsonObject
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import PAGES, PAGES_FOLDER, html_page, prefers_page
from entrypoints.http.problems import PROBLEM_TYPES
from entrypoints.presentation.problems import ProblemType, ProblemTypes

STATIC = PAGES_FOLDER / "static"
STATIC_TYPES = {
    "campaign.css": "text/css; charset=utf-8",
    "reference.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
}

Explanation = TypeVar("Explanation")


@dataclass(frozen=True)
class AboutHandlers:
    openapi_document: Callable[[], JsonObject]
    reference_page: Callable[[], str]
    sandbox: bool

    def problem(self, call: Call) -> Answer[ProblemType] | Answer[bytes]:
        problem_type = PROBLEM_TYPES.get(call.path_params["name"])
        if problem_type is None:
            raise NotFoundError("There is no such problem type.")
        return _explained(call, problem_type, [problem_type])

    def list_problems(self, call: Call) -> Answer[ProblemTypes] | Answer[bytes]:
        problem_types = list(PROBLEM_TYPES.values())
        return _explained(call, ProblemTypes(problem_types), problem_types)

    def openapi(self, _: Call) -> JsonObject:
        return self.openapi_document()

    def home(self, _: Call) -> Answer[bytes]:
        return html_page(PAGES.render("home.html", sandbox=self.sandbox))

    def reference(self, _: Call) -> Answer[bytes]:
        return html_page(self.reference_page())

    def static_file(self, call: Call) -> Answer[bytes]:
        """Return a file that our pages load; the path without a name is `/favicon.ico`."""
        name = call.path_params.get("name", "icon.svg")
        if name not in STATIC_TYPES:
            raise NotFoundError("There is no such file.")
        return Answer((STATIC / name).read_bytes(), 200, {"Cache-Control": "max-age=3600"}, STATIC_TYPES[name])


def _explained(
    call: Call, explanation: Explanation, problem_types: list[ProblemType]
) -> Answer[Explanation] | Answer[bytes]:
    """Return the explanation of the problem types as a page for browsers, and as JSON for programs."""
    headers = {"Vary": "Accept"}
    if prefers_page(call.headers):
        return html_page(PAGES.render("problem_types.html", problem_types=problem_types), headers=headers)
    return Answer(explanation, headers=headers)
