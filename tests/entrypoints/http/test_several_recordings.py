"""A ticket has several recordings: the draft and the transcript are made of all of them, and each can be deleted."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import BinaryIO
from uuid import UUID, uuid4

import docx

from domain.errors import StepFailed
from domain.ports import Report
from domain.values import Draft, Segment, Transcript, Word
from tests.client import DEMO_RECORDING, RECORDING, Client, LiveService, Ticket
from tests.entrypoints.conftest import JobRunner
from tests.entrypoints.http.contract import problem
from tests.entrypoints.http.test_corrections import correct, segments
from tests.fakes.mailbox import files

FIRST = Transcript(
    "My roof fell in.",
    "en",
    "fake",
    (Segment("My roof fell in.", 0, 900),),
    (Word("My", 0, 100), Word("roof", 100, 300), Word("fell", 300, 600), Word("in.", 600, 900)),
)
SECOND = Transcript(
    "Help us.", "en", "fake", (Segment("Help us.", 100, 700),), (Word("Help", 100, 400), Word("us.", 400, 700))
)


class SilentFirst:
    """Hears nobody in one of the two recordings."""

    def transcribe(self, recording: BinaryIO, report: Report, hints: Sequence[str] = ()) -> Transcript:
        if recording.read() == RECORDING.read_bytes():
            raise StepFailed("no_speech", "Nothing was said.", retryable=False)
        return SECOND


def told(ticket: Ticket, work: JobRunner, transcript: Transcript, data: bytes) -> str:
    """Upload and process a recording, and return its id."""
    recording_id: str = ticket.upload(data).json()["audioId"]
    assert ticket.post("/process").status_code == 202
    work.do(ticket, Draft(title=transcript.text, story=transcript.text), transcript)
    return recording_id


def told_twice(ticket: Ticket, work: JobRunner) -> tuple[str, str]:
    return (
        told(ticket, work, FIRST, RECORDING.read_bytes()),
        told(ticket, work, SECOND, DEMO_RECORDING.read_bytes()),
    )


def delete(ticket: Ticket, recording_id: str) -> None:
    answer = ticket.http.delete(f"{ticket.path}/recordings/{recording_id}")
    assert answer.status_code == 204, answer.text


def test_every_format_of_the_transcript_has_all_recordings_in_their_order(ticket: Ticket, work: JobRunner):
    first, second = told_twice(ticket, work)
    shown = ticket.get("/transcript").json()
    assert shown["text"] == "My roof fell in.\n\nHelp us."
    assert [(part["id"], part["recordingId"], part["startMs"]) for part in shown["segments"]] == [
        (f"{first}.1", first, 0),
        (f"{second}.1", second, 100),
    ]
    assert [(word["text"], word["recordingId"]) for word in shown["words"]][3:5] == [("in.", first), ("Help", second)]
    assert ticket.get("/transcript", params={"format": "txt"}).text == "My roof fell in.\n\nHelp us.\n"
    length_ms = round(ticket.get("/recordings").json()[0]["durationSeconds"] * 1000)
    begins = f"{(length_ms + 100) // 1000:02}{{mark}}{(length_ms + 100) % 1000:03} -->"
    for format, mark in (("srt", ","), ("vtt", ".")):
        assert begins.format(mark=mark) in ticket.get("/transcript", params={"format": format}).text
    word_file = docx.Document(BytesIO(ticket.get("/transcript", params={"format": "docx"}).content))
    text = "\n".join(paragraph.text for paragraph in word_file.paragraphs)
    assert 0 <= text.find("My roof fell in.") < text.find("Help us.")
    included = ticket.get("", params={"include": "transcriptions"}).json()["transcriptions"]
    assert [each["text"] for each in included] == ["Help us.", "My roof fell in."]


def test_a_segment_of_each_recording_can_be_corrected(ticket: Ticket, work: JobRunner):
    first, second = told_twice(ticket, work)
    assert correct(ticket, (f"{first}.1", "Our roof fell in."), (f"{second}.1", "Help me.")).status_code == 200
    assert [part["text"] for part in segments(ticket)] == ["Our roof fell in.", "Help me."]
    delete(ticket, first)
    assert [part["originalText"] for part in segments(ticket)] == ["Help us."]
    assert [each["toText"] for each in ticket.get("/transcript/versions").json()["versions"]] == ["Help me."]


def test_a_new_recording_is_transcribed_alone_and_the_draft_names_where_it_was_said(ticket: Ticket, work: JobRunner):
    first, second = told_twice(ticket, work)
    events = ticket.get("/history", params={"limit": 100}).json()["events"]
    assert [event["data"]["recordingId"] for event in events if event["type"] == "Transcribed"] == [first, second]
    sources = ticket.get("", params={"include": "draft"}).json()["donationDraft"]["sources"]
    assert [span["recordingId"] for span in sources[0]["spans"]] == [first, second]
    assert [span["start"] for span in sources[0]["spans"]] == [0, 0]


def test_a_deleted_recording_is_gone_from_list_storage_transcript_and_draft(
    live: LiveService, ticket: Ticket, work: JobRunner
):
    first, second = told_twice(ticket, work)
    stored = len(live.stored_objects())
    for _ in range(2):
        delete(ticket, first)
    assert len(live.stored_objects()) == stored - 2
    assert [recording["id"] for recording in ticket.get("/recordings").json()] == [second]
    problem(ticket.get(f"/recordings/{first}"), 404, "not-found")
    assert ticket.get("/transcript").json()["text"] == "Help us."
    assert ticket.get("/status").json()["status"] == "PROCESSING"
    work.do(ticket, Draft(title="Help us.", story="Help us."), AssertionError("transcribed again"))
    draft = ticket.get("", params={"include": "draft"}).json()["donationDraft"]
    assert (draft["title"], [span["recordingId"] for span in draft["sources"][0]["spans"]]) == ("Help us.", [second])


def test_the_text_of_a_public_page_stays_when_a_recording_is_deleted(ticket: Ticket, work: JobRunner):
    first, second = told_twice(ticket, work)
    ticket.patch("/draft", {"goalAmount": 100, "beneficiary": "Ada"})
    ticket.publish()
    before = ticket.get("", params={"include": "draft"}).json()
    delete(ticket, first)
    delete(ticket, second)
    after = ticket.get("", params={"include": "draft"}).json()
    assert (after["status"], after["donationDraft"]["story"]) == ("PUBLISHED", before["donationDraft"]["story"])
    problem(ticket.get("/transcript"), 409, "conflict")
    assert ticket.get("/recordings").json() == []


def test_a_recording_without_speech_is_marked_and_the_others_make_the_draft(ticket: Ticket, work: JobRunner):
    for data in (RECORDING.read_bytes(), DEMO_RECORDING.read_bytes()):
        ticket.upload(data)
    ticket.post("/process")
    work.do(ticket, outcome=SilentFirst())
    assert ticket.get("/status").json()["error"] is None
    listed = ticket.get("/recordings").json()
    assert [recording.get("error", {}).get("code") for recording in listed] == ["no_speech", None]
    assert ticket.get("/transcript").json()["text"] == SECOND.text


def test_no_mail_says_that_one_of_several_recordings_failed(live: LiveService, client: Client, work: JobRunner):
    address = f"{uuid4()}@example.com"
    ticket = client.open_ticket(contactValue=address)
    for data in (RECORDING.read_bytes(), DEMO_RECORDING.read_bytes()):
        ticket.upload(data)
    ticket.post("/process")
    work.do(ticket, outcome=SilentFirst())
    live.service.mail.sender.run_all()
    assert [mail["Subject"] for mail in files(live.settings.outbox, address)] == ["Your page is ready to read"]


def test_the_progress_counts_all_recordings(ticket: Ticket, work: JobRunner):
    told(ticket, work, FIRST, RECORDING.read_bytes())
    ticket.upload(DEMO_RECORDING.read_bytes())
    ticket.post("/process")
    # One of two is done; the transcription takes from 5 to 75 per cent.
    assert ticket.get("/status").json()["progress"] == 40


def test_only_who_may_write_deletes_a_recording(ticket: Ticket, client: Client, auditor: Client, admin: Client):
    recording_id = ticket.upload(RECORDING.read_bytes()).json()["audioId"]
    path = f"{ticket.path}/recordings/{recording_id}"
    other = client.open_ticket(contactValue="grace@example.com")
    assert other.http.delete(path).status_code == 404
    assert other.http.delete(f"{other.path}/recordings/{recording_id}").status_code == 404
    assert (client.delete(path).status_code, auditor.delete(path).status_code, admin.delete(path).status_code) == (
        401,
        403,
        403,
    )
    stale = ticket.http.delete(path, headers={"If-Match": '"1"'})
    problem(stale, 412, "stale-version")
    assert [UUID(recording["id"]) for recording in ticket.get("/recordings").json()] == [UUID(recording_id)]
