"""Ticket status: one row for each ticket with its draft, and one for each ticket that was ever funded."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from msgspec.structs import asdict

from domain import events
from domain.lifecycle import Lifecycle, edited, missing_fields, proposed, without_places
from domain.values import ConsentScope, ContentStatus, Draft, Kind, Step
from projections import approvals, desk, failed_steps
from projections.consent_records import consent_records, shown_scopes
from projections.model import Cursor, RecordedEvent, Row, Rows, Table, fetched_rows, topics

NAME = "ticket_status"
VERSION = 14
# The events of donations, support tickets, the desk and workspaces do not change the ticket's own row.
_OTHER_EVENTS = events.DonationEvent | events.SupportEvent | events.DeskEvent | events.WorkspaceEvent
_TICKET_TOPICS = topics(events.TicketEvent) - topics(
    events.DonationEvent, events.SupportEvent, events.DeskEvent, events.WorkspaceEvent
)
TOPICS = _TICKET_TOPICS | topics(events.PaymentReceived) | desk.TOPICS

# `base` is the state of the content apart from publication; `written` names the draft's fields that a person wrote, and
# `decisions` has the sealed id of each finding with what a person decided on it, in their order. `consents` has each
# consent and each withdrawal in their order, `corrections` each correction of a transcript, `picture` the photo of the
# page, and `voice` the passage of a recording, with whether the person agreed to it after it was chosen. `approval` is
# that of the page as it is now. `recordings` has each recording, oldest first; `recording_id` is the one worked on.
TICKETS = Table(
    "ticket_status",
    {
        "ticket_id": "uuid",
        "workspace": "text",
        "kind": "text",
        "slug": "text",
        "contact_type": "text",
        "contact": "text",
        "display_name": "text",
        "token_digest": "text",
        "base": "text",
        "published": "boolean",
        "suspended": "boolean",
        "step": "text",
        "recording_id": "uuid",
        "has_document": "boolean",
        "draft": "jsonb",
        "written": "jsonb",
        "decisions": "jsonb",
        "consents": "jsonb",
        "approval": "jsonb",
        "picture": "jsonb",
        "voice": "jsonb",
        "analysis": "jsonb",
        "recordings": "jsonb",
        "transcriptions": "jsonb",
        "corrections": "jsonb",
        "error": "jsonb",
        **failed_steps.COLUMNS,
        "erased": "boolean",
        "created_at": "timestamptz",
        "updated_at": "timestamptz",
        "version": "integer",
        "position": "bigint",
    },
    key=("ticket_id",),
    indexes=("(slug)", *failed_steps.INDEXES),
)
FUNDED = Table("funded_tickets", {"ticket_id": "uuid", "position": "bigint"}, key=("ticket_id",))
TABLES = (TICKETS, FUNDED, *desk.TABLES)


def fold(batch: Sequence[RecordedEvent], rows: Rows) -> None:
    rows.load(FUNDED, {(recorded.event.ticket,) for recorded in batch if _is_payment(recorded)})
    # A page gets many payments; those that change nothing need no rows of the desk.
    relevant = [
        recorded for recorded in batch if recorded.event.TOPIC in TOPICS and not _is_later_payment(recorded, rows)
    ]
    new_keys = {(recorded.event.ticket,) for recorded in relevant if isinstance(recorded.event, events.TicketOpened)}
    of_tickets = {(recorded.event.ticket,) for recorded in relevant if not isinstance(recorded.event, _OTHER_EVENTS)}
    rows.load(TICKETS, of_tickets - new_keys)
    desk.load(relevant, rows)
    for recorded in relevant:
        if _is_later_payment(recorded, rows):
            continue
        if _is_payment(recorded):
            rows.put(FUNDED, {"ticket_id": recorded.event.ticket, "position": recorded.position})
            desk.fold_payment(recorded, rows)
        elif isinstance(recorded.event, events.DeskEvent):
            desk.fold_desk_event(recorded, rows)
        else:
            _fold_event(recorded, rows)


def _is_later_payment(recorded: RecordedEvent, rows: Rows) -> bool:
    return _is_payment(recorded) and rows.get(FUNDED, (recorded.event.ticket,)) is not None


def _is_payment(recorded: RecordedEvent) -> bool:
    return isinstance(recorded.event, events.PaymentReceived)


def _fold_event(recorded: RecordedEvent, rows: Rows) -> None:
    event = recorded.event
    row = _opened_row(event, recorded) if isinstance(event, events.TicketOpened) else rows.get(TICKETS, (event.ticket,))
    if row is None:
        return
    draft = draft_of(row)
    match event:
        case events.DisplayNameChanged(display_name=display_name):
            row["display_name"] = display_name
        case events.ContactChanged(contact=contact, token_digest=token_digest):
            row |= {"contact_type": contact.type, "contact": contact.value, "token_digest": token_digest}
        case events.AudioUploaded(recording_id=recording_id, joins=joins):
            earlier = row["recordings"] if joins else [kept | {"replaced": True} for kept in row["recordings"]]
            row |= {"recordings": [*earlier, _recording(event, recorded)], "error": None}
            row["voice"] = row["voice"] if joins else None
        case events.RecordingDeleted(recording_id=recording_id):
            if row["voice"] and row["voice"]["recording_id"] == str(recording_id):
                row["voice"] = None
            row |= {
                "recordings": [kept for kept in row["recordings"] if kept["id"] != str(recording_id)],
                "error": None,
            }
            for name in ("transcriptions", "corrections"):
                row[name] = [kept for kept in row[name] if kept["recording_id"] != str(recording_id)]
            draft = without_places(draft, recording_id)
        case (
            events.ProcessingRequested(recording_id=recording_id) | events.DraftingRequested(recording_id=recording_id)
        ):
            row |= {"recording_id": recording_id, "error": None}
        case events.Transcribed():
            row["transcriptions"] = [_transcription(event, recorded), *row["transcriptions"]]
            row["recordings"] = _with_problem(row, event.recording_id, None)
        case events.TranscriptCorrected():
            row["corrections"] = [*row["corrections"], _correction(event)]
        case events.Analysed():
            row["analysis"] = {
                "language": event.language,
                "sentiment": event.sentiment,
                "urgency": event.urgency,
                "key_points": list(event.key_points),
            }
        case events.TranscriptionFailed() | events.DraftingFailed():
            row["error"] = {"code": event.code, "message": event.message, "retryable": event.retryable}
            if isinstance(event, events.TranscriptionFailed):
                row["recordings"] = _with_problem(row, event.recording_id, row["error"])
        case events.DraftProposed():
            draft = proposed(draft, event, frozenset(row["written"]))
        case events.DraftEdited():
            draft = edited(draft, event)
            row["written"] = sorted({*row["written"], *event.changed})
        case events.FindingDecided(finding_id=finding_id, decision=decision):
            row["decisions"] = [*row["decisions"], [finding_id, decision]]
        case events.ConsentGiven() | events.ConsentWithdrawn() | events.Published():
            row["consents"] = [*row["consents"], *consent_records(event, recorded)]
            if isinstance(event, events.ConsentGiven) and ConsentScope.RECORDING in event.scopes and row["voice"]:
                row["voice"] = row["voice"] | {"agreed": True}
        case events.PictureChosen():
            row["picture"] = {
                "attachment_id": str(event.attachment_id),
                "sha256": event.content.sha256,
                "size_bytes": event.content.size_bytes,
                "width": event.width,
                "height": event.height,
                "description": event.description,
            }
        case events.PictureRemoved():
            row["picture"] = None
        case events.VoiceChosen():
            row["voice"] = _voice(event, row["voice"] or {})
        case events.VoiceRemoved():
            row["voice"] = None
        case events.DocumentGenerated():
            row["has_document"] = True
        case events.Erased():
            draft = Draft()
            row |= _ERASED
        case _:
            pass
    row["approval"] = approvals.column_after(event, row)
    lifecycle = _lifecycle(row)
    lifecycle.apply(event, complete=not missing_fields(Kind(row["kind"]), draft))
    row |= {"base": lifecycle.base, "published": lifecycle.published, "step": lifecycle.step}
    row |= {"suspended": lifecycle.suspended, **failed_steps.columns_after(recorded, lifecycle.base)}
    row["draft"] = msgspec.to_builtins(draft)
    row |= {"updated_at": recorded.recorded_at, "version": event.originator_version, "position": recorded.position}
    rows.put(TICKETS, row)
    desk.fold_ticket(recorded, row, lifecycle.status, rows)


_ERASED: Row = {
    "contact": None,
    "display_name": None,
    "token_digest": None,
    "decisions": [],
    "consents": [],
    "approval": None,
    "picture": None,
    "voice": None,
    "analysis": None,
    "recordings": [],
    "transcriptions": [],
    "corrections": [],
    "has_document": False,
    "error": None,
    "erased": True,
}


def _opened_row(event: events.TicketOpened, recorded: RecordedEvent) -> Row:
    return {
        "ticket_id": event.ticket,
        "workspace": event.workspace,
        "kind": event.kind,
        "slug": event.slug,
        "contact_type": event.contact.type,
        "contact": event.contact.value,
        "display_name": event.display_name,
        "token_digest": event.token_digest,
        "base": ContentStatus.DRAFT,
        "published": False,
        "suspended": False,
        "step": None,
        "recording_id": None,
        "has_document": False,
        "draft": msgspec.to_builtins(Draft(currency=event.currency)),
        "written": [],
        "decisions": [],
        "consents": [],
        "approval": None,
        "picture": None,
        "voice": None,
        "analysis": None,
        "recordings": [],
        "transcriptions": [],
        "corrections": [],
        "error": None,
        **failed_steps.NOTHING_FAILED,
        "erased": False,
        "created_at": recorded.recorded_at,
    }


def _voice(event: events.VoiceChosen, before: Row) -> Row:
    sound = _sound(event)
    place = {name: getattr(event, name) for name in ("first_segment", "last_segment", "start_ms", "end_ms", "text")}
    # A corrected text leaves the sound as the person agreed to it.
    agreed = before.get("sha256") == sound["sha256"] and before["agreed"]
    return {"recording_id": str(event.recording_id), **place, **sound, "agreed": agreed}


def _recording(event: events.AudioUploaded, recorded: RecordedEvent) -> Row:
    """Return the recording; `problem` says why it could not be transcribed, and `replaced` that no draft uses it."""
    return {
        "id": str(event.recording_id),
        **_sound(event),
        "created_at": recorded.recorded_at.isoformat(),
        "problem": None,
        "replaced": False,
    }


def _sound(event: events.AudioUploaded | events.VoiceChosen) -> Row:
    return asdict(event.content) | asdict(event.facts)


def _with_problem(row: Row, recording_id: UUID, problem: Row | None) -> list[Row]:
    return [
        recording | {"problem": problem} if recording["id"] == str(recording_id) else recording
        for recording in row["recordings"]
    ]


def used_recordings(row: Row) -> list[Row]:
    """Return the recordings that a draft is made of; one that was sent twice is used once."""
    used: dict[str, Row] = {}
    for recording in row["recordings"]:
        if not recording["replaced"]:
            used.setdefault(recording["sha256"], recording)
    return list(used.values())


def latest_transcriptions(row: Row) -> list[tuple[Row, Row]]:
    """Return each recording that the draft is made of with its newest transcription."""
    newest: dict[str, Row] = {}
    for transcription in row["transcriptions"]:
        newest.setdefault(transcription["recording_id"], transcription)
    return [(recording, newest[recording["id"]]) for recording in used_recordings(row) if recording["id"] in newest]


def _transcription(event: events.Transcribed, recorded: RecordedEvent) -> Row:
    return {
        "id": str(event.transcription_id),
        "recording_id": str(event.recording_id),
        "sha256": event.content.sha256,
        "size_bytes": event.content.size_bytes,
        "language": event.language,
        "engine": event.engine,
        "created_at": recorded.recorded_at.isoformat(),
    }


def _correction(event: events.TranscriptCorrected) -> Row:
    return {
        "recording_id": str(event.recording_id),
        "segment": event.segment,
        "from_text": event.from_text,
        "to_text": event.to_text,
    }


def _lifecycle(row: Row) -> Lifecycle:
    step = Step(row["step"]) if row["step"] else None
    return Lifecycle(ContentStatus(row["base"]), row["published"], step, row["suspended"])


def draft_of(row: Row) -> Draft:
    """Return the row's draft with its personal texts sealed."""
    return msgspec.convert(row["draft"], Draft)


