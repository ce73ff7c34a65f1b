"""Commands about tickets and donations."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from adapters.identity.access_log import logged_object
from domain.errors import NotFoundError
from entrypoints.cli.audit_record import OPERATOR, on_record
from entrypoints.cli.console import Found, Usage, minute, print_json, say, table
from entrypoints.cli.setup import as_moment, as_position, as_uuid, service
from entrypoints.composition.service import Service
from entrypoints.http.handlers import exports
from entrypoints.http.handlers import history as history_handlers
from entrypoints.presentation.views import Views, time


def history(ticket: str, at: str | None, json: bool) -> None:
    id = as_uuid(ticket, "TICKET")
    with service() as built:
        view = Views(built.cipher)
        if at is not None:
            position = as_position(built, at, "--at")
            state = history_handlers.state(view, list(built.recorded(id, position)), position)
            _print_state(state, json)
            return
        events = [history_handlers.event_view(view, entry) for entry in built.log.ticket_events(id)]
    if not events:
        raise Found("there is no such ticket")
    if json:
        print_json({"events": events, "nextCursor": None})
        return
    told = [(e["position"], minute(e["recordedAt"]), e["type"], e["actor"], _short(e["data"])) for e in events]
    table(f"History of {id}", ("position", "recorded (UTC)", "type", "actor", "data"), told)


def _short(data: dict[str, Any]) -> str:
    text = ", ".join(f"{name}={_told(value)}" for name, value in data.items())
    return text if len(text) <= 160 else text[:159] + "…"


def _told(value: Any) -> str:
    match value:
        case {"amount": shown, "amountMinor": int(), "currency": str(currency)}:
            return f"{shown} {currency}"
        case dict():
            return " ".join(map(_told, value.values()))
        case list():
            return ", ".join(map(_told, value))
        case _:
            return str(value)


def _print_state(state: dict[str, Any], json: bool) -> None:
    if json:
        print_json(state)
        return
    fields = [(name, value) for name, value in state["ticket"].items() if name != "donationDraft"]
    table(f"The ticket at position {state['at']}", ("field", "value"), fields)
    table("Its draft", ("field", "value"), list((state["ticket"]["donationDraft"] or {}).items()))
    columns = ("id", "amount", "currency", "status", "refunded", "paid (UTC)")
    parts = ("id", "amount", "currency", "status", "amountRefunded")
    donations = [[*(d[part] for part in parts), minute(d["paidAt"])] for d in state["donations"]]
    table("Its donations", columns, donations)
    totals = state["totals"]
    say(f"Total {totals['total']} {totals['currency']}")


def erase(ticket: str, json: bool) -> None:
    id = as_uuid(ticket, "TICKET")
    with service() as built, on_record(built.access_log, "erase", str(id)):
        try:
            built.commands.erase(OPERATOR, id)
        except NotFoundError:
            raise Found("there is no such ticket") from None
    if json:
        print_json({"ticketId": str(id), "status": "ERASED"})
    else:
        say(f"{id} is erased: nobody can be read there any more.")


def letters_list(json: bool) -> None:
    with service() as built:
        found = built.dead_letters.list()
    told = [
        {
            "id": one.id,
            "type": one.type,
            "attempts": one.attempts,
            "error": one.error,
            "receivedAt": time(one.received_at),
        }
        for one in found
    ]
    if json:
        print_json(told)
    else:
        columns = ("id", "type", "attempts", "error", "received (UTC)")
        table(
            "Dead letters",
            columns,
            [[one.id, one.type, one.attempts, one.error, minute(time(one.received_at))] for one in found],
        )


def letters_retry(ids: list[str] | None, json: bool) -> None:
    with service() as built:
        with on_record(built.access_log, "dead-letters retry", logged_object(ids or [])):
            count = built.dead_letters.retry(ids or None)
        built.applier.apply_all()
        built.fetcher.fetch_all()
        built.applier.apply_all()
        left = [one.id for one in built.dead_letters.list() if not ids or one.id in ids]
    if json:
        print_json({"retried": count, "left": left})
    else:
        say(f"{count} taken up again, {len(left)} of them still there.")
    if left or (ids and count < len(ids)):
        raise Found(f"could not be applied: {', '.join(left) or 'no such dead letter'}")


def export_donations(ticket: str | None, since: str | None, until: str | None, format: str) -> None:
    if format not in ("csv", "json", "journal"):
        raise Usage("--format must be csv, json or journal")
    start, end = as_moment(since, "--from"), as_moment(until, "--to", end_of_day=True)
    id = as_uuid(ticket, "--ticket") if ticket else None
    with service() as built:
        for chunk in _exported(built, id, start, end, format):
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()


def _exported(
    built: Service, ticket: UUID | None, start: datetime | None, end: datetime | None, format: str
) -> Iterator[bytes]:
    if format == "journal":
        return exports.as_journal(built.journal(ticket, start, end), built.settlements(ticket, start, end))
    view = Views(built.cipher)
    lines = (exports.line(view, row, settled) for row, settled in built.exported(ticket, None, start, end))
    return exports.as_csv(lines) if format == "csv" else exports.as_json(lines)
