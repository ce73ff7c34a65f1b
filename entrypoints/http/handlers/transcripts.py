"""Handlers for the transcript of a ticket: show it in several formats, and correct it."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote
from uuid import UUID

from domain.commands.transcripts import TranscriptCommands
from domain.corrections import CorrectedSegment, corrected_segments
from domain.errors import FaultCode, RefusedError
from domain.ports import Contents, Printer, Transcripts
from domain.sheets import TranscriptSheet
from domain.transcripts import HeardRecording, joined
from domain.values import Content, DocumentFormat
from entrypoints.http.bodies import Restoration, TranscriptCorrections
from entrypoints.http.handlers.preconditions import etag_header, if_match
from entrypoints.http.operations import Answer, Call
from entrypoints.http.problems import invalid
from entrypoints.presentation.tickets import Transcription, newest_of
from entrypoints.presentation.transcripts import as_srt, as_text, as_vtt
from projections.model import Row
from projections.ticket_status import latest_transcriptions

# The media type of each format.
TRANSCRIPT_FORMATS = {
    "json": "application/json",
    "txt": "text/plain; charset=utf-8",
    "srt": "application/x-subrip; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
    "docx": DocumentFormat.DOCX.media_type,
}
_SUBTITLES = {"srt": as_srt, "vtt": as_vtt}


@dataclass(frozen=True)
class TranscriptHandlers:
    commands: TranscriptCommands
    contents: Contents
    transcripts: Transcripts
    printer: Printer

    def get(self, call: Call) -> Answer[Transcription | bytes]:
        """Return the transcript of all recordings; 409 without any, or for subtitles if there are no times.

        Subtitles have the times that the recordings have when they are played one after another.
        """
        format = call.query.get("format", "json")
        if format not in TRANSCRIPT_FORMATS:
            detail = f"must be one of {', '.join(TRANSCRIPT_FORMATS)}"
            raise invalid("/format", detail, FaultCode.UNKNOWN_VALUE)
        if format == "json":
            return self._shown(call, call.ticket)
        newest = newest_of(_rows(call.ticket))
        personal = call.personal_data()
        corrections = personal.corrections(call.ticket)
        heard = [recording.corrected(corrections) for recording in self._heard(call, call.ticket)]
        if format == "docx":
            name = personal.text_or_none(call.ticket_id, call.ticket["display_name"])
            sheet = TranscriptSheet(joined(heard), name, datetime.fromisoformat(newest["created_at"]))
            data = self.printer.render(sheet, DocumentFormat.DOCX)
        elif format == "txt":
            data = "\n".join(as_text(recording.transcript) for recording in heard).encode()
        else:
            data = _SUBTITLES[format](joined(heard)).encode()
        file_name = quote(f"transcript-{newest['id']}.{format}")
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{file_name}"}
        return Answer(data, 200, headers, TRANSCRIPT_FORMATS[format])

    def correct(self, call: Call, body: TranscriptCorrections) -> Answer[Transcription]:
        """Correct segments; the fields of the draft that nobody wrote by hand are then drafted again."""
        texts = [(corrected.segment_id, corrected.text) for corrected in body.corrections]
        self.commands.correct(call.principal.actor, call.ticket_id, texts, if_match(call))
        return self._shown(call, call.current_row())

    def restore(self, call: Call, body: Restoration) -> Answer[Transcription]:
        self.commands.restore(call.principal.actor, call.ticket_id, body.version, if_match(call))
        return self._shown(call, call.current_row())

    def segments(self, call: Call, ticket: Row) -> list[CorrectedSegment]:
        """Return the segments of all recordings as they read now."""
        corrections = call.personal_data().corrections(ticket)
        return [
            segment
            for recording in self._heard(call, ticket)
            for segment in corrected_segments(recording.recording_id, recording.transcript, corrections)
        ]

    def _shown(self, call: Call, ticket: Row) -> Answer[Transcription]:
        corrections = call.personal_data().corrections(ticket)
        shown = Transcription.of_all(_rows(ticket), self._heard(call, ticket), corrections)
        return Answer(shown, 200, etag_header(ticket))

    def _heard(self, call: Call, ticket: Row) -> list[HeardRecording]:
        """Return what was heard in each recording, without the corrections."""
        heard = []
        for recording, transcription in latest_transcriptions(ticket):
            content = Content(transcription["sha256"], transcription["size_bytes"])
            with self.contents.open(call.ticket_id, content) as stored:
                transcript = self.transcripts.load(stored.read())
            heard.append(HeardRecording(UUID(recording["id"]), recording["duration_ms"], transcript))
        return heard


def _rows(ticket: Row) -> list[Row]:
    """Return the newest transcription of each recording; RefusedError if there is none."""
    rows = [transcription for _, transcription in latest_transcriptions(ticket)]
    if not rows:
        raise RefusedError("There is no transcript yet.")
    return rows
