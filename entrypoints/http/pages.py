"""HTML pages: their templates and headers, and the page for an unknown address."""

from pathlib import Path

from adapters.mail.templates import Templates
from domain.errors import NotFoundError
from entrypoints.http.negotiation import preferred
from entrypoints.http.operations import Answer, Call
from entrypoints.http.problems import PROBLEM_MEDIA_TYPE

PAGES_FOLDER = Path(__file__).parent.parent / "pages"
PAGES = Templates(PAGES_FOLDER)


def html_page(
    content: str, status: int = 200, *, form_action: str = "'none'", headers: dict[str, str] | None = None
) -> Answer[bytes]:
    """Return a page that loads only our own files, and whose forms lead only to `form_action`."""
    policy = (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none';"
        f" form-action {form_action}; frame-ancestors 'none'"
    )
    all_headers = {"Content-Security-Policy": policy, **(headers or {})}
    return Answer(content.encode(), status, all_headers, "text/html; charset=utf-8")


def not_found_page(call: Call, detail: str) -> Answer[bytes]:
    """Return the page for an unknown address, or raise NotFoundError if the client does not prefer HTML."""
    if preferred(call.headers.get("accept"), (PROBLEM_MEDIA_TYPE, "text/html")) == PROBLEM_MEDIA_TYPE:
        raise NotFoundError(detail)
    return html_page(PAGES.render("not_found.html", thanks="thanks" in call.query), 404, headers={"Vary": "Accept"})
