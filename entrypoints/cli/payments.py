"""The commands `reconcile`, `dead-letters` and `export donations`."""

import sys
from datetime import UTC, datetime, timedelta

from adapters.identity.access_log import logged_object
from domain.errors import InvalidError
from entrypoints.cli.console import CommandFailed, ProgressBar, UsageError, minute, print_json, print_line, print_table
from entrypoints.cli.context import OPERATOR, as_moment, as_uuid, logged_act, open_service
from entrypoints.composition.exports import Export, Format
from entrypoints.presentation.administration import DeadLetterView
from entrypoints.presentation.personal_data import PersonalData
from entrypoints.presentation.responses import rfc3339
from projections.exports import By, Selection

# Stripe lists its events for 30 days.
STRIPE_EVENTS_KEPT = timedelta(days=30)


def reconcile(since: str | None, json: bool) -> None:
    moment = as_moment(since, "--since") or datetime.now(UTC) - STRIPE_EVENTS_KEPT
    with (
        open_service() as service,
        logged_act(service.access.log, "reconcile"),
        ProgressBar(shown=not json) as progress,
    ):
        outcome = service.payments.reconciler.reconcile(moment, progress)
    if json:
        print_json(vars(outcome))
    else:
        if outcome.unmatched:
            print_table("Unmatched", ("id", "type", "reason"), [[*finding.values()] for finding in outcome.unmatched])
        print_line(f"{outcome.matched} matched, {outcome.repaired} repaired, {len(outcome.unmatched)} unmatched.")
    if outcome.unmatched:
        raise CommandFailed(f"{len(outcome.unmatched)} entries do not match Stripe")


def list_dead_letters(json: bool) -> None:
    with open_service() as service:
        letters = [DeadLetterView.of(letter) for letter in service.payments.dead_letters.list()]
    if json:
        print_json(letters)
    else:
        columns = ("id", "type", "attempts", "error", "received (UTC)")
        rows = [(one.id, one.type, one.attempts, one.error, minute(rfc3339(one.received_at))) for one in letters]
        print_table("Dead letters", columns, rows)


def retry_dead_letters(ids: list[str] | None, accept: bool, json: bool) -> None:
    if accept and not ids:
        raise UsageError("--accept needs the ids of the dead letters to accept")
    with open_service() as service:
        letters = service.payments.dead_letters
        with logged_act(
            service.access.log, f"dead-letters {'accept' if accept else 'retry'}", logged_object(ids or [])
        ):
            count = letters.accept(ids, str(OPERATOR)) if accept else letters.retry(ids or None)
        service.payments.applier.apply_all()
        service.payments.retrievals.retrieve_all()
        service.payments.applier.apply_all()
        left = [letter.id for letter in service.payments.dead_letters.list() if not ids or letter.id in ids]
    if json:
        print_json({"retried": count, "left": left})
    else:
        print_line(f"{count} retried, {len(left)} of them failed again.")
    if left or (ids and count < len(ids)):
        raise CommandFailed(f"could not be applied: {', '.join(left) or 'no such dead letter'}")


def dismiss_dead_letters(ids: list[str], json: bool) -> None:
    with open_service() as service, logged_act(service.access.log, "dead-letters dismiss", logged_object(ids)):
        count = service.payments.dead_letters.dismiss(ids)
    if json:
        print_json({"dismissed": count})
    else:
        print_line(f"{count} dismissed.")
    if count < len(set(ids)):
        raise CommandFailed("could not be dismissed: no such dead letter")


def export_donations(
    ticket: str | None,
    workspace: str | None,
    since: str | None,
    until: str | None,
    by: By,
    format: Format,
    unpaid: bool,
) -> None:
    start, end = as_moment(since, "--from"), as_moment(until, "--to", end_of_day=True)
    selection = Selection(by, as_uuid(ticket, "--ticket") if ticket else None, workspace, start, end)
    try:
        export = Export(format, selection, unpaid)
    except InvalidError as error:
        raise UsageError(f"--{error.pointer[1:]} {error.detail}") from None
    with open_service() as service:
        if workspace is not None and not service.queries.workspace_exists(workspace):
            raise CommandFailed(f"there is no workspace {workspace}")
        for chunk in export.content(service.queries.reads(), PersonalData(service.history.cipher)):
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
