"""HTML pages: their templates and headers, and the pages for an unknown address and for a suspended page."""

from collections.abc import Mapping
from pathlib import Path

from starlette.responses import Response

from adapters.mail.templates import Templates
from domain.errors import NotFoundError
from entrypoints.http.negotiation import preferred
from entrypoints.http.operations import Answer, Call
from entrypoints.http.problems import PROBLEM_MEDIA_TYPE, Problem

PAGES_FOLDER = Path(__file__).parent.parent / "pages"
PAGES = Templates(PAGES_FOLDER)
HTML_MEDIA_TYPE = "text/html; charset=utf-8"


def html_page(
    content: str, status: int = 200, *, form_action: str = "'none'", headers: dict[str, str] | None = None
) -> Answer[bytes]:
    """Return a page that loads only our own files, and whose forms lead only to `form_action`."""
    all_headers = {"Content-Security-Policy": _policy(form_action), **(headers or {})}
    return Answer(content.encode(), status, all_headers, HTML_MEDIA_TYPE)


def _policy(form_action: str) -> str:
    return (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none';"
        f" form-action {form_action}; frame-ancestors 'none'"
    )


def not_found_page(call: Call, detail: str, template: str = "not_found.html") -> Answer[bytes]:
    """Return the page for an unknown address, or raise NotFoundError if the client does not prefer HTML."""
    if not prefers_page(call.headers):
        raise NotFoundError(detail)
    return html_page(PAGES.render(template, thanks="thanks" in call.query), 404, headers={"Vary": "Accept"})


def gone_page(call: Call) -> Answer[bytes]:
    """Return the page for a suspended one, or raise Problem 410 if the client does not prefer HTML."""
    if not prefers_page(call.headers):
        raise Problem("gone", "This page is not available at the moment.")
    return html_page(PAGES.render("gone.html", thanks="thanks" in call.query), 410, headers={"Vary": "Accept"})


def prefers_page(request_headers: Mapping[str, str]) -> bool:
    """Return True if the client prefers HTML to JSON, as browsers do."""
    return preferred(request_headers.get("accept"), (PROBLEM_MEDIA_TYPE, "text/html")) == "text/html"


def problem_page(problem: Problem, request_id: str) -> Response:
    """Return the page that explains a problem to a person."""
    content = PAGES.render("problem.html", problem=problem, request_id=request_id)
    headers = {"Content-Security-Policy": _policy("'none'"), "Vary": "Accept", **problem.headers}
    return Response(content, problem.status, headers, HTML_MEDIA_TYPE)
