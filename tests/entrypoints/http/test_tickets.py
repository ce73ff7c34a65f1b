"""Tickets over HTTP: opened, read, found, changed, worked on, published, printed, erased."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from domain.errors import StepFailed
from domain.values import Draft, Role
from tests.client import RECORDING, Client, LiveService, Ticket
from tests.entrypoints.http.conftest import Work, given
from tests.entrypoints.http.contract import pointers, problem

CREATE = "/api/tickets/create"
FIELDS = {
    "id", "contactType", "contactValue", "displayName", "status", "contentStatus", "fundingStatus", "createdAt",
    "updatedAt", "version",
}  # fmt: skip
DRAFT = {"title": "Help Ada", "story": "The roof fell in.", "goalAmount": 1500, "beneficiary": "Ada Lovelace"}


# Opened.


def test_opening_a_ticket_gives_it_with_its_token_and_its_place(client: Client):
    answer = client.post(
        CREATE, json={"contactType": "EMAIL", "contactValue": "Ada@Example.COM", "displayName": " Ada "}
    )
    assert answer.status_code == 201
    opened = answer.json()
    assert set(opened) == FIELDS | {"accessToken"}
    assert (opened["contactValue"], opened["displayName"]) == ("ada@example.com", "Ada")
    assert (opened["status"], opened["contentStatus"], opened["fundingStatus"]) == ("DRAFT", "DRAFT", "NONE")
    assert opened["id"][14] == "7"
    assert opened["createdAt"].endswith("Z")
    assert opened["accessToken"].startswith("tkt_")
    assert answer.headers["location"] == f"/api/tickets/{opened['id']}"
    with Client(base_url=client.base_url, headers={"Authorization": f"Bearer {opened['accessToken']}"}) as holder:
        seen = holder.get(answer.headers["location"]).json()
        assert seen == {name: value for name, value in opened.items() if name != "accessToken"}


@pytest.mark.parametrize(
    ("type", "typed", "normal"),
    [
        ("EMAIL", "  Ada.L+x@EXAMPLE.com ", "ada.l+x@example.com"),
        ("PHONE", "(415) 555-0132", "+14155550132"),
        ("PHONE", "+49 30 901820", "+4930901820"),
        ("SOCIAL", "@Ada.Lovelace", "@ada.lovelace"),
        ("SOCIAL", "https://social.example/Ada/", "https://social.example/Ada"),
    ],
)
def test_a_contact_is_kept_in_its_one_form(client: Client, type: str, typed: str, normal: str):
    opened = client.post(CREATE, json={"contactType": type, "contactValue": typed}).json()
    assert opened["contactValue"] == normal


@pytest.mark.parametrize(
    ("type", "typed"),
    [
        ("EMAIL", "ada"), ("EMAIL", "ada@"), ("EMAIL", "a b@example.com"), ("EMAIL", "a@b@c.com"), ("EMAIL", "@example.com"),
        ("PHONE", "12"), ("PHONE", "call me"), ("PHONE", "+0"), ("SOCIAL", "two words"), ("SOCIAL", "javascript:alert(1)"),
        ("SOCIAL", "ftp://x.example/a"), ("SOCIAL", "https://"), ("SOCIAL", "https://u:p@x.example"), ("SOCIAL", "@"),
        ("SOCIAL", "https://["),
    ],
)  # fmt: skip
def test_what_is_no_contact_of_its_type_is_refused(client: Client, type: str, typed: str):
    answer = client.post(CREATE, json={"contactType": type, "contactValue": typed})
    assert pointers(answer) == ["/contactValue"]


# Read.


def test_a_ticket_shows_what_is_asked_for_and_nothing_else(ticket: Ticket):
    assert set(ticket.get().json()) == FIELDS
    whole = ticket.get(params={"include": "draft,documents,attributions,qr,transcriptions,support"}).json()
    assert (whole["donationDraft"], whole["documents"], whole["attributions"]) == (None, [], [])
    assert (whole["transcriptions"], whole["supportTickets"]) == ([], [])
    assert set(whole["qrCode"]) == {"qrCodeData", "targetUrl", "createdAt"}
    assert set(ticket.get(params={"include": "draft"}).json()) == FIELDS | {"donationDraft"}
    assert pointers(ticket.get(params={"include": "draft,everything"})) == ["/include"]


def test_attributions_carry_stripes_ids_and_the_donors_keyed_hash(live: LiveService, ticket: Ticket):
    given(live, ticket)
    [gift] = ticket.get(params={"include": "attributions"}).json()["attributions"]
    assert gift["paymentIntentId"].startswith("pi_")
    assert gift["chargeId"].startswith("ch_")
    assert gift["donorEmailHash"]
    assert "grace@example.com" not in str(gift)


# Found.


def test_a_contact_finds_the_tickets_of_ones_own_workspace_newest_first(live: LiveService, workspace: str):
    with live.client_with_key(Role.CLIENT, "tickets:write", "tickets:search", workspace=workspace) as client:
        contact = f"{workspace}@example.com"
        opened = [client.open_ticket(contactValue=contact).id for _ in range(3)]
        live.client().open_ticket(contactValue=contact)
        answer = client.get("/api/tickets/search", params={"contact": contact.upper()})
        assert [found["id"] for found in answer.json()["tickets"]] == opened[::-1]
        assert set(answer.json()) == {"tickets", "nextCursor"}
        assert answer.json()["tickets"][0]["donationDraft"] is None
        profiles = client.get("/api/profiles/search", params={"contact": contact}).json()
        assert (profiles["success"], profiles["count"]) == (True, 3)
        assert client.get("/api/tickets/search", params={"contact": "nobody@x.co"}).json()["tickets"] == []
    with live.client_with_key(Role.ADMIN) as admin:
        assert len(admin.get("/api/tickets/search", params={"contact": contact}).json()["tickets"]) == 4


def test_a_holder_finds_their_own_ticket_however_many_others_share_the_contact(
    live: LiveService, client: Client, workspace: str
):
    contact = f"{workspace}@example.com"
    mine = client.open_ticket(contactValue=contact)
    for _ in range(3):
        client.open_ticket(contactValue=contact)
    answer = mine.http.get("/api/tickets/search", params={"contact": contact, "limit": "2"}).json()
    assert [found["id"] for found in answer["tickets"]] == [mine.id]
    assert answer["nextCursor"] is None


def test_what_is_found_shows_its_draft_in_short(ticket: Ticket, client: Client, workspace: str):
    mine = client.open_ticket(contactValue=f"{workspace}@example.com")
    mine.write_draft()
    [found] = mine.http.get("/api/tickets/search", params={"contact": f"{workspace}@example.com"}).json()["tickets"]
    assert found["donationDraft"] == {
        "title": "Help Ada",
        "goalAmount": 1500,
        "goalAmountMinor": 150_000,
        "currency": "USD",
    }


def test_a_search_says_whom_it_is_for(ticket: Ticket):
    for query in ({}, {"contact": ""}, {"contact": "  "}):
        assert pointers(ticket.http.get("/api/tickets/search", params=query)) == ["/contact"]


def test_pages_are_stable_while_tickets_are_added(live: LiveService, workspace: str):
    with live.client_with_key(Role.CLIENT, "tickets:write", "tickets:search", workspace=workspace) as client:
        contact = f"{workspace}@example.com"
        opened = [client.open_ticket(contactValue=contact).id for _ in range(5)]
        seen: list[str] = []
        address: Any = f"/api/tickets/search?contact={contact}&limit=2"
        while address:
            answer = client.get(address)
            seen += [found["id"] for found in answer.json()["tickets"]]
            client.open_ticket(contactValue=contact)
            assert (answer.json()["nextCursor"] is None) is ("link" not in answer.headers)
            address = answer.links["next"]["url"] if "link" in answer.headers else None
        assert seen == opened[::-1]


@pytest.mark.parametrize("path", ["/api/tickets/search?contact=a@b.co", "{}/donations?", "{}/history?"])
def test_limits_and_cursors_are_checked(ticket: Ticket, path: str):
    address = path.replace("{}", ticket.path)
    for limit in ("1", "100"):
        assert ticket.http.get(f"{address}&limit={limit}").status_code == 200
    for limit in ("0", "101", "-1", "x", "", "1.5", "9" * 30, "٣"):
        assert pointers(ticket.http.get(f"{address}&limit={limit}")) == ["/limit"]
    crafted = [
        "[]",
        "null",
        "[0]x",
        '["2026-01-01T00:00:00Z"]',
        '[0, "2026-01-01T00:00:00Z", "x"]',
        "[-1]",
        "[1e9]",
        "[true]",
    ]
    for cursor in ("x", "", "!", "é", "a" * 600, *(base64.urlsafe_b64encode(c.encode()).decode() for c in crafted)):
        assert pointers(
            ticket.http.get(address, params=dict(cursor=cursor, **({"contact": "a@b.co"} if "contact" in path else {})))
        ) == ["/cursor"]


# Changed.


def test_a_display_name_may_be_changed_and_cleared(ticket: Ticket):
    assert ticket.patch("", {"displayName": "Grace"}).json()["displayName"] == "Grace"
    assert ticket.patch("", {"displayName": None}).json()["displayName"] is None
    assert pointers(ticket.patch("", {})) == ["/displayName"]


def test_neither_status_nor_contact_are_set_by_a_client(ticket: Ticket):
    for field, value in (("status", "PUBLISHED"), ("contentStatus", "READY"), ("contactValue", "x@y.co"), ("id", "1")):
        assert pointers(ticket.patch("", {"displayName": "Ada", field: value})) == [f"/{field}"]
    assert ticket.get().json()["status"] == "DRAFT"


# The draft.


def test_a_story_may_be_written_by_hand_with_no_recording_at_all(ticket: Ticket):
    written = ticket.patch("/draft", DRAFT | {"location": "Paris", "category": "Housing", "breakdown": ["Roof"]}).json()
    assert written == {
        **DRAFT, "goalAmount": 1500, "goalAmountMinor": 150_000, "currency": "USD", "location": "Paris",
        "category": "Housing", "breakdown": ["Roof"], "language": None, "sentiment": None, "urgency": None, "keyPoints": [],
    }  # fmt: skip
    assert ticket.get().json()["status"] == "READY"


def test_null_clears_and_what_is_absent_stays(ticket: Ticket):
    ticket.patch("/draft", DRAFT | {"breakdown": ["Roof"], "location": "Paris"})
    written = ticket.patch("/draft", {"location": None, "breakdown": None, "goalAmount": None}).json()
    assert (written["location"], written["breakdown"], written["goalAmount"]) == (None, [], None)
    assert (written["title"], written["story"]) == (DRAFT["title"], DRAFT["story"])
    assert ticket.get().json()["status"] == "NEEDS_INFO"


@pytest.mark.parametrize(
    ("change", "at"),
    [
        ({"title": "x" * 121}, "/title"), ({"title": ""}, "/title"), ({"title": "a\nb"}, "/title"), ({"title": 5}, "/title"),
        ({"story": "x" * 10_001}, "/story"), ({"story": "a\0b"}, "/story"), ({"goalAmount": 0}, "/goalAmount"),
        ({"goalAmount": -5}, "/goalAmount"), ({"goalAmount": "1.001"}, "/goalAmount"), ({"goalAmount": 10_000_001}, "/goalAmount"),
        ({"goalAmount": "1e5"}, "/goalAmount"), ({"goalAmount": True}, "/goalAmount"), ({"goalAmount": [1]}, "/goalAmount"),
        ({"goalAmount": "10.5", "currency": "JPY"}, "/goalAmount"), ({"currency": "XXX"}, "/currency"),
        ({"currency": "DOLLAR"}, "/currency"), ({"breakdown": "Roof"}, "/breakdown"), ({"breakdown": ["x"] * 21}, "/breakdown"),
        ({"breakdown": [5]}, "/breakdown/0"), ({"breakdown": ["ok", "x" * 201]}, "/breakdown/1"), ({"language": "en"}, "/language"),
        ({"titel": "x"}, "/titel"), ({"category": "x" * 61}, "/category"),
    ],
)  # fmt: skip
def test_a_draft_has_limits(ticket: Ticket, change: dict[str, Any], at: str):
    assert pointers(ticket.patch("/draft", change)) == [at]


def test_a_goal_keeps_to_its_currency(ticket: Ticket):
    assert ticket.patch("/draft", {"goalAmount": "12.50", "currency": "eur"}).json()["currency"] == "EUR"
    assert pointers(ticket.patch("/draft", {"currency": "JPY"})) == ["/goalAmount"]
    written = ticket.patch("/draft", {"goalAmount": 1000, "currency": "JPY"})
    assert '"goalAmount":1000,' in written.text
    written = ticket.patch("/draft", {"goalAmount": "1.5", "currency": "KWD"})
    assert '"goalAmount":1.500,"goalAmountMinor":1500' in written.text


# The work on a recording.


def test_processing_needs_a_recording(ticket: Ticket):
    problem(ticket.post("/process"), 409, "conflict")
    problem(ticket.post("/retry"), 409, "conflict")


def test_processing_is_accepted_once_and_told_where_to_look(ticket: Ticket):
    ticket.upload(RECORDING.read_bytes())
    answer = ticket.post("/process", {"audioFilePath": "/etc/passwd"})
    assert answer.status_code == 202
    assert answer.json() == {"ticketId": ticket.id, "status": "PROCESSING", "pollUrl": f"{ticket.path}/status"}
    assert answer.headers["location"] == f"{ticket.path}/status"
    assert int(answer.headers["retry-after"]) >= 1
    again = ticket.post("/process")
    assert problem(again, 409, "conflict")["pollUrl"] == f"{ticket.path}/status"
    status = ticket.get("/status").json()
    assert (status["status"], status["stage"], status["needsInfo"], status["error"]) == (
        "PROCESSING",
        "TRANSCRIBING",
        None,
        None,
    )
    assert 0 <= status["progress"] < 100


def test_work_that_is_done_shows_in_the_status(ticket: Ticket, work: Work):
    ticket.upload(RECORDING.read_bytes())
    ticket.post("/process")
    work.do(ticket)
    status = ticket.get("/status").json()
    assert (status["stage"], status["progress"], status["status"]) == ("DONE", 100, "READY")
    assert (status["hasTranscription"], status["hasDraft"], status["hasDocument"]) == (True, True, False)
    [told] = ticket.get(params={"include": "transcriptions"}).json()["transcriptions"]
    assert (told["language"], told["engine"]) == ("en", "fake")
    draft = ticket.get(params={"include": "draft"}).json()["donationDraft"]
    assert (draft["language"], draft["sentiment"]) == ("en", "negative")
    assert draft["keyPoints"]


def test_what_a_person_wrote_wins_over_every_job(ticket: Ticket, work: Work):
    ticket.patch("/draft", {"title": "My own title", "location": None})
    ticket.upload(RECORDING.read_bytes())
    ticket.post("/process")
    ticket.patch("/draft", {"story": "My own story."})
    work.do(ticket)
    draft = ticket.get(params={"include": "draft"}).json()["donationDraft"]
    assert (draft["title"], draft["story"], draft["location"]) == ("My own title", "My own story.", None)
    assert draft["beneficiary"] == "Ada Moss"


def test_work_that_failed_may_be_tried_again(ticket: Ticket, work: Work):
    ticket.upload(RECORDING.read_bytes())
    ticket.post("/process")
    work.do(ticket, outcome=StepFailed("no_speech", "Nobody speaks.", retryable=False))
    status = ticket.get("/status").json()
    assert (status["status"], status["stage"]) == ("ERROR", "FAILED")
    assert status["error"] == {"code": "no_speech", "message": "Nobody speaks.", "retryable": False}
    assert ticket.post("/retry").status_code == 202
    work.do(ticket)
    assert ticket.get("/status").json()["error"] is None


def test_what_is_missing_is_asked_for_and_may_be_provided(ticket: Ticket, work: Work):
    problem(ticket.post("/provide-info", {"beneficiary": "Ada"}), 409, "conflict")
    ticket.upload(RECORDING.read_bytes())
    ticket.post("/process")
    work.do(ticket, Draft(title="Help", story="A story."))
    asked = ticket.get("/status").json()
    assert asked["needsInfo"]["missingFields"] == ["goalAmount", "beneficiary"]
    assert len(asked["needsInfo"]["suggestedQuestions"]) == 2
    status = ticket.post("/provide-info", {"goalAmount": "500", "currency": "EUR"})
    assert (status.status_code, status.json()["status"]) == (200, "NEEDS_INFO")
    assert status.json()["needsInfo"]["missingFields"] == ["beneficiary"]
    assert pointers(ticket.post("/provide-info", {"title": "no"})) == ["/title"]
    done = ticket.post("/provide-info", {"beneficiary": "Ada", "location": "Paris"}).json()
    assert (done["status"], done["stage"], done["needsInfo"]) == ("READY", "DONE", None)


# The page and its papers.


def test_publishing_needs_consent_and_a_complete_draft(ticket: Ticket):
    for body in ({}, {"consent": False}, {"consent": "true"}, {"consent": 1}, {"consent": None}):
        assert pointers(ticket.post("/publish", body)) == ["/consent"]
    problem(ticket.post("/publish", {"consent": True}), 409, "conflict")
    ticket.patch("/draft", DRAFT | {"beneficiary": None})
    problem(ticket.post("/publish", {"consent": True}), 409, "conflict")
    ticket.patch("/draft", {"beneficiary": "Ada"})
    told = ticket.post("/publish", {"consent": True}).json()
    assert (told["status"], told["publicUrl"]) == ("PUBLISHED", ticket.get("/qr-code").json()["targetUrl"])
    again = ticket.post("/publish", {"consent": True}).json()
    assert again["version"] == told["version"]
    assert ticket.post("/unpublish").json()["status"] == "READY"


def test_documents_are_made_listed_and_downloaded(live: LiveService, ticket: Ticket, work: Work):
    for type in ("GOFUNDME_DRAFT", "OTHER"):
        problem(ticket.post("/generate-doc", {"docType": type}), 409, "conflict")
    ticket.upload(RECORDING.read_bytes())
    ticket.post("/process")
    work.do(ticket)
    donation = given(live, ticket)
    made = []
    for type, more in (("GOFUNDME_DRAFT", {}), ("OTHER", {}), ("RECEIPT", {"donationId": donation})):
        for format, magic in (("docx", b"PK"), ("pdf", b"%PDF")):
            answer = ticket.post("/generate-doc", {"docType": type, "format": format} | more)
            assert answer.status_code == 201, answer.text
            told = answer.json()
            assert (told["type"], told["format"]) == (type, format)
            made.append(told)
            file = ticket.http.get(told["filePath"])
            assert file.content.startswith(magic)
            assert file.headers["content-length"] == str(told["sizeBytes"]) == str(len(file.content))
            assert file.headers["etag"] == f'"{told["sha256"]}"'
            assert file.headers["content-disposition"].startswith("attachment; filename*=UTF-8''")
    assert ticket.get("/documents").json() == made[::-1]
    assert ticket.post("/generate-doc", {"docType": "OTHER"}).json()["format"] == "docx"


def test_a_receipt_is_for_a_gift_of_this_ticket_that_was_paid(live: LiveService, client: Client, ticket: Ticket):
    assert pointers(ticket.post("/generate-doc", {"docType": "RECEIPT"})) == ["/donationId"]
    unpaid = ticket.pay()["donationId"]
    problem(ticket.post("/generate-doc", {"docType": "RECEIPT", "donationId": unpaid}), 409, "conflict")
    foreign = given(live, client.open_ticket())
    problem(ticket.post("/generate-doc", {"docType": "RECEIPT", "donationId": foreign}), 404, "not-found")
    for body, at in (({"docType": "LETTER"}, "/docType"), ({"docType": "OTHER", "format": "odt"}, "/format"),
                     ({"docType": "RECEIPT", "donationId": "x"}, "/donationId")):  # fmt: skip
        assert pointers(ticket.post("/generate-doc", body)) == [at]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "application/json"), ("*/*", "application/json"), ("image/png", "image/png"), ("image/svg+xml", "image/svg+xml"),
        ("image/*", "image/png"), ("image/svg+xml;q=0.9, image/png;q=0.1", "image/svg+xml"),
        ("text/html, image/png;q=0.5, */*;q=0.1", "image/png"), ("application/json, image/png", "application/json"),
        ("image/png;q=x, ;;;,", "application/json"), ("text/plain", "application/json"),
    ],
)  # fmt: skip
def test_a_qr_code_comes_as_it_is_wanted(ticket: Ticket, accept: str | None, kind: str):
    answer = ticket.get("/qr-code", headers={"Accept": accept} if accept else {"Accept": ""})
    assert answer.headers["content-type"].split(";")[0] == kind
    assert "accept" in answer.headers["vary"].lower()


# Erased.


def test_erasing_answers_once_and_leaves_nothing_to_the_holder(ticket: Ticket, admin: Client):
    ticket.publish()
    url = ticket.get("/qr-code").json()["targetUrl"]
    answer = ticket.http.delete(ticket.path)
    assert (answer.status_code, answer.json()) == (202, {"ticketId": ticket.id, "status": "ERASED"})
    problem(ticket.get(), 401, "unauthenticated")
    problem(admin.get(url), 404, "not-found")
    left = admin.get(ticket.path, params={"include": "draft,documents,qr,transcriptions"}).json()
    assert (left["contactValue"], left["displayName"], left["donationDraft"]) == (None, None, None)
