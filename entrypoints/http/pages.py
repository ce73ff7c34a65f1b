"""What all HTML pages share: templates, the content security policy, and the page for an unknown address."""

from pathlib import Path

from adapters.mail.templates import Templates
from domain.errors import NotFoundError
from entrypoints.http.negotiation import preferred
from entrypoints.http.operations import Answer, Call
from entrypoints.http.problems import MEDIA_TYPE

FOLDER = Path(__file__).parent.parent / "pages"
PAGES = Templates(FOLDER)
CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action {form}; frame-ancestors 'none'"
)
HTML = "text/html; charset=utf-8"


def not_found_page(call: Call, detail: str) -> Answer[bytes]:
    """Return a page that says so to browsers; raise NotFoundError for clients that do not prefer HTML."""
    if preferred(call.headers.get("accept"), (MEDIA_TYPE, "text/html")) == MEDIA_TYPE:
        raise NotFoundError(detail)
    page = PAGES.render("absent.html", thanks="thanks" in call.query)
    headers = {"Content-Security-Policy": CSP.format(form="'none'"), "Vary": "Accept"}
    return Answer(page.encode(), 404, headers, HTML)