# Before any thread reads a draft. If two threads read their first at the same time, the process may end with a
# segmentation fault: msgspec 0.22 shares what it knows of a class before it knows all of it.
draft_of({"draft": {}})


def with_ended_consents(cursor: Cursor, now: datetime) -> list[UUID]:
    """Return the tickets that are recorded as published though the consent to the story has ended by itself."""
    cursor.execute(
        """
        SELECT ticket_id, consents FROM read.ticket_status
         WHERE published AND jsonb_path_exists(
               consents, '$[*] ? (@.valid_until <= $now)', jsonb_build_object('now', %(now)s::bigint))
        """,
        {"now": int(now.timestamp())},
    )
    rows = fetched_rows(cursor, ("ticket_id", "consents"))
    return [row["ticket_id"] for row in rows if ConsentScope.STORY not in shown_scopes(row, now)]


# Queries. A row has these columns and the derived `content_status`.

COLUMNS = (*TICKETS.columns, "funded")
_SELECT = f"""
SELECT {", ".join("t." + name for name in TICKETS.columns)}, f.ticket_id IS NOT NULL AS funded
  FROM read.ticket_status t LEFT JOIN read.funded_tickets f USING (ticket_id)
"""  # noqa: S608


def _rows(cursor: Cursor) -> list[Row]:
    return [present(row) for row in fetched_rows(cursor, COLUMNS)]


