"""Workspaces: one row for each workspace of which something was recorded, with its settings."""

from collections.abc import Sequence
from dataclasses import asdict
from uuid import UUID

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
    settings = WorkspaceSettings(event.workspace)
    return {"stream_id": event.originator_id, "workspace": event.workspace} | asdict(settings)


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


def organisation_of_ticket(cursor: Cursor, ticket_id: UUID) -> Organisation:
    """Return the organisation that runs the ticket's workspace."""
    cursor.execute(
        "SELECT organisation FROM read.ticket_status JOIN read.workspaces USING (workspace)"
        " WHERE ticket_id = %(ticket_id)s",
        {"ticket_id": ticket_id},
    )
    row = cursor.fetchone()
    return Organisation(**row[0]) if row else NOT_DESCRIBED


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
