"""Handler for the transcript of a ticket, in several formats."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from adapters.encryption.field_cipher import FieldCipher
from domain.errors import FaultCode, RefusedError
from domain.ports import Contents, Printer, Transcripts, TranscriptSheet
from domain.values import Content, DocumentFormat
from entrypoints.http.operations import Answer, Call
from entrypoints.http.problems import invalid
from entrypoints.presentation.tickets import Transcription
from entrypoints.presentation.transcripts import as_srt, as_text, as_vtt

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
        if not call.ticket["transcriptions"]:
            raise RefusedError("There is no transcript yet.")
        row = call.ticket["transcriptions"][0]
        with self.contents.open(call.ticket_id, Content(row["sha256"], row["size_bytes"])) as stored:
            transcript = self.transcripts.load(stored.read())
        if format == "json":
            return Answer(Transcription.from_row(row, transcript))
        if format == "docx":
            name = call.personal_data(self.cipher).text_or_none(call.ticket_id, call.ticket["display_name"])
            sheet = TranscriptSheet(transcript, name, datetime.fromisoformat(row["created_at"]))
            data = self.printer.render(sheet, DocumentFormat.DOCX)
        else:
            data = _AS_TEXT[format](transcript).encode()
        file_name = quote(f"transcript-{row['id']}.{format}")
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{file_name}"}
        return Answer(data, 200, headers, TRANSCRIPT_FORMATS[format])