def present(row: Row) -> Row:
    """Return the row as it is now, with its `content_status`.

    A page is not public any more once the consent to the story has ended, even before that is recorded.
    """
    if row["published"] and ConsentScope.STORY not in shown_scopes(row):
        row = row | {"published": False}
    return with_status(row)


def with_status(row: Row) -> Row:
    """Return the row with its `content_status`, which follows from the other columns."""
    return row | {"content_status": _lifecycle(row).status}


def is_public(row: Row) -> bool:
    """Return True if strangers see the ticket's page: it is published, and the consent to show the story is valid."""
    return _lifecycle(row).public and ConsentScope.STORY in shown_scopes(row)


def ticket(cursor: Cursor, ticket_id: UUID) -> Row | None:
    cursor.execute(_SELECT + "WHERE t.ticket_id = %(ticket_id)s", {"ticket_id": ticket_id})
    return next(iter(_rows(cursor)), None)


def tickets(cursor: Cursor, ticket_ids: Sequence[UUID]) -> dict[UUID, Row]:
    """Return the rows of those tickets that exist, by their ids."""
    cursor.execute(_SELECT + "WHERE t.ticket_id = ANY(%(ticket_ids)s)", {"ticket_ids": list(ticket_ids)})
    return {row["ticket_id"]: row for row in _rows(cursor)}


def ticket_by_slug(cursor: Cursor, slug: str) -> Row | None:
    cursor.execute(_SELECT + "WHERE t.slug = %(slug)s", {"slug": slug})
    return next(iter(_rows(cursor)), None)
