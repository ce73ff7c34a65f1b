"""Handlers for what the service says about itself: its API description, its pages and their files."""

from collections.abc import Callable
from dataclasses import dataclass

from domain.errors import NotFoundError
from entrypoints.http import pages, reference
from entrypoints.http.openapi import Schema
from entrypoints.http.operations import Answer, Call
from entrypoints.http.problems import PROBLEM_TYPES
from entrypoints.presentation.problems import ProblemType

STATIC = pages.FOLDER / "static"
STATIC_TYPES = {
    "campaign.css": "text/css; charset=utf-8",
    "reference.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
PAGE_CSP = pages.CSP.format(form="'none'")


@dataclass(frozen=True)
class AboutHandlers:
    openapi_document: Callable[[], Schema]
    sandbox: bool

    def problem(self, call: Call) -> ProblemType:
        problem_type = PROBLEM_TYPES.get(call.path["name"])
        if problem_type is None:
            raise NotFoundError("There is no such problem.")
        return problem_type

    def openapi(self, _: Call) -> Schema:
        return self.openapi_document()

    def home(self, _: Call) -> Answer[bytes]:
        page = pages.PAGES.render("home.html", sandbox=self.sandbox)
        return Answer(page.encode(), 200, {"Content-Security-Policy": PAGE_CSP}, pages.HTML)

    def reference(self, _: Call) -> Answer[bytes]:
        page = reference.page(self.openapi_document())
        return Answer(page, 200, {"Content-Security-Policy": PAGE_CSP}, pages.HTML)

    def static_file(self, call: Call) -> Answer[bytes]:
        """Return a file that our pages load; browsers ask for `/favicon.ico` whatever a page says."""
        name = call.path.get("name", "icon.svg")
        if name not in STATIC_TYPES:
            raise NotFoundError("There is no such file.")
        return Answer((STATIC / name).read_bytes(), 200, {"Cache-Control": "max-age=3600"}, STATIC_TYPES[name])
