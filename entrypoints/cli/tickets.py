"""The commands `history` and `erase`."""

from __future__ import annotations

from typing import Any

from domain.errors import NotFoundError
from entrypoints.cli.console import CommandFailed, minute, print_json, print_line, print_table
from entrypoints.cli.context import OPERATOR, as_position, as_uuid, logged_act, open_service
from entrypoints.http.handlers import history as history_handlers
from entrypoints.presentation.views import Views


def history(ticket: str, at: str | None, json: bool) -> None:
    id = as_uuid(ticket, "TICKET")
    with open_service() as service:
        view = Views(service.cipher)
        if at is not None:
            position = as_position(service, at, "--at")
            state = history_handlers.state(view, list(service.recorded(id, position)), position)
            _print_state(state, json)
            return
        events = [history_handlers.event_view(view, entry) for entry in service.log.ticket_events(id)]
    if not events:
        raise CommandFailed("the ticket does not exist")
    if json:
        print_json({"events": events, "nextCursor": None})
        return
    rows = [(e["position"], minute(e["recordedAt"]), e["type"], e["actor"], _summary(e["data"])) for e in events]
    print_table(f"History of {id}", ("position", "recorded (UTC)", "type", "actor", "data"), rows)


def _summary(data: dict[str, Any]) -> str:
    text = ", ".join(f"{name}={_text(value)}" for name, value in data.items())
    return text if len(text) <= 160 else text[:159] + "…"


def _text(value: Any) -> str:
    match value:
        case {"amount": amount, "amountMinor": int(), "currency": str(currency)}:
            return f"{amount} {currency}"
        case dict():
            return " ".join(map(_text, value.values()))
        case list():
            return ", ".join(map(_text, value))
        case _:
            return str(value)


def _print_state(state: dict[str, Any], json: bool) -> None:
    if json:
        print_json(state)
        return
    fields = [(name, value) for name, value in state["ticket"].items() if name != "donationDraft"]
    print_table(f"The ticket at position {state['at']}", ("field", "value"), fields)
    print_table("The draft", ("field", "value"), list((state["ticket"]["donationDraft"] or {}).items()))
    columns = ("id", "amount", "currency", "status", "refunded", "paid (UTC)")
    parts = ("id", "amount", "currency", "status", "amountRefunded")
    donations = [[*(d[part] for part in parts), minute(d["paidAt"])] for d in state["donations"]]
    print_table("The donations", columns, donations)
    totals = state["totals"]
    print_line(f"Total {totals['total']} {totals['currency']}")


def erase(ticket: str, json: bool) -> None:
    id = as_uuid(ticket, "TICKET")
    with open_service() as service, logged_act(service.access_log, "erase", str(id)):
        try:
            service.commands.tickets.erase(OPERATOR, id)
        except NotFoundError:
            raise CommandFailed("the ticket does not exist") from None
    if json:
        print_json({"ticketId": str(id), "status": "ERASED"})
    else:
        print_line(f"Ticket {id} is erased: its personal data can no longer be read.")
