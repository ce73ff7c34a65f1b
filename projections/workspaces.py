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
from projections.model import Cursor, RecordedEvent, Row, Rows, Table, fetched_rows, topics

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


_COLUMNS = ", ".join(WORKSPACES.columns)


def workspace_settings(cursor: Cursor, workspace: str) -> WorkspaceSettings:
    """Return the settings of a workspace; the defaults for one of which nothing was recorded."""
    cursor.execute(
        f"SELECT {_COLUMNS} FROM read.workspaces WHERE workspace = %(workspace)s",  # noqa: S608
        {"workspace": workspace},
    )
    for row in fetched_rows(cursor, WORKSPACES.columns):
        return _settings(row)
    return WorkspaceSettings(workspace)


def settings_of_ticket(cursor: Cursor, ticket_id: UUID) -> WorkspaceSettings | None:
    """Return the settings of the ticket's workspace; None if nothing was recorded of that."""
    columns = ", ".join(f"w.{name}" for name in WORKSPACES.columns)
    cursor.execute(
        f"SELECT {columns} FROM read.ticket_status JOIN read.workspaces w USING (workspace)"  # noqa: S608
        " WHERE ticket_id = %(ticket_id)s",
        {"ticket_id": ticket_id},
    )
    return next((_settings(row) for row in fetched_rows(cursor, WORKSPACES.columns)), None)


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
