"""Corrections of a transcript by its holder, and earlier versions of transcript and draft."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import docx

from domain.values import Draft, Segment, Transcript
from tests.client import RECORDING, Client, Ticket
from tests.entrypoints.conftest import JobRunner
from tests.entrypoints.http.contract import pointers, problem

HEARD = Transcript(
    "My rough fell in. Help us.",
    "en",
    "fake",
    (Segment("My rough fell in.", 0, 1_500, uncertain=True), Segment("Help us.", 2_000, 2_600)),
)


def segments(ticket: Ticket) -> list[dict[str, Any]]:
    segments: list[dict[str, Any]] = ticket.get("/transcript").json()["segments"]
    return segments


def transcribed(ticket: Ticket, work: JobRunner) -> list[dict[str, Any]]:
    ticket.upload(RECORDING.read_bytes())
    ticket.post("/process")
    work.do(ticket, outcome=HEARD)
    return segments(ticket)


def correct(ticket: Ticket, *texts: tuple[str, str], **more: Any) -> Any:
    return ticket.patch("/transcript", {"corrections": [{"segmentId": id, "text": text} for id, text in texts]}, **more)


def test_a_correction_is_shown_in_every_format_and_the_original_is_kept(ticket: Ticket, work: JobRunner):
    first, _ = transcribed(ticket, work)
    assert (first["uncertain"], "originalText" in first) == (True, False)
    answer = correct(ticket, (first["id"], "My roof fell in."))
    assert answer.status_code == 200, answer.text
    assert answer.json()["segments"][0] == first | {
        "text": "My roof fell in.",
        "originalText": "My rough fell in.",
        "uncertain": False,
    }
    assert ticket.get("", params={"include": "transcriptions"}).json()["transcriptions"] == [answer.json()]
    for format in ("txt", "srt", "vtt"):
        text = ticket.get("/transcript", params={"format": format}).text
        assert "My roof fell in." in text
        assert "rough" not in text
    word = docx.Document(BytesIO(ticket.get("/transcript", params={"format": "docx"}).content))
    assert any("My roof fell in." in paragraph.text for paragraph in word.paragraphs)
    made = ticket.post("/generate-doc", {"docType": "OTHER"})
    printed = docx.Document(BytesIO(ticket.http.get(made.json()["filePath"]).content))
    assert any("My roof fell in." in paragraph.text for paragraph in printed.paragraphs)


def test_a_correction_drafts_again_without_transcribing_and_leaves_what_a_person_wrote(ticket: Ticket, work: JobRunner):
    first, _ = transcribed(ticket, work)
    ticket.patch("/draft", {"title": "My own title"})
    correct(ticket, (first["id"], "My roof fell in."))
    assert ticket.get("/status").json()["status"] == "PROCESSING"
    work.do(ticket, draft=Draft(title="A roof", story="My roof fell in."), outcome=AssertionError("transcribed again"))
    draft = ticket.get("", params={"include": "draft"}).json()["donationDraft"]
    assert (draft["title"], draft["story"]) == ("My own title", "My roof fell in.")
    types = [event["type"] for event in ticket.get("/history", params={"limit": 100}).json()["events"]]
    assert types.count("Transcribed") == 1
    assert types.count("DraftingRequested") == 1


def test_the_same_text_confirms_an_uncertain_segment_and_changes_nothing_else(ticket: Ticket, work: JobRunner):
    first, second = transcribed(ticket, work)
    version = ticket.get().json()["version"]
    assert correct(ticket, (second["id"], second["text"])).status_code == 200
    assert ticket.get().json()["version"] == version
    assert correct(ticket, (first["id"], first["text"])).json()["segments"][0]["uncertain"] is False
    assert ticket.get().json()["version"] > version


def test_going_back_to_the_original_is_one_more_correction(ticket: Ticket, work: JobRunner):
    first, _ = transcribed(ticket, work)
    correct(ticket, (first["id"], "My roof fell in."))
    corrected_version = ticket.get("/transcript/versions").json()["versions"][0]["version"]
    correct(ticket, (first["id"], "My rough fell in."))
    assert segments(ticket)[0]["text"] == "My rough fell in."
    versions = ticket.get("/transcript/versions").json()["versions"]
    assert [(version["fromText"], version["toText"]) for version in versions] == [
        ("My roof fell in.", "My rough fell in."),
        ("My rough fell in.", "My roof fell in."),
    ]
    restored = ticket.post("/transcript/restore", {"version": corrected_version})
    assert restored.json()["segments"][0]["text"] == "My roof fell in."
    page = ticket.get("/transcript/versions", params={"limit": 2}).json()
    assert len(page["versions"]) == 2
    older = ticket.get("/transcript/versions", params={"limit": 2, "cursor": page["nextCursor"]}).json()
    assert len(older["versions"]) == 1


def test_a_correction_of_an_unknown_segment_or_an_old_version_changes_nothing(ticket: Ticket, work: JobRunner):
    problem(correct(ticket, ("none", "Rain.")), 409, "conflict")
    first, second = transcribed(ticket, work)
    assert pointers(correct(ticket, (first["id"], "A."), (second["id"] + "0", "B."))) == ["/corrections/1/segmentId"]
    assert pointers(correct(ticket, (first["id"], "A."), (first["id"], "B."))) == ["/corrections"]
    assert pointers(correct(ticket, (first["id"], "A.\nB."))) == ["/corrections/0/text"]
    stale = {"If-Match": '"1"'}
    problem(correct(ticket, (first["id"], "A."), headers=stale), 412, "stale-version")
    assert [segment["text"] for segment in segments(ticket)] == [first["text"], second["text"]]


def test_a_person_goes_back_to_an_earlier_draft(ticket: Ticket, auditor: Client):
    ticket.write_draft(title="First", story="The roof fell in.")
    ticket.patch("/draft", {"title": "Second", "story": "It was the storm."})
    newest, oldest = ticket.get("/draft/versions").json()["versions"]
    assert set(newest["changed"]) == {"title", "story"}
    assert (oldest["draft"]["title"], oldest["draft"]["goalAmountMinor"]) == ("First", 150_000)
    assert (newest["actor"], newest["draft"]["story"]) == ("holder", "It was the storm.")
    restored = ticket.post("/draft/restore", {"version": oldest["version"]})
    assert (restored.json()["title"], restored.json()["story"]) == ("First", "The roof fell in.")
    assert ticket.get("/draft/versions").json()["versions"][0]["changed"] == ["title", "story"]
    masked = auditor.get(f"{ticket.path}/draft/versions").json()["versions"][0]["draft"]
    assert (masked["title"], masked["story"]) == ("[masked]", "[masked]")


def test_a_restored_draft_is_still_that_of_whoever_said_it(ticket: Ticket, work: JobRunner):
    ticket.upload(RECORDING.read_bytes())
    ticket.post("/process")
    work.do(ticket)
    drafted = ticket.get("", params={"include": "draft"}).json()["donationDraft"]
    version = ticket.get("/draft/versions").json()["versions"][0]["version"]
    ticket.patch("/draft", {"story": "I write something else."})
    restored = ticket.post("/draft/restore", {"version": version}).json()
    assert restored["story"] == drafted["story"]
    assert [source for source in restored["sources"] if source["field"] == "story" and source["number"]] == [
        source for source in drafted["sources"] if source["field"] == "story" and source["number"]
    ]


def test_only_a_version_that_the_ticket_had_is_restored(ticket: Ticket):
    ticket.write_draft()
    for version in (0, 1_000):
        assert pointers(ticket.post("/draft/restore", {"version": version})) == ["/version"]
    stale = ticket.post("/draft/restore", {"version": 1}, headers={"If-Match": '"1"'})
    problem(stale, 412, "stale-version")
