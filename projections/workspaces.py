"""Workspaces: one row for each workspace of which something was recorded, with its settings."""

import dataclasses
from collections.abc import Sequence
from uuid import UUID

from msgspec.structs import asdict

from domain.events import (
    IntakeChanged,
    LogoChosen,
    LogoRemoved,
    MemberEvent,
    OrganisationDescribed,
    PublishingChanged,
    WorkspaceClosed,
    WorkspaceDefaultsChanged,
    WorkspaceEvent,
    WorkspaceOpened,
    WorkspaceRenamed,
)
from domain.organisations import NOT_DESCRIBED, Intake, Logo, Organisation, Publishing, WorkspaceSettings
from projections.model import Cursor, RecordedEvent, Row, Rows, Table, selected_row, topics

NAME = "workspaces"
VERSION = 3
TOPICS = topics(WorkspaceEvent) - topics(MemberEvent)

# The key is the id of the workspace's stream, which every event names; queries name the workspace.
WORKSPACES = Table(
    "workspaces",
    {
        "stream_id": "uuid",
        "workspace": "text",
        "title": "text",
        "organisation": "jsonb",
        "intake": "text",
        "publishing": "text",
        "language": "text",
        "currency": "text",
        "closed": "boolean",
        "logo": "jsonb",
        "position": "bigint",
    },
    key=("stream_id",),
    indexes=("(workspace)",),
)
TABLES = (WORKSPACES,)


def fold(batch: Sequence[RecordedEvent], rows: Rows) -> None:
    relevant = [
        (recorded, recorded.event)
        for recorded in batch
        if isinstance(recorded.event, WorkspaceEvent) and not isinstance(recorded.event, MemberEvent)
    ]
    opened = {event.originator_id for _, event in relevant if isinstance(event, WorkspaceOpened)}
    rows.load(WORKSPACES, {(event.originator_id,) for _, event in relevant if event.originator_id not in opened})
    for recorded, event in relevant:
        row = _opened_row(event) if isinstance(event, WorkspaceOpened) else rows.get(WORKSPACES, (event.originator_id,))
        if row is None:
            continue
        match event:
            case WorkspaceRenamed(title=title):
                row |= {"title": title}
            case OrganisationDescribed(organisation=organisation):
                row |= {"organisation": asdict(organisation)}
            case LogoChosen(logo=logo):
                row |= {"logo": asdict(logo)}
            case LogoRemoved():
                row |= {"logo": None}
            case IntakeChanged(intake=intake):
                row |= {"intake": intake}
            case PublishingChanged(publishing=publishing):
                row |= {"publishing": publishing}
            case WorkspaceClosed():
                row |= {"closed": True}
            case WorkspaceDefaultsChanged(language=language, currency=currency):
                row |= {"language": language, "currency": currency}
            case _:
                pass
        rows.put(WORKSPACES, row | {"position": recorded.position})


def _opened_row(event: WorkspaceOpened) -> Row:
    settings = dataclasses.asdict(WorkspaceSettings(event.workspace)) | {"organisation": asdict(NOT_DESCRIBED)}
    return {"stream_id": event.originator_id, "workspace": event.workspace} | settings


def workspace_settings(cursor: Cursor, workspace: str) -> WorkspaceSettings:
    """Return the settings of a workspace; the defaults for one of which nothing was recorded."""
    row = selected_row(cursor, WORKSPACES, "WHERE workspace = %(workspace)s", workspace=workspace)
    return WorkspaceSettings(workspace) if row is None else _settings(row)


def settings_of_ticket(cursor: Cursor, ticket_id: UUID) -> WorkspaceSettings | None:
    """Return the settings of the ticket's workspace; None if nothing was recorded of that."""
    where = "WHERE workspace = (SELECT workspace FROM read.ticket_status WHERE ticket_id = %(ticket_id)s)"
    row = selected_row(cursor, WORKSPACES, where, ticket_id=ticket_id)
    return None if row is None else _settings(row)


def _settings(row: Row) -> WorkspaceSettings:
    return WorkspaceSettings(
        row["title"],
        Organisation(**row["organisation"]),
        Intake(row["intake"]),
        Publishing(row["publishing"]),
        row["language"],
        row["currency"],
        row["closed"],
        Logo(**row["logo"]) if row["logo"] else None,
    )
