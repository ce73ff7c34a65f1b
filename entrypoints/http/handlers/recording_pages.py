"""Handlers for the page on which a person hears their recordings, and deletes one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from adapters.localisation import format_moment, supported_language
from domain.values import Step
from entrypoints.http.handlers.recording_files import RecordingFileHandlers
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import Site, page_language, see_other
from projections.model import Row
from projections.ticket_status import used_recordings


class ShownRecording(NamedTuple):
    """A recording with its length in minutes and seconds.

    `state` is used, working, waiting, silent, faulty or unused. `after` says what deleting it does to the text of the
    page: public, again, or kept. `heard` is True if a passage of it was chosen for the page.
    """

    id: str
    when: str
    length: str
    state: str
    after: str
    heard: bool


@dataclass(frozen=True)
class RecordingPageHandlers:
    files: RecordingFileHandlers
    site: Site

    def show(self, call: Call) -> Answer[bytes]:
        row = call.ticket
        return self.site.page(
            call,
            "recordings.html",
            recordings=shown_recordings(row, page_language(call)),
            working=row["step"] is not None,
        )

    def delete(self, call: Call) -> Answer[None]:
        self.files.delete(call)
        return see_other(f"/t/{call.ticket_id}/recordings?done=deleted")


def shown_recordings(row: Row, language: str) -> Sequence[ShownRecording]:
    """Return the recordings of a ticket's row, oldest first."""
    heard = {transcription["recording_id"] for transcription in row["transcriptions"]}
    used = {recording["id"] for recording in used_recordings(row)}
    return [
        ShownRecording(
            recording["id"],
            format_moment(datetime.fromisoformat(recording["created_at"]), supported_language(language)),
            "{}:{:02}".format(*divmod(round(recording["duration_ms"] / 1000), 60)),
            _state(row, recording, recording["id"] in used, recording["id"] in heard),
            "public" if row["published"] else "again" if heard & used - {recording["id"]} else "kept",
            row["voice"] is not None and row["voice"]["recording_id"] == recording["id"],
        )
        for recording in row["recordings"]
    ]


def _state(row: Row, recording: Row, used: bool, heard: bool) -> str:
    if not used:
        return "unused"
    if recording["problem"] is not None:
        return "silent" if recording["problem"]["code"] == "no_speech" else "faulty"
    if row["step"] == Step.TRANSCRIBE and str(row["recording_id"]) == recording["id"]:
        return "working"
    return "used" if heard else "waiting"
