"""Commands about tickets and donations."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from adapters.access_log import object_named
from entrypoints.bootstrap import Service
from entrypoints.cli.console import Found, Usage, print_json, say, table
from entrypoints.cli.record import OPERATOR, on_record
from entrypoints.cli.setting_up import as_moment, as_position, as_uuid, service
from entrypoints.http import exports, histories
from entrypoints.http.views import Views, time


def history(ticket: str, at: str | None, json: bool) -> None:
    id = as_uuid(ticket, "TICKET")
    with service() as built:
        view = Views(built.seals)
        if at is not None:
            position = as_position(built, at)
            state = histories.state(view, list(built.recorded(id, position)), position)
            _print_state(state, json)
            return
        events = [histories.event_view(view, entry) for entry in built.log.ticket_events(id)]
    if not events:
        raise Found("there is no such ticket")
    if json:
        print_json({"events": events, "nextCursor": None})
        return
    columns = ("position", "recordedAt", "type", "actor", "data")
    table(f"History of {id}", columns, [[e[c] if c != "data" else _short(e[c]) for c in columns] for e in events])


def _short(data: dict[str, Any]) -> str:
    text = ", ".join(f"{name}={value}" for name, value in data.items())
    return text if len(text) <= 160 else text[:159] + "…"


def _print_state(state: dict[str, Any], json: bool) -> None:
    if json:
        print_json(state)
        return
    fields = [(name, value) for name, value in state["ticket"].items() if name != "donationDraft"]
    table(f"The ticket at position {state['at']}", ("field", "value"), fields)
    table("Its draft", ("field", "value"), list((state["ticket"]["donationDraft"] or {}).items()))
    columns = ("id", "amount", "currency", "status", "donor", "paidAt", "amountRefunded")
    table("Its donations", columns, [[d[c] for c in columns] for d in state["donations"]])
    totals = state["totals"]
    say(f"Total {totals['total']} {totals['currency']}")


def erase(ticket: str, json: bool) -> None:
    id = as_uuid(ticket, "TICKET")
    with service() as built, on_record(built.access_log, "erase", str(id)):
        built.commands.erase(OPERATOR, id)
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
        table("Dead letters", ("id", "type", "attempts", "error", "receivedAt"), [list(one.values()) for one in told])


def letters_retry(ids: list[str] | None, json: bool) -> None:
    with service() as built:
        with on_record(built.access_log, "dead-letters retry", object_named(ids or [])):
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
    start, end = as_moment(since, "--from"), as_moment(until, "--to")
    if end is not None and until is not None and len(until) == len("2026-05-01"):
        end += timedelta(days=1)
    id = as_uuid(ticket, "--ticket") if ticket else None
    with service() as built:
        for chunk in _exported(built, id, start, end, format):
            sys.stdout.buffer.write(chunk)


def _exported(
    built: Service, ticket: UUID | None, start: datetime | None, end: datetime | None, format: str
) -> Iterator[bytes]:
    if format == "journal":
        return exports.as_journal(built.journal(ticket, start, end), built.settlements(ticket, start, end))
    view = Views(built.seals)
    lines = (exports.line(view, row, settled) for row, settled in built.exported(ticket, None, start, end))
    return exports.as_csv(lines) if format == "csv" else exports.as_json(lines)
