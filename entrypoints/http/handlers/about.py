"""Stripe's door, and what the service says about itself."""

from __future__ import annotations

from adapters.observability import counters, log_context, tracing
from adapters.payments.webhooks import InvalidWebhook
from entrypoints.http import pages, problems, reference
from entrypoints.http.operations import Answer, Call
from entrypoints.http.problems import Problem

STATIC = pages.FOLDER / "static"
STATIC_TYPES = {
    "campaign.css": "text/css; charset=utf-8",
    "reference.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
PAGE_CSP = pages.CSP.format(form="'none'")

_NEW, _REPEATED, _REFUSED = (counters.webhooks_received.labels(told) for told in ("new", "repeated", "refused"))


async def webhook(call: Call) -> Answer:
    """Answered once the event is durable, and never because of what it says."""
    try:
        event = call.service.webhook_verifier.verify(call.raw, call.headers.get("stripe-signature"))
    except InvalidWebhook:
        _REFUSED.inc()
        raise
    log_context.add(stripe_event=event.id)
    tracing.make_linkable(event.id)
    answer: dict[str, object] = {"received": True, "type": event.type}
    if await call.service.inbox.accept_async(event):
        _NEW.inc()
    else:
        answer["idempotent"] = True
        _REPEATED.inc()
    return Answer(answer)


def problem(call: Call) -> Answer:
    """What a problem's `type` means, for whoever follows the link."""
    kind = problems.KINDS.get(call.path["name"])
    if kind is None:
        raise Problem("not-found", "There is no such problem.")
    return Answer(
        {"type": f"/problems/{kind.name}", "status": kind.status, "title": kind.title, "description": kind.meaning}
    )


def openapi(call: Call) -> Answer:
    return Answer(call.service.openapi)


def home(call: Call) -> Answer:
    """Where mails and `serve` lead: what this is, and where to go on."""
    page = pages.PAGES.render("home.html", sandbox=call.service.settings.sandbox)
    return Answer(page.encode(), 200, {"Content-Security-Policy": PAGE_CSP}, pages.HTML)


def docs(call: Call) -> Answer:
    page = reference.page(call.service.openapi)
    return Answer(page, 200, {"Content-Security-Policy": PAGE_CSP}, pages.HTML)


def static(call: Call) -> Answer:
    """What our pages load; browsers ask for the icon by a name of their own, whatever a page says."""
    name = call.path.get("name", "icon.svg")
    if name not in STATIC_TYPES:
        raise Problem("not-found", "There is no such file.")
    return Answer((STATIC / name).read_bytes(), 200, {"Cache-Control": "max-age=3600"}, STATIC_TYPES[name])
