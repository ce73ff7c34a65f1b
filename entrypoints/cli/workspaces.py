"""The commands `workspaces show` and `workspaces set`."""

from collections.abc import Mapping
from typing import Any

from domain.organisations import Organisation, RetentionPeriods
from entrypoints.cli.console import CommandFailed, UsageError, print_json, print_line, print_table
from entrypoints.cli.context import OPERATOR, logged_act, open_service
from entrypoints.composition.service import Service
from entrypoints.http.bodies import validated
from entrypoints.http.problems import Problem
from entrypoints.http.workspace_bodies import WorkspaceChange
from entrypoints.presentation.workspaces import WorkspaceView

# The options in the order of the table, by the pointers of their values in the body of the API.
OPTIONS: Mapping[str, str] = {
    "/name": "--title",
    "/organisation/legalName": "--legal-name",
    "/organisation/address": "--address",
    "/organisation/registrationNumber": "--registration-number",
    "/organisation/taxWording": "--tax-wording",
    "/organisation/contact": "--contact",
    "/organisation/privacyPage": "--privacy-page",
    "/organisation/replyTo": "--reply-to",
    "/intake": "--intake",
    "/publishing": "--publishing",
    "/language": "--language",
    "/currency": "--currency",
    "/retention/ticketDays": "--keep-tickets",
    "/retention/donorDays": "--keep-donors",
}
NO_VALUE = "none"


def show(workspace: str, json: bool) -> None:
    with open_service() as service:
        _require_existing(service, workspace)
        view = _view(service, workspace)
    _print(view, json)


def change(workspace: str, options: Mapping[str, str | None], json: bool) -> None:
    """Change what the options name, by the pointers of OPTIONS; `none` clears a value."""
    given = {pointer: text for pointer, text in options.items() if text is not None}
    if not given:
        raise UsageError(f"give at least one of {', '.join(OPTIONS.values())}")
    changes = _checked(given).changes()
    with open_service() as service:
        _require_existing(service, workspace)
        with logged_act(service.access.log, "workspaces set", workspace, workspace):
            service.commands.workspaces.change_settings(OPERATOR, workspace, changes)
        view = _view(service, workspace)
    _print(view, json)


def _checked(given: Mapping[str, str]) -> WorkspaceChange:
    """Return the change as the API checks it; UsageError that names the option with the first wrong value."""
    body: dict[str, Any] = {}
    for pointer, text in given.items():
        *parents, name = pointer.split("/")[1:]
        place = body
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = None if text == NO_VALUE else _number(pointer, text) if parents == ["retention"] else text
    try:
        return validated(WorkspaceChange, body)
    except Problem as problem:
        fault = problem.errors[0]
        raise UsageError(f"{OPTIONS[fault.pointer]} {fault.detail}") from None


def _number(pointer: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise UsageError(f"{OPTIONS[pointer]} must be a number of days, or {NO_VALUE}")
    return int(text[:9])


def _require_existing(service: Service, workspace: str) -> None:
    stored = service.aggregates.retention_periods.retention(workspace)
    if stored == RetentionPeriods() and not service.queries.workspace_exists(workspace):
        raise CommandFailed("the workspace does not exist")


def _view(service: Service, workspace: str) -> WorkspaceView:
    commands = service.commands.workspaces
    return WorkspaceView.of(commands.workspaces.get(workspace), commands.periods.retention(workspace))


def _print(view: WorkspaceView, json: bool) -> None:
    if json:
        print_json(view)
        return
    organisation = [getattr(view.organisation, name) for name in Organisation.names()]
    rules = [view.intake, view.publishing, view.language, view.currency]
    values = [view.name, *organisation, *rules, view.retention.ticket_days, view.retention.donor_days]
    names = [option.removeprefix("--").replace("-", " ") for option in OPTIONS.values()]
    rows = [*zip(names, values, strict=True), ("logo", "yes" if view.has_logo else None)]
    print_table(f"Workspace {view.id}", ("setting", "value"), rows)
    if view.closed is True:
        print_line("The workspace is closed.")
