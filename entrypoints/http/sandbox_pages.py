"""The routes of the Stripe sandbox: its API, the page where a donation is paid, and the page of its operator."""

import re
from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import partial
from typing import Any, TypeVar
from urllib.parse import parse_qsl, quote

import anyio
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from adapters.languages import DEFAULT_LANGUAGE, text_direction
from adapters.localisation import format_money, supported_language
from adapters.stripe_sandbox import DisputeOutcome, Outcome, Payer, RefundOutcome, Sandbox, StripeRefusal
from adapters.templates import Templates
from domain.errors import InvalidError
from domain.values import Money
from entrypoints.http.amounts import read_amount
from entrypoints.http.countries import COUNTRIES, countries
from entrypoints.http.middleware.problems import IS_FOR_BROWSERS
from entrypoints.http.middleware.request_body import read_bounded
from entrypoints.http.pages import PAGES_FOLDER, STATIC, reader_language

STYLES = (STATIC / "app.css", STATIC / "sandbox.css")
MAX_BODY_BYTES = 64 * 1024
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

# The sandbox has threads of its own, because handlers that call it over HTTP may hold all threads of their pool while
# they wait for it.
THREADS = 16

_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(?:\.[^@\s.]+)+")
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\-]+(?::[0-9]+)?(?=[/?#]|$)")
_ID = re.compile(r"[A-Za-z0-9_]{1,255}")

Result = TypeVar("Result")
Choice = TypeVar("Choice", bound=StrEnum)
Form = dict[str, str]
CheckoutSession = dict[str, Any]


def sandbox_routes(sandbox: Sandbox) -> list[BaseRoute]:
    """Return the routes under `/sandbox`; only the API needs a credential."""
    pages = _Pages(sandbox)
    return [
        Route("/sandbox", pages.operator, methods=["GET"]),
        Route("/sandbox/delivery-faults", pages.set_delivery_faults, methods=["POST"]),
        Route("/sandbox/acts/{act}/{id}", pages.act, methods=["POST"]),
        Route("/sandbox/pay/{id}", _PayPage(pages).handle, methods=["GET", "POST"]),
        Route("/sandbox/sandbox.css", _style, methods=["GET"]),
        # Stripe answers a wrong method like a wrong path, so this route accepts every method.
        Route("/sandbox/stripe/{path:path}", pages.api, methods=METHODS),
    ]


class _Pages:
    """The handlers, and the sandbox, threads and templates that they share."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self._limiter = anyio.CapacityLimiter(THREADS)
        self._templates = Templates(
            PAGES_FOLDER / "sandbox",
            filters={"money": _money},
            variables={"countries": countries},
        )

    async def in_thread(self, work: Callable[..., Result], *args: Any) -> Result:
        return await anyio.to_thread.run_sync(work, *args, limiter=self._limiter)

    def page(
        self, request: Request, template: str, status: int = 200, form_target: str | None = None, **context: Any
    ) -> Response:
        """Return a page in the reader's language.

        It loads only our style sheet, and its forms may lead only to us and to `form_target`.
        """
        origin = _ORIGIN.match(form_target or "")
        language = reader_language(request.headers, request.query_params.get("lang"))
        language = self._templates.language_of(template, language)
        return HTMLResponse(
            self._templates.render(template, language=language, direction=text_direction(language), **context),
            status,
            {
                "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none';"
                f" frame-ancestors 'none'; form-action 'self' {origin[0] if origin else ''}",
                "Cache-Control": "no-store",
                "Referrer-Policy": "no-referrer",
                "X-Content-Type-Options": "nosniff",
                "X-Robots-Tag": "noindex",
            },
        )

    async def api(self, request: Request) -> Response:
        answer = await self.in_thread(
            self.sandbox.answer,
            request.method,
            f"/{request.path_params['path']}",
            request.url.query,
            await _body(request),
            dict(request.headers),
        )
        return JSONResponse(answer.body, answer.status, answer.headers)

    async def operator(self, request: Request) -> Response:
        overview = await self.in_thread(self.sandbox.overview)
        return self.page(request, "operator.html", refusal=request.query_params.get("refusal", "")[:300], **overview)

    async def set_delivery_faults(self, request: Request) -> Response:
        form = await _form_fields(request)
        text = form.get("repeats", "0")
        repeats = int(text) if text.isdecimal() and len(text) < 10 else -1
        return await self._redirect_back("", partial(self.sandbox.set_delivery_faults, repeats, "shuffled" in form))

    async def act(self, request: Request) -> Response:
        id, form = request.path_params["id"], await _form_fields(request)
        act = self._acts().get(request.path_params["act"])
        if act is None or not _ID.fullmatch(id):
            return self.page(request, "message.html", 404, reason="no_act", link=None)
        return await self._redirect_back(id, partial(act, id, form))

    async def _redirect_back(self, id: str, work: Callable[[], object]) -> Response:
        """Do the work and return to the operator's page, which shows the reason if the sandbox refused it."""
        try:
            await self.in_thread(work)
        except StripeRefusal as refusal:
            return RedirectResponse(f"/sandbox?refusal={quote(str(refusal)[:300])}", 303)
        return RedirectResponse("/sandbox" + (f"#{quote(id)}" if id.startswith("cs_") else ""), 303)

    def _acts(self) -> dict[str, Callable[[str, Form], object]]:
        sandbox = self.sandbox
        return {
            "refund": lambda id, form: sandbox.refund(
                id, self._amount(id, form), _chosen(RefundOutcome, form.get("outcome")) or RefundOutcome.SUCCEEDED
            ),
            "refund-arrives": lambda id, _: sandbox.finish_refund(id, True),
            "refund-fails": lambda id, _: sandbox.finish_refund(id, False),
            "dispute": lambda id, form: sandbox.dispute(id, self._amount(id, form)),
            "inquiry": lambda id, form: sandbox.dispute(id, self._amount(id, form), inquiry=True),
            "escalate": lambda id, _: sandbox.escalate(id),
            "win": lambda id, _: sandbox.close_dispute(id, DisputeOutcome.WON),
            "lose": lambda id, _: sandbox.close_dispute(id, DisputeOutcome.LOST),
            "close-inquiry": lambda id, _: sandbox.close_dispute(id, DisputeOutcome.WARNING_CLOSED),
            "succeed": lambda id, _: sandbox.settle(id, True),
            "fail": lambda id, _: sandbox.settle(id, False),
            "expire": lambda id, _: sandbox.expire(id),
            "deliver-again": lambda id, form: sandbox.deliver_again(id, "shuffled" in form),
        }

    def _amount(self, session_id: str, form: Form) -> int | None:
        text = form.get("amount", "").strip()
        if not text:
            return None
        session = self.sandbox.session(session_id)
        if session is None:
            raise StripeRefusal("There is no such session.")
        try:
            return read_amount(text, session["currency"].upper(), DEFAULT_LANGUAGE).minor
        except InvalidError as error:
            raise StripeRefusal(f"The amount {error.detail}.") from None


class _PayPage:
    """The page where one donation is paid: GET shows the page, POST attempts the payment."""

    def __init__(self, pages: _Pages) -> None:
        self._pages = pages

    async def handle(self, request: Request) -> Response:
        session = await self._session(request)
        if session is None:
            return self._message_page(request, 404, "unknown", None)
        if request.method != "POST":
            return self._show(request, session)
        if session["status"] == "complete":
            return RedirectResponse(_success_url(session), 303)
        if not self._is_open(session):
            return self._show(request, session)
        values = await _form_fields(request)
        payer, outcome, faults = _read_attempt(values)
        if payer is None or outcome is None:
            return self._pay_form(request, session, values, faults, 422)
        try:
            paid = await self._pages.in_thread(self._pages.sandbox.pay, session["id"], outcome, payer)
        except StripeRefusal:
            # The session has changed since it was read, for example by another attempt, so its new state is shown.
            return self._show(request, await self._session(request) or session)
        if outcome is Outcome.DECLINED:
            return self._pay_form(request, session, values, (), 402, declined=True)
        return RedirectResponse(_success_url(paid), 303)

    async def _session(self, request: Request) -> CheckoutSession | None:
        id = request.path_params["id"]
        return await self._pages.in_thread(self._pages.sandbox.session, id) if _ID.fullmatch(id) else None

    def _is_open(self, session: CheckoutSession) -> bool:
        return bool(session["status"] == "open" and session["expires_at"] > self._pages.sandbox.clock())

    def _show(self, request: Request, session: CheckoutSession) -> Response:
        if self._is_open(session):
            return self._pay_form(request, session, {"email": session["customer_email"] or ""}, ())
        if session["status"] == "complete":
            return self._message_page(request, 200, "paid", _success_url(session))
        return self._message_page(request, 410, "expired", session["cancel_url"])

    def _message_page(self, request: Request, status: int, reason: str, link: str | None) -> Response:
        return self._pages.page(request, "message.html", status, reason=reason, link=link)

    def _pay_form(
        self,
        request: Request,
        session: CheckoutSession,
        values: Form,
        faults: Sequence[str],
        status: int = 200,
        declined: bool = False,
    ) -> Response:
        return self._pages.page(
            request,
            "pay.html",
            status,
            form_target=session["success_url"],
            session=session,
            values=values,
            faults=faults,
            declined=declined,
        )


async def _style(_: Request) -> Response:
    content = b"\n".join(style.read_bytes() for style in STYLES)
    return Response(content, media_type="text/css", headers={"X-Content-Type-Options": "nosniff"})


async def _body(request: Request) -> bytes:
    return await read_bounded(request.stream(), MAX_BODY_BYTES)


async def _form_fields(request: Request) -> Form:
    """Return the last value of each field, or no field if the form cannot be read."""
    # Only people fill in forms, so a refusal is a page, too.
    request.scope.setdefault("state", {})[IS_FOR_BROWSERS] = True
    body = await _body(request)
    try:
        return dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=50, errors="strict"))
    except ValueError:
        return {}


def _read_attempt(values: Form) -> tuple[Payer | None, Outcome | None, list[str]]:
    """Return the payer and the chosen outcome, and the names of the invalid fields."""
    faults: list[str] = []
    name, email, country = (values.get(field, "").strip() for field in ("name", "email", "country"))
    outcome = _chosen(Outcome, values.get("outcome"))
    if len(name) > 150 or not name.isprintable():
        faults.append("name")
    if len(email) > 254 or not email.isprintable() or not _EMAIL.fullmatch(email):
        faults.append("email")
    if country not in COUNTRIES:
        faults.append("country")
    if outcome is None:
        faults.append("outcome")
    return (None if faults else Payer(name or None, email, country)), outcome, faults


def _chosen(choices: type[Choice], value: str | None) -> Choice | None:
    return choices(value) if value in list(choices) else None


def _success_url(session: CheckoutSession) -> str:
    return str(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", session["id"])


def _money(minor: int, currency: str, language: str = DEFAULT_LANGUAGE) -> str:
    money = Money(minor, currency.upper())
    if supported_language(language) != DEFAULT_LANGUAGE:
        return format_money(money, supported_language(language))
    return f"{money.major:,} {money.currency}"
