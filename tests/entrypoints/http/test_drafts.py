"""A recording or text becomes a draft, and a draft becomes a page and its documents, over HTTP."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from domain.errors import StepFailed
from domain.values import Draft, Source
from tests.client import RECORDING, Client, LiveService, Ticket
from tests.entrypoints.conftest import JobRunner, donate_in_sandbox
from tests.entrypoints.http.contract import pointers, problem
from tests.fakes.drafting import DRAFT as SPOKEN_DRAFT

DRAFT = {"title": "Help Ada", "story": "The roof fell in.", "goalAmount": 1500, "beneficiary": "Ada Lovelace"}


# The draft.


def test_a_story_may_be_written_by_hand_without_a_recording(ticket: Ticket):
    written = ticket.patch("/draft", DRAFT | {"location": "Paris", "category": "Housing", "breakdown": ["Roof"]}).json()
    sources = written.pop("sources")
    assert {(source["field"], source["number"], *source["authors"]) for source in sources} == {
        ("title", None, "holder"), ("story", 1, "holder"), ("goalAmount", None, "holder"),
        ("beneficiary", None, "holder"), ("location", None, "holder"), ("category", None, "holder"),
        ("breakdown", 1, "holder"),
    }  # fmt: skip
    assert written == {
        **DRAFT, "goalAmount": 1500, "goalAmountMinor": 150_000, "currency": "USD", "location": "Paris",
        "category": "Housing",
        "breakdown": ["Roof"], "language": None, "sentiment": None, "urgency": None, "keyPoints": [],
    }  # fmt: skip
    assert ticket.get().json()["status"] == "READY"


def test_null_clears_a_field_and_absent_fields_stay(ticket: Ticket):
    ticket.patch("/draft", DRAFT | {"breakdown": ["Roof"], "location": "Paris"})
    written = ticket.patch("/draft", {"location": None, "breakdown": None, "goalAmount": None}).json()
    assert (written["location"], written["breakdown"], written["goalAmount"]) == (None, [], None)
    assert (written["title"], written["story"]) == (DRAFT["title"], DRAFT["story"])
    assert ticket.get().json()["status"] == "NEEDS_INFO"


@pytest.mark.parametrize(
    ("change", "at"),
    [
        ({"title": "x" * 121}, "/title"), ({"title": ""}, "/title"), ({"title": "a\nb"}, "/title"),
        ({"title": 5}, "/title"),
        ({"story": "x" * 10_001}, "/story"), ({"story": "a\0b"}, "/story"), ({"goalAmount": 0}, "/goalAmount"),
        ({"goalAmount": -5}, "/goalAmount"), ({"goalAmount": "1.001"}, "/goalAmount"),
        ({"goalAmount": 10_000_001}, "/goalAmount"),
        ({"goalAmount": "1e5"}, "/goalAmount"), ({"goalAmount": True}, "/goalAmount"),
        ({"goalAmount": [1]}, "/goalAmount"),
        ({"goalAmount": "10.5", "currency": "JPY"}, "/goalAmount"), ({"currency": "XXX"}, "/currency"),
        ({"currency": "DOLLAR"}, "/currency"), ({"breakdown": "Roof"}, "/breakdown"),
        ({"breakdown": ["x"] * 21}, "/breakdown"),
        ({"breakdown": [5]}, "/breakdown/0"), ({"breakdown": ["ok", "x" * 201]}, "/breakdown/1"),
        ({"language": "en"}, "/language"),
        ({"titel": "x"}, "/titel"), ({"category": "x" * 61}, "/category"),
    ],
)  # fmt: skip
def test_a_draft_beyond_its_limits_is_refused(ticket: Ticket, change: dict[str, Any], at: str):
    assert pointers(ticket.patch("/draft", change)) == [at]


def test_a_goal_has_no_more_decimals_than_its_currency(ticket: Ticket):
    assert ticket.patch("/draft", {"goalAmount": "12.50", "currency": "eur"}).json()["currency"] == "EUR"
    assert pointers(ticket.patch("/draft", {"currency": "JPY"})) == ["/goalAmount"]
    written = ticket.patch("/draft", {"goalAmount": 1000, "currency": "JPY"})
    assert '"goalAmount":1000,' in written.text
    written = ticket.patch("/draft", {"goalAmount": "1.5", "currency": "KWD"})
    assert '"goalAmount":1.500,"goalAmountMinor":1500' in written.text


@pytest.mark.parametrize(("largest", "currency"), [(10_000_000, "USD"), (10_000_000, "KWD"), (1_000_000_000, "JPY")])
def test_a_goal_may_be_as_large_in_yen_as_in_dollars(ticket: Ticket, largest: int, currency: str):
    assert ticket.patch("/draft", {"goalAmount": largest, "currency": currency}).status_code == 200
    assert pointers(ticket.patch("/draft", {"goalAmount": largest + 1})) == ["/goalAmount"]


# Processing a recording.


def test_processing_needs_a_recording(ticket: Ticket):
    problem(ticket.post("/process"), 409, "conflict")
    problem(ticket.post("/retry"), 409, "conflict")


def test_processing_is_accepted_once_and_names_the_poll_url(ticket: Ticket):
    ticket.upload(RECORDING.read_bytes())
    answer = ticket.post("/process", {"audioFilePath": "/etc/passwd"})
    assert answer.status_code == 202
    assert answer.json() == {"ticketId": ticket.id, "status": "PROCESSING", "pollUrl": f"{ticket.path}/status"}
    assert answer.headers["location"] == f"{ticket.path}/status"
    assert int(answer.headers["retry-after"]) >= 1
    repeated = ticket.post("/process")
    assert problem(repeated, 409, "conflict")["pollUrl"] == f"{ticket.path}/status"
    status = ticket.get("/status").json()
    assert (status["status"], status["stage"], status["needsInfo"], status["error"]) == (
        "PROCESSING",
        "TRANSCRIBING",
        None,
        None,
    )
    assert 0 <= status["progress"] < 100


def test_finished_steps_show_in_the_status(ticket: Ticket, work: JobRunner):
    ticket.upload(RECORDING.read_bytes())
    ticket.post("/process")
    work.do(ticket)
    status = ticket.get("/status").json()
    assert (status["stage"], status["progress"], status["status"]) == ("DONE", 100, "READY")
    assert (status["hasTranscription"], status["hasDraft"], status["hasDocument"]) == (True, True, False)
    [body] = ticket.get(params={"include": "transcriptions"}).json()["transcriptions"]
    assert (body["language"], body["engine"]) == ("en", "fake")
    draft = ticket.get(params={"include": "draft"}).json()["donationDraft"]
    assert (draft["language"], draft["sentiment"]) == ("en", "negative")
    assert draft["keyPoints"]


def test_no_job_overwrites_a_draft_that_a_person_wrote(ticket: Ticket, work: JobRunner):
    ticket.patch("/draft", {"title": "My own title", "location": None})
    ticket.upload(RECORDING.read_bytes())
    ticket.post("/process")
    ticket.patch("/draft", {"story": "My own story."})
    work.do(ticket)
    draft = ticket.get(params={"include": "draft"}).json()["donationDraft"]
    assert (draft["title"], draft["story"], draft["location"]) == ("My own title", "My own story.", None)
    assert draft["beneficiary"] == "Ada Moss"


def test_every_sentence_shows_where_it_was_said_or_who_wrote_it(ticket: Ticket, work: JobRunner):
    recording = ticket.upload(RECORDING.read_bytes()).json()["audioId"]
    ticket.post("/process")
    work.do(ticket)
    draft = ticket.get(params={"include": "draft"}).json()["donationDraft"]
    ticket.patch("/draft", {"story": draft["story"] + " Thank you."})
    draft = ticket.get(params={"include": "draft"}).json()["donationDraft"]
    assert draft["engine"] == "fake"
    story = [source for source in draft["sources"] if source["field"] == "story"]
    assert [(source["text"], source["authors"]) for source in story] == [
        ("My name is Ada Moss.", []),
        ("We need fifteen hundred dollars for the rent.", []),
        ("Thank you.", ["holder"]),
    ]
    assert [span["recordingId"] for source in story for span in source["spans"]] == [recording, recording]


def test_a_sentence_that_nobody_said_or_wrote_is_not_published(ticket: Ticket, work: JobRunner):
    ticket.upload(RECORDING.read_bytes())
    ticket.post("/process")
    work.do(
        ticket,
        replace(SPOKEN_DRAFT, story="We need help. Send money now.", sources=(Source("story", 1, start=0, end=9),)),
    )
    refused = problem(ticket.post("/publish", {"consent": True}), 409, "conflict")
    assert "sentence 2 of the story" in refused["detail"]
    assert "money" not in refused["detail"]


def test_a_step_that_would_fail_again_is_not_repeated(ticket: Ticket, work: JobRunner):
    ticket.upload(RECORDING.read_bytes())
    ticket.post("/process")
    work.do(ticket, outcome=StepFailed("no_speech", "Nobody speaks.", retryable=False))
    refused = problem(ticket.post("/retry"), 409, "conflict")
    assert refused["detail"] == "This recording would fail again. Upload another one, or write the draft by hand."
    assert ticket.get("/status").json()["status"] == "ERROR"
    ticket.upload(RECORDING.read_bytes())
    assert ticket.post("/process").status_code == 202


def test_a_failed_step_may_be_repeated(ticket: Ticket, work: JobRunner):
    ticket.upload(RECORDING.read_bytes())
    ticket.post("/process")
    work.do(ticket, outcome=StepFailed("transcriber_unavailable", "Later.", retryable=True))
    status = ticket.get("/status").json()
    assert (status["status"], status["stage"]) == ("ERROR", "FAILED")
    assert status["error"] == {"code": "transcriber_unavailable", "message": "Later.", "retryable": True}
    assert ticket.post("/retry").status_code == 202
    work.do(ticket)
    assert ticket.get("/status").json()["error"] is None


def test_missing_information_is_asked_for_and_may_be_provided(ticket: Ticket, work: JobRunner):
    problem(ticket.post("/provide-info", {"beneficiary": "Ada"}), 409, "conflict")
    ticket.upload(RECORDING.read_bytes())
    ticket.post("/process")
    work.do(ticket, Draft(title="Help", story="A story."))
    status = ticket.get("/status").json()
    assert status["needsInfo"]["missingFields"] == ["goalAmount", "beneficiary"]
    assert len(status["needsInfo"]["suggestedQuestions"]) == 2
    status = ticket.post("/provide-info", {"goalAmount": "500", "currency": "EUR"})
    assert (status.status_code, status.json()["status"]) == (200, "NEEDS_INFO")
    assert status.json()["needsInfo"]["missingFields"] == ["beneficiary"]
    assert pointers(ticket.post("/provide-info", {"title": "no"})) == ["/title"]
    completed = ticket.post("/provide-info", {"beneficiary": "Ada", "location": "Paris"}).json()
    assert (completed["status"], completed["stage"], completed["needsInfo"]) == ("READY", "DONE", None)


# The page and its documents.


def test_publishing_needs_consent_and_a_complete_draft(ticket: Ticket):
    for body in ({}, {"consent": False}, {"consent": "true"}, {"consent": 1}, {"consent": None}):
        assert pointers(ticket.post("/publish", body)) == ["/consent"]
    problem(ticket.post("/publish", {"consent": True}), 409, "conflict")
    ticket.patch("/draft", DRAFT | {"beneficiary": None})
    problem(ticket.post("/publish", {"consent": True}), 409, "conflict")
    ticket.patch("/draft", {"beneficiary": "Ada"})
    body = ticket.post("/publish", {"consent": True}).json()
    assert (body["status"], body["publicUrl"]) == ("PUBLISHED", ticket.get("/qr-code").json()["targetUrl"])
    repeated = ticket.post("/publish", {"consent": True}).json()
    assert repeated["version"] == body["version"]
    assert ticket.post("/unpublish").json()["status"] == "READY"


def test_documents_are_generated_listed_and_downloaded(live: LiveService, ticket: Ticket, work: JobRunner):
    for type in ("GOFUNDME_DRAFT", "OTHER"):
        problem(ticket.post("/generate-doc", {"docType": type}), 409, "conflict")
    ticket.upload(RECORDING.read_bytes())
    ticket.post("/process")
    work.do(ticket)
    donation = donate_in_sandbox(live, ticket)
    generated = []
    for type, more in (("GOFUNDME_DRAFT", {}), ("OTHER", {}), ("RECEIPT", {"donationId": donation})):
        for format, magic in (("docx", b"PK"), ("pdf", b"%PDF")):
            answer = ticket.post("/generate-doc", {"docType": type, "format": format} | more)
            assert answer.status_code == 201, answer.text
            body = answer.json()
            assert (body["type"], body["format"]) == (type, format)
            generated.append(body)
            file = ticket.http.get(body["filePath"])
            assert file.content.startswith(magic)
            assert file.headers["content-length"] == str(body["sizeBytes"]) == str(len(file.content))
            assert file.headers["etag"] == f'"{body["sha256"]}"'
            assert file.headers["content-disposition"].startswith("attachment; filename*=UTF-8''")
            for etag_condition in (file.headers["etag"], f'"other", W/{file.headers["etag"]}', "*"):
                not_modified = ticket.http.get(body["filePath"], headers={"If-None-Match": etag_condition})
                assert (not_modified.status_code, not_modified.content, not_modified.headers["etag"]) == (
                    304,
                    b"",
                    file.headers["etag"],
                )
            assert ticket.http.get(body["filePath"], headers={"If-None-Match": '"other"'}).status_code == 200
    assert ticket.get("/documents").json() == generated[::-1]
    assert ticket.post("/generate-doc", {"docType": "OTHER"}).json()["format"] == "docx"


def test_a_receipt_needs_a_paid_donation_of_the_same_ticket(live: LiveService, client: Client, ticket: Ticket):
    assert pointers(ticket.post("/generate-doc", {"docType": "RECEIPT"})) == ["/donationId"]
    unpaid = ticket.pay()["donationId"]
    problem(ticket.post("/generate-doc", {"docType": "RECEIPT", "donationId": unpaid}), 409, "conflict")
    foreign = donate_in_sandbox(live, client.open_ticket())
    problem(ticket.post("/generate-doc", {"docType": "RECEIPT", "donationId": foreign}), 404, "not-found")
    for body, at in (({"docType": "LETTER"}, "/docType"), ({"docType": "OTHER", "format": "odt"}, "/format"),
                     ({"docType": "RECEIPT", "donationId": "x"}, "/donationId")):  # fmt: skip
        assert pointers(ticket.post("/generate-doc", body)) == [at]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "application/json"), ("*/*", "application/json"), ("image/png", "image/png"),
        ("image/svg+xml", "image/svg+xml"),
        ("image/*", "image/png"), ("image/svg+xml;q=0.9, image/png;q=0.1", "image/svg+xml"),
        ("text/html, image/png;q=0.5, */*;q=0.1", "image/png"), ("application/json, image/png", "application/json"),
        ("image/png;q=x, ;;;,", "application/json"),
        ("image/*, image/png;q=0", "image/svg+xml"), ("*/*;q=0.5, application/json;q=0", "image/png"),
        ("text/plain", "application/json"),
    ],
)  # fmt: skip
def test_a_qr_code_has_the_format_that_the_client_accepts(ticket: Ticket, accept: str | None, kind: str):
    answer = ticket.get("/qr-code", headers={"Accept": accept} if accept else {"Accept": ""})
    assert answer.headers["content-type"].split(";")[0] == kind
    assert "accept" in answer.headers["vary"].lower()
