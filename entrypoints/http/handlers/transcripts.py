"""Handlers for the transcript of a ticket: show it in several formats, and correct it."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote
from uuid import UUID

from adapters.encryption.field_cipher import FieldCipher
from adapters.read_models.read_your_writes import ReadYourWrites
from domain.commands.transcripts import TranscriptCommands
from domain.corrections import CorrectedSegment, corrected, corrected_segments
from domain.errors import FaultCode, RefusedError
from domain.ports import Contents, Printer, Transcripts, TranscriptSheet
from domain.values import Content, DocumentFormat, Transcript
from entrypoints.http.bodies import Restoration, TranscriptCorrections
from entrypoints.http.handlers.preconditions import etag_header, if_match
from entrypoints.http.handlers.tickets import current_row
from entrypoints.http.operations import Answer, Call
from entrypoints.http.problems import invalid
from entrypoints.presentation.tickets import Transcription
from entrypoints.presentation.transcripts import as_srt, as_text, as_vtt
from projections.model import Row

# The media type of each format.
TRANSCRIPT_FORMATS = {
    "json": "application/json",
    "txt": "text/plain; charset=utf-8",
    "srt": "application/x-subrip; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
    "docx": DocumentFormat.DOCX.media_type,
}
_AS_TEXT = {"txt": as_text, "srt": as_srt, "vtt": as_vtt}


@dataclass(frozen=True)
class TranscriptHandlers:
    commands: TranscriptCommands
    ticket_reader: ReadYourWrites
    contents: Contents
    transcripts: Transcripts
    printer: Printer
    cipher: FieldCipher

    def get(self, call: Call) -> Answer[Transcription | bytes]:
        """Return the latest transcript; 409 without one, or for subtitles if it has no times."""
        format = call.query.get("format", "json")
        if format not in TRANSCRIPT_FORMATS:
            detail = f"must be one of {', '.join(TRANSCRIPT_FORMATS)}"
            raise invalid("/format", detail, FaultCode.UNKNOWN_VALUE)
        row = _latest(call.ticket)
        if format == "json":
            return self._shown(call, call.ticket)
        original = self._transcript(call.ticket_id, row)
        transcript = corrected(
            UUID(row["recording_id"]), original, call.personal_data(self.cipher).corrections(call.ticket)
        )
        if format == "docx":
            name = call.personal_data(self.cipher).text_or_none(call.ticket_id, call.ticket["display_name"])
            sheet = TranscriptSheet(transcript, name, datetime.fromisoformat(row["created_at"]))
            data = self.printer.render(sheet, DocumentFormat.DOCX)
        else:
            data = _AS_TEXT[format](transcript).encode()
        file_name = quote(f"transcript-{row['id']}.{format}")
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{file_name}"}
        return Answer(data, 200, headers, TRANSCRIPT_FORMATS[format])

    def correct(self, call: Call, body: TranscriptCorrections) -> Answer[Transcription]:
        """Correct segments; the fields of the draft that nobody wrote by hand are then drafted again."""
        texts = [(corrected.segment_id, corrected.text) for corrected in body.corrections]
        self.commands.correct(call.principal.actor, call.ticket_id, texts, if_match(call))
        return self._shown(call, current_row(self.ticket_reader, call.ticket_id))

    def restore(self, call: Call, body: Restoration) -> Answer[Transcription]:
        self.commands.restore(call.principal.actor, call.ticket_id, body.version, if_match(call))
        return self._shown(call, current_row(self.ticket_reader, call.ticket_id))

    def segments(self, call: Call, ticket: Row) -> list[CorrectedSegment]:
        """Return the segments of the latest transcript as they read now."""
        row = _latest(ticket)
        original = self._transcript(call.ticket_id, row)
        corrections = call.personal_data(self.cipher).corrections(ticket)
        return corrected_segments(UUID(row["recording_id"]), original, corrections)

    def _shown(self, call: Call, ticket: Row) -> Answer[Transcription]:
        row = _latest(ticket)
        corrections = call.personal_data(self.cipher).corrections(ticket)
        shown = Transcription.from_row(row, self._transcript(call.ticket_id, row), corrections)
        return Answer(shown, 200, etag_header(ticket))

    def _transcript(self, ticket_id: UUID, row: Row) -> Transcript:
        with self.contents.open(ticket_id, Content(row["sha256"], row["size_bytes"])) as stored:
            return self.transcripts.load(stored.read())


def _latest(ticket: Row) -> Row:
    if not ticket["transcriptions"]:
        raise RefusedError("There is no transcript yet.")
    latest: Row = ticket["transcriptions"][0]
    return latest
