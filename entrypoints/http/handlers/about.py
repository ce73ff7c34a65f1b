"""Handlers for problem types, the OpenAPI document, the API reference, the home page and the static files of pages."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from domain.errors import NotFoundError
from entrypoints.http.openapi import JsonObject
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import STATIC_TYPES, Site, prefers_page, static_files
from entrypoints.http.problems import PROBLEM_TYPES
from entrypoints.http.reference import MAX_WORDS_CHARACTERS, Reference
from entrypoints.presentation.problems import ProblemType, ProblemTypes

CACHE_SECONDS = 365 * 24 * 60 * 60

Explanation = TypeVar("Explanation")


@dataclass(frozen=True)
class AboutHandlers:
    openapi_document: Callable[[], JsonObject]
    reference_of: Callable[[], Reference]
    site: Site

    def problem(self, call: Call) -> Answer[ProblemType] | Answer[bytes]:
        problem_type = PROBLEM_TYPES.get(call.path_params["name"])
        if problem_type is None:
            raise NotFoundError("There is no such problem type.")
        return self._explained(call, problem_type, [problem_type])

    def list_problems(self, call: Call) -> Answer[ProblemTypes] | Answer[bytes]:
        problem_types = list(PROBLEM_TYPES.values())
        return self._explained(call, ProblemTypes(problem_types), problem_types)

    def openapi(self, _: Call) -> JsonObject:
        return self.openapi_document()

    def home(self, call: Call) -> Answer[bytes]:
        return self.site.page(call, "home.html")

    def reference(self, call: Call) -> Answer[bytes]:
        """Return the list of operations, or of those that have the words of the search."""
        reference, words = self.reference_of(), call.query.get("words", "").strip()[:MAX_WORDS_CHARACTERS]
        areas = reference.areas(words)
        matching = sum(map(len, areas.values()))
        return self.site.page(call, "reference.html", reference=reference, areas=areas, words=words, matching=matching)

    def reference_operation(self, call: Call) -> Answer[bytes]:
        reference = self.reference_of()
        operation = reference.operation(call.path_params["name"])
        if operation is None:
            return self.site.not_found(call, "There is no such operation.")
        areas = reference.areas()
        return self.site.page(call, "reference_operation.html", reference=reference, areas=areas, operation=operation)

    def static_file(self, call: Call) -> Answer[bytes]:
        """Return a file that our pages load; the path without a name is `/favicon.ico`."""
        name = call.path_params.get("name", "icon.svg")
        path = static_files().get(name)
        if path is None:
            raise NotFoundError("There is no such file.")
        # A page names a file together with a digest of its content; without the digest it may be an older one.
        cache = f"max-age={CACHE_SECONDS}, immutable" if "v" in call.query else "max-age=3600"
        return Answer(path.read_bytes(), 200, {"Cache-Control": cache}, STATIC_TYPES[path.suffix])

    def _explained(
        self, call: Call, explanation: Explanation, problem_types: list[ProblemType]
    ) -> Answer[Explanation] | Answer[bytes]:
        """Return the explanation of the problem types as a page for browsers, and as JSON for programs."""
        headers = {"Vary": "Accept"}
        if prefers_page(call.headers):
            return self.site.page(call, "problem_types.html", problem_types=problem_types, headers=headers)
        return Answer(explanation, headers=headers)
