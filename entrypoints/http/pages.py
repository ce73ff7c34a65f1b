"""Pages for people, who come by links and printed codes: what all of them share, and what is shown where none is."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, select_autoescape

from domain.errors import NotFoundError
from entrypoints.http.negotiation import preferred
from entrypoints.http.operations import Answer, Call
from entrypoints.http.problems import MEDIA_TYPE

PAGES = Path(__file__).parent.parent / "pages"
CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action {form}; frame-ancestors 'none'"
)
HTML = "text/html; charset=utf-8"

_templates = Environment(
    loader=FileSystemLoader(PAGES), autoescape=select_autoescape(), undefined=StrictUndefined, trim_blocks=True
)


def template(name: str) -> Template:
    """One of the folder's pages; whatever is filled in is text there, and what is forgotten an error."""
    return _templates.get_template(name)


def absent(call: Call, detail: str) -> Answer:
    """The page that says so to a browser, which asks for HTML; to all others the NotFoundError that it is."""
    if preferred(call.headers.get("accept"), (MEDIA_TYPE, "text/html")) == MEDIA_TYPE:
        raise NotFoundError(detail)
    page = template("absent.html").render(thanks="thanks" in call.query)
    headers = {"Content-Security-Policy": CSP.format(form="'none'"), "Vary": "Accept"}
    return Answer(page.encode(), 404, headers, HTML)
