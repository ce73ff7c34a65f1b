"""The handler that gives a person everything that is kept of a ticket, as one archive."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from uuid import UUID

import msgspec

from domain.corrections import corrected
from domain.errors import NotFoundError
from domain.ports import Contents, Transcripts
from domain.values import Content, Role
from entrypoints.http.handlers.attachments import PHOTO_MEDIA_TYPE
from entrypoints.http.handlers.desk import stored_notes
from entrypoints.http.handlers.recording_files import file_name
from entrypoints.http.handlers.voices import sound_of
from entrypoints.http.operations import Answer, Call, Stream
from entrypoints.http.pages import page_language, story_language
from entrypoints.presentation.attachments import Attachment
from entrypoints.presentation.consents import Consents
from entrypoints.presentation.desk import DeskArchive, Note
from entrypoints.presentation.documents import Document
from entrypoints.presentation.donations import Donation
from entrypoints.presentation.export_guide import guide
from entrypoints.presentation.history import HistoryEvent, history_events
from entrypoints.presentation.personal_data import PersonalData
from entrypoints.presentation.recordings import recordings_of
from entrypoints.presentation.responses import ResponseBody, encode
from entrypoints.presentation.safety import DraftSafety
from entrypoints.presentation.tickets import Ticket, Transcription, draft_or_none
from entrypoints.presentation.transcripts import as_text
from entrypoints.presentation.updates import Update
from entrypoints.presentation.voices import Voice
from entrypoints.presentation.zip_stream import zipped
from projections import attachments, desk, documents, donation_ledger, page_words, ticket_status
from projections.model import Row

# The number of donations or events that are in memory at a time.
PAGE = 200

Files = Iterator[tuple[str, Iterable[bytes]]]


@dataclass(frozen=True)
class TicketExportHandlers:
    contents: Contents
    transcripts: Transcripts
    safety: DraftSafety
    public_url: str

    def export(self, call: Call) -> Answer[Stream]:
        """Send the archive while it is read, a part at a time."""
        now = datetime.now(UTC)
        name = f"story-{call.ticket_id}-{now:%Y-%m-%d}.zip"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Answer(Stream(zipped(self._files(call), now)), 200, headers, "application/zip")

    def _files(self, call: Call) -> Files:
        personal, missing = call.personal_data(), list[str]()
        language = page_language(call, story_language(call.ticket))
        yield "README.txt", [guide(language).encode()]
        yield from self._words(call, personal, missing)
        yield from self._binaries(call, personal, missing)
        yield from self._ledgers(call, personal)
        if missing:
            yield "missing.txt", ["".join(f"{name}\n" for name in missing).encode()]

    def _words(self, call: Call, personal: PersonalData, missing: list[str]) -> Files:
        row, ticket_id = call.ticket, call.ticket_id
        yield "ticket.json", _json(Ticket.from_row(row, personal))
        if (draft := draft_or_none(row, personal)) is not None:
            yield "draft.json", _json(draft)
        yield "consents.json", _json(Consents.from_row(row, personal))
        updates = call.reads.ask(lambda cursor: page_words.updates(cursor, ticket_id))
        yield "updates.json", _json([Update.from_row(ticket_id, update, personal) for update in updates])
        corrections = personal.corrections(row)
        for number, transcription in enumerate(row["transcriptions"], 1):
            name = f"transcripts/{number:02}-{transcription['id']}"
            try:
                with self.contents.open(ticket_id, _content(transcription)) as stored:
                    transcript = self.transcripts.load(stored.read())
            except NotFoundError:
                missing.append(f"{name}.json")
                continue
            yield f"{name}.json", _json(Transcription.from_row(transcription, transcript, corrections))
            shown = corrected(UUID(transcription["recording_id"]), transcript, corrections)
            yield f"{name}.txt", [as_text(shown).encode()]

    def _binaries(self, call: Call, personal: PersonalData, missing: list[str]) -> Files:
        row, ticket_id = call.ticket, call.ticket_id
        sounds = recordings_of(call.ticket)
        made = call.reads.ask(lambda cursor: documents.documents(cursor, ticket_id))
        attached = call.reads.ask(lambda cursor: attachments.attachments(cursor, ticket_id))
        yield "recordings.json", _json(sounds)
        yield "documents.json", _json([Document.from_row(row, self.public_url) for row in made])
        yield (
            "attachments.json",
            _json([Attachment.from_row(row, call.ticket, personal, self.public_url) for row in attached]),
        )
        if row["voice"]:
            heard = ticket_status.is_public(row) and self.safety.voice_is_heard(row)
            yield "voice.json", _json(Voice.from_row(row, personal, self.public_url, heard=heard))
        binaries = chain(
            ((f"recordings/{file_name(sound)}", sound.content) for sound in sounds),
            ((f"documents/{row['document_id']}.{row['format']}", _content(row)) for row in made),
            ((f"attachments/{row['attachment_id']}.{_suffix(row)}", _content(row)) for row in attached),
            [("voice.mp3", sound_of(row).content)] if row["voice"] else [],
        )
        for name, content in binaries:
            parts = None
            with suppress(NotFoundError):
                parts = self.contents.read(ticket_id, content, 0, content.size_bytes)
            if parts is None:
                missing.append(name)
            else:
                yield name, parts

    def _ledgers(self, call: Call, personal: PersonalData) -> Files:
        """Yield the donations and the history, which an API client gets as far as it may read them elsewhere."""
        is_client = call.principal.role is Role.CLIENT
        if not is_client or "donations:read" in call.principal.scopes:
            yield "donations.json", _json_lines(Donation.from_row(row, personal) for row in _donations(call, personal))
        if call.is_staff:
            yield "desk.json", _json(_noted(call, personal))
        if not is_client:
            yield "history.json", _json_lines(_events(call, personal))


def _donations(call: Call, personal: PersonalData) -> Iterator[Row]:
    after = None
    while True:
        end = after
        rows = call.reads.ask(lambda cursor: donation_ledger.donations(cursor, call.ticket_id, PAGE, end))  # noqa: B023
        yield from personal.preload(rows)
        if len(rows) < PAGE:
            return
        after = rows[-1]["paid_at"], rows[-1]["created_at"], rows[-1]["donation_id"]


def _events(call: Call, personal: PersonalData) -> Iterator[HistoryEvent]:
    after = 0
    while True:
        entries = call.reads.ask_log(lambda log: log.ticket_page(call.ticket_id, after, PAGE))  # noqa: B023
        yield from history_events(entries, personal, for_staff=call.is_staff)
        if len(entries) < PAGE:
            return
        after = entries[-1].position


def _noted(call: Call, personal: PersonalData) -> DeskArchive:
    """Return what the staff noted, which only they download: they decide what of it the person may know."""
    row = call.reads.ask(lambda cursor: desk.listed(cursor, call.ticket_id))
    notes = [Note.of(entry, personal) for entry in reversed(stored_notes(call))]
    return DeskArchive.of(row, notes, personal)


def _json(value: object) -> list[bytes]:
    return [msgspec.json.format(encode(value), indent=2)]


def _json_lines(items: Iterable[ResponseBody]) -> Iterator[bytes]:
    """Yield the items as a JSON array with one item a line."""
    separator = b"[\n"
    for item in items:
        yield separator + encode(item)
        separator = b",\n"
    yield b"[]\n" if separator == b"[\n" else b"\n]\n"


def _content(row: Row) -> Content:
    return Content(row["sha256"], row["size_bytes"])


def _suffix(row: Row) -> str:
    return "jpg" if row["media_type"] == PHOTO_MEDIA_TYPE else "pdf"
