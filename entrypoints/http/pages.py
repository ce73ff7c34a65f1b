"""HTML pages: their templates, languages and headers, and the pages for errors."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from adapters.languages import (
    DEFAULT_LANGUAGE,
    LANGUAGES,
    Language,
    accepted_language,
    offered_language,
    text_direction,
)
from adapters.localisation import format_date, format_moment, format_money, supported_language
from adapters.templates import Templates
from domain.errors import NotFoundError
from domain.values import Money, Role
from entrypoints.http.amounts import format_amount
from entrypoints.http.cookies import LANGUAGE_COOKIE, language_cookie, read_cookie
from entrypoints.http.negotiation import preferred
from entrypoints.http.operations import Answer, Call
from entrypoints.http.problems import PROBLEM_MEDIA_TYPE, Problem
from projections.model import Row
from projections.workspaces import workspace_settings

PAGES_FOLDER = Path(__file__).parent.parent / "pages"
STATIC = PAGES_FOLDER / "static"
STATIC_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".txt": "text/plain; charset=utf-8",
    ".mp3": "audio/mpeg",
}
HTML_MEDIA_TYPE = "text/html; charset=utf-8"
MICROPHONE = {"Permissions-Policy": "camera=(), geolocation=(), microphone=(self), payment=()"}


@cache
def static_files() -> Mapping[str, Path]:
    """Return the files that pages load, by their names."""
    return {path.name: path for path in STATIC.iterdir() if path.suffix in STATIC_TYPES}


@cache
def static_url(name: str) -> str:
    """Return the path of a file that pages load; another content has another path, so browsers keep it for long."""
    return f"/static/{name}?v={hashlib.sha256(static_files()[name].read_bytes()).hexdigest()[:12]}"


PAGES = Templates(PAGES_FOLDER, variables={"static": static_url})


def reader_language(
    headers: Mapping[str, str],
    chosen: str | None = None,
    story_language: str | None = None,
    workspace_language: Callable[[], str | None] = lambda: None,
) -> str:
    """Return the language of the page: what the reader chose, or the story's, or what the browser asks for.

    A story in a language that is not ours keeps its page in that language's direction and notation. Without any of
    these, the language is that of the workspace.
    """
    return (
        offered_language(chosen)
        or offered_language(read_cookie(headers, LANGUAGE_COOKIE))
        or story_language
        or accepted_language(headers.get("accept-language"))
        or offered_language(workspace_language())
        or DEFAULT_LANGUAGE
    )


def caller_language(
    call: Call, story_language: str | None = None, *, chosen: str | None = None, workspace: str | None = None
) -> str:
    """Return the language of a page for the caller.

    The workspace is that of the path's ticket or of the caller, if none is named.
    """

    def workspace_language() -> str | None:
        ticket: Row | None = getattr(call, "ticket", None)
        name = workspace or (ticket["workspace"] if ticket else call.principal.workspace)
        return None if name is None else call.reads.ask(lambda cursor: workspace_settings(cursor, name)).language

    return reader_language(call.headers, chosen or call.query.get("lang"), story_language, workspace_language)


def story_language(row: Row) -> str | None:
    """Return the language that the story was told in."""
    return (row["analysis"] or {}).get("language")


def page_language(call: Call, story_language: str | None = None) -> str:
    """Return the supported language in which a page is shown to the caller."""
    language = caller_language(call, story_language)
    return language if language in LANGUAGES else DEFAULT_LANGUAGE


@dataclass(frozen=True)
class Choice:
    """A language that the reader of a page may switch to, and the link to the same page in it."""

    language: Language
    url: str
    chosen: bool


@dataclass(frozen=True)
class Operator:
    """Who runs this service, as far as the settings say."""

    name: str | None = None
    address: str | None = None
    contact: str | None = None


@dataclass(frozen=True)
class Site:
    """The values that all pages of this service have in common."""

    public_url: str
    sandbox: bool
    operator: Operator = Operator()

    @property
    def https(self) -> bool:
        return self.public_url.startswith("https:")

    def page(
        self,
        call: Call,
        template: str,
        status: int = 200,
        *,
        story_language: str | None = None,
        form_action: str = "'self'",
        headers: Mapping[str, str] | None = None,
        **values: object,
    ) -> Answer[bytes]:
        """Return a page in the reader's language, whose forms lead only to `form_action`.

        The template also gets the values that `render` adds; `done`, the query parameter that names the action that was
        just completed; and `ticket_id`, if the path names a ticket.
        """
        language = caller_language(call, story_language)
        kept = language_cookie(language, https=self.https) if offered_language(call.query.get("lang")) else {}
        content = render(
            template,
            language,
            sandbox=self.sandbox,
            signed_in=call.principal.role is not Role.VISITOR,
            desk_path=_desk_path(call),
            acts_for_person=_acts_for_person(call),
            query=call.query,
            **{"done": call.query.get("done"), **_ticket_id(call), **values},
        )
        return html_page(content, status, form_action=form_action, headers={**kept, **(headers or {})})

    def not_found(self, call: Call, detail: str, template: str = "not_found.html") -> Answer[bytes]:
        """Return the page for an unknown address, or raise NotFoundError if the client does not prefer HTML."""
        if not prefers_page(call.headers):
            raise NotFoundError(detail)
        return self.page(call, template, 404, thanks="thanks" in call.query, headers={"Vary": "Accept"})

    def gone(self, call: Call) -> Answer[bytes]:
        """Return the page for a suspended one, or raise Problem 410 if the client does not prefer HTML."""
        if not prefers_page(call.headers):
            raise Problem("gone", "This page is not available at the moment.")
        return self.page(call, "gone.html", 410, thanks="thanks" in call.query, headers={"Vary": "Accept"})


def _ticket_id(call: Call) -> dict[str, object]:
    ticket: Row | None = getattr(call, "ticket", None)
    return {"ticket_id": ticket["ticket_id"]} if ticket else {}


def _acts_for_person(call: Call) -> bool:
    """Return True if a member of the staff uses the page of a person in need."""
    return call.principal.role is Role.MEMBER and call.url_path.startswith(("/t/", "/tell"))


def _desk_path(call: Call) -> str | None:
    """Return where a member of the staff goes on with the work, or None for others."""
    if call.principal.role is not Role.MEMBER:
        return None
    ticket_id = call.path_params.get("ticket_id") if _acts_for_person(call) else None
    return f"/desk/tickets/{ticket_id}" if ticket_id else "/desk"


def see_other(path: str, headers: Mapping[str, str] | None = None) -> Answer[None]:
    """Return the answer to a form that was accepted: the browser shows another page of ours."""
    return Answer(None, 303, {"Location": path, **(headers or {})})


def render(
    template: str,
    language: str,
    *,
    sandbox: bool = False,
    signed_in: bool = False,
    desk_path: str | None = None,
    acts_for_person: bool = False,
    query: Mapping[str, str] | None = None,
    **values: object,
) -> str:
    """Return the HTML of a page with its frame: head, languages to choose from, navigation and footer.

    The template also gets the functions `day`, `moment`, `money` and `amount`, which format dates, times and amounts of
    money in the page's language.
    """
    shown = PAGES.language_of(template, language)
    notation = supported_language(shown)
    formats = {
        "day": partial(format_date, language=notation),
        "moment": partial(format_moment, language=notation),
        "money": lambda minor, currency: format_money(Money(minor, currency), notation),
        "amount": lambda minor, currency: format_amount(Money(minor, currency), shown),
    }
    return PAGES.render(
        template,
        language=shown,
        direction=text_direction(shown),
        choices=list(_choices(template, shown, query or {})),
        sandbox=sandbox,
        signed_in=signed_in,
        desk_path=desk_path,
        acts_for_person=acts_for_person,
        **(formats | values),
    )


def _choices(template: str, language: str, query: Mapping[str, str]) -> Iterator[Choice]:
    complete = PAGES.languages_of(template)
    others = {name: value for name, value in query.items() if name != "lang"}
    for code, offered in LANGUAGES.items():
        if code not in complete:
            continue
        yield Choice(offered, f"?{urlencode({**others, 'lang': code})}", code == language)


def html_page(
    content: str, status: int = 200, *, form_action: str = "'none'", headers: Mapping[str, str] | None = None
) -> Answer[bytes]:
    """Return a page that loads only our own files, and whose forms lead only to `form_action`."""
    all_headers = {"Content-Security-Policy": _policy(form_action), **(headers or {})}
    return Answer(content.encode(), status, all_headers, HTML_MEDIA_TYPE)


def _policy(form_action: str) -> str:
    # A recording that was just made, or a picture that was just chosen, is shown before it is sent: `blob:`.
    return (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' blob:;"
        f" media-src 'self' blob:; base-uri 'none'; form-action {form_action}; frame-ancestors 'none'"
    )


def prefers_page(request_headers: Mapping[str, str]) -> bool:
    """Return True if the client prefers HTML to JSON, as browsers do."""
    return preferred(request_headers.get("accept"), (PROBLEM_MEDIA_TYPE, "text/html")) == "text/html"


def problem_page(problem: Problem, request_id: str, method: str, path: str, headers: Mapping[str, str]) -> Response:
    """Return the page that explains a problem to a person; without a credential, the page where one signs in."""
    if problem.status == 401 and method in ("GET", "HEAD"):
        # The timeline is also read by auditors, who sign in with a key.
        entrances = {"/audit/": "/audit", "/desk": "/desk/sign-in"}
        entrance = next((page for start, page in entrances.items() if path.startswith(start)), "/find")
        return RedirectResponse(f"{entrance}?{urlencode({'next': path})}", 303)
    at_desk = path == "/desk" or path.startswith("/desk/")
    content = render("problem.html", reader_language(headers), problem=problem, request_id=request_id, at_desk=at_desk)
    own_headers = {"Content-Security-Policy": _policy("'none'"), "Vary": "Accept", **problem.headers}
    return Response(content, problem.status, own_headers, HTML_MEDIA_TYPE)


def own_path(path: str | None, otherwise: str) -> str:
    """Return the path if it is one of our own site, so that no link to us leads a browser elsewhere."""
    with suppress(ValueError, AttributeError):
        if path and path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable():
            return path
    return otherwise
