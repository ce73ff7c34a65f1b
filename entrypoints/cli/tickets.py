"""The commands `history`, `erase`, `suspend` and `reinstate`."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from uuid import UUID

from msgspec import to_builtins

from domain.errors import NotFoundError
from domain.tickets import LONGEST_SUSPENSION_REASON
from entrypoints.cli.console import CommandFailed, UsageError, minute, print_json, print_line, print_table
from entrypoints.cli.context import OPERATOR, as_position, as_uuid, logged_act, open_service
from entrypoints.composition.service import Service
from entrypoints.presentation.history import EventPage, HistoryEvent, PastState
from entrypoints.presentation.personal_data import PersonalData
from entrypoints.presentation.responses import rfc3339
from entrypoints.presentation.tickets import ErasedTicket, SuspensionState


def history(ticket: str, at: str | None, details: bool, json: bool) -> None:
    id = as_uuid(ticket, "TICKET")
    with open_service() as service:
        personal = PersonalData(service.history.cipher)
        if at is not None:
            position = as_position(service, at, "--at")
            state = PastState.of(service.queries.reads().ticket_history(id, position), position, personal)
            _print_state(state, json)
            return
        events = [HistoryEvent.of(entry, personal, for_staff=True) for entry in service.history.log.ticket_events(id)]
    if not events:
        raise CommandFailed("the ticket does not exist")
    if json:
        print_json(EventPage(events, None))
        return
    columns = ["position", "recorded (UTC)", "type", "actor"]
    rows = [[e.position, minute(rfc3339(e.recorded_at)), e.type, e.actor] for e in events]
    if details:
        columns.append("data")
        rows = [[*row, _summary(event.data)] for row, event in zip(rows, events, strict=True)]
    print_table(f"History of {id}", columns, rows)


def _summary(data: dict[str, object]) -> str:
    return ", ".join(f"{name}={_text(value)}" for name, value in data.items())


def _text(value: object) -> str:
    match value:
        case {"amount": amount, "amountMinor": int(), "currency": str(currency)}:
            return f"{amount} {currency}"
        case dict():
            return " ".join(map(_text, value.values()))
        case list():
            return ", ".join(map(_text, value))
        case _:
            return str(value)


def _print_state(state: PastState, json: bool) -> None:
    if json:
        print_json(state)
        return
    ticket = to_builtins(state.ticket, builtin_types=(Decimal,))
    draft = ticket.pop("donationDraft") or {}
    print_table(f"The ticket at position {state.at}", ("field", "value"), list(ticket.items()))
    print_table("The draft", ("field", "value"), list(draft.items()))
    columns = ("id", "amount", "currency", "status", "refunded", "paid (UTC)")
    donations = [
        (d.id, d.amount, d.currency, d.status, d.amount_refunded, d.paid_at and minute(rfc3339(d.paid_at)))
        for d in state.donations
    ]
    print_table("The donations", columns, donations)
    print_line(f"Total {state.totals.total} {state.totals.currency}")


def _workspace(service: Service, id: UUID) -> str | None:
    """Return the workspace of the ticket, or None if there is no such ticket."""
    row = service.history.ticket_reader.newest_ticket(id, None)
    return None if row is None else row["workspace"]


def erase(ticket: str, json: bool) -> None:
    id = as_uuid(ticket, "TICKET")
    with open_service() as service, logged_act(service.access.log, "erase", str(id), _workspace(service, id)):
        try:
            service.commands.tickets.erase(OPERATOR, id)
        except NotFoundError:
            raise CommandFailed("the ticket does not exist") from None
    if json:
        print_json(ErasedTicket(id, "ERASED"))
    else:
        print_line(f"Ticket {id} is erased: its personal data can no longer be read.")


def suspend(ticket: str, reason: str, json: bool) -> None:
    if not reason.strip() or len(reason) > LONGEST_SUSPENSION_REASON:
        raise UsageError(f"--reason must have 1 to {LONGEST_SUSPENSION_REASON} characters")
    with _existing_ticket(ticket, "suspend") as (service, id):
        service.commands.tickets.suspend(OPERATOR, id, reason.strip())
    _print_suspension(SuspensionState(id, True), json)


def reinstate(ticket: str, json: bool) -> None:
    with _existing_ticket(ticket, "reinstate") as (service, id):
        service.commands.tickets.reinstate(OPERATOR, id)
    _print_suspension(SuspensionState(id, False), json)


@contextmanager
def _existing_ticket(ticket: str, operation: str) -> Iterator[tuple[Service, UUID]]:
    """Yield the service and the ticket's id for a logged act; CommandFailed if there is none."""
    id = as_uuid(ticket, "TICKET")
    with open_service() as service, logged_act(service.access.log, operation, str(id), _workspace(service, id)):
        row = service.history.ticket_reader.newest_ticket(id, None)
        if row is None:
            raise CommandFailed("the ticket does not exist")
        if row["erased"]:
            raise CommandFailed("the ticket is erased")
        yield service, id


def _print_suspension(state: SuspensionState, json: bool) -> None:
    if json:
        print_json(state)
    elif state.suspended:
        print_line(f"Ticket {state.ticket_id} is suspended: nobody sees its page, and no checkout opens.")
    else:
        print_line(f"Ticket {state.ticket_id} is not suspended.")
