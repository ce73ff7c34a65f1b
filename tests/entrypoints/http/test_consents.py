"""A person's consents are on record, and what is taken back is gone at once from everything that others see."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import docx
import pytest

from adapters.privacy.consent_ends import end_consents
from domain.values import Role
from projections import ticket_status
from projections.consent_records import shown_scopes
from tests.client import Client, LiveService, Ticket
from tests.entrypoints.conftest import donate_in_sandbox, give_with_words
from tests.entrypoints.http.contract import pointers, problem

GIVEN = {"scopes": ["story", "photo"], "textVersion": "1", "language": "es", "how": "spoken"}
PLACE = "Springfield"
STORY = "My name is Ada. The roof in Springfield fell in."


def given(ticket: Ticket) -> list[str]:
    scopes: list[str] = ticket.get("/consents").json()["given"]
    return scopes


def withdraw(ticket: Ticket, *scopes: str) -> dict[str, Any]:
    answer = ticket.post("/consents/withdraw", {"scopes": list(scopes)})
    assert answer.status_code == 200, answer.text
    consents: dict[str, Any] = answer.json()
    return consents


def published(ticket: Ticket) -> str:
    ticket.write_draft(story=STORY, location=PLACE)
    answer = ticket.post("/publish", {"consent": True})
    assert answer.status_code == 200, answer.text
    url: str = answer.json()["publicUrl"]
    return url


def campaign_document(ticket: Ticket) -> str:
    path = ticket.post("/generate-doc", {"docType": "GOFUNDME_DRAFT"}).json()["filePath"]
    document = docx.Document(io.BytesIO(ticket.http.get(path).content))
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    return "\n".join([*(paragraph.text for paragraph in document.paragraphs), *cells])


def test_a_consent_is_listed_with_its_words_and_its_withdrawal(ticket: Ticket):
    until = datetime.now(UTC) + timedelta(days=30)
    body = GIVEN | {"by": "Grace Hopper", "note": "I asked the parents.", "validUntil": until.isoformat()}
    created = ticket.post("/consents", body)
    assert created.status_code == 201
    assert created.json()["given"] == ["story", "photo"]
    withdraw(ticket, "photo")
    listed = ticket.get("/consents").json()
    assert listed["given"] == ["story"]
    first, second = listed["consents"]
    assert (first["given"], first["how"], first["by"], first["note"]) == (
        True, "spoken", "Grace Hopper", "I asked the parents.",
    )  # fmt: skip
    assert (first["textVersion"], first["language"], first["actor"]) == ("1", "es", "holder")
    assert (second["given"], second["scopes"]) == (False, ["photo"])


def test_an_auditor_sees_the_consents_without_names(ticket: Ticket, auditor: Client):
    ticket.post("/consents", GIVEN | {"by": "Grace Hopper", "note": "I asked the parents."})
    answer = auditor.get(f"{ticket.path}/consents")
    assert answer.json()["consents"][0]["scopes"] == ["story", "photo"]
    assert "Grace" not in answer.text
    assert "parents" not in answer.text


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"scopes": []}, "/scopes"),
        ({"scopes": ["everything"]}, "/scopes/0"),
        ({"textVersion": "0"}, "/textVersion"),
        ({"how": "guessed"}, "/how"),
        ({"how": "witnessed"}, ""),
        ({"validUntil": "tomorrow"}, "/validUntil"),
        ({"validUntil": "9999-01-01T00:00:00Z"}, "/validUntil"),
        ({"note": ""}, "/note"),
    ],
)
def test_an_invalid_consent_is_refused(ticket: Ticket, change: dict[str, Any], pointer: str):
    assert pointers(ticket.post("/consents", GIVEN | change)) == [pointer]


def test_publishing_relies_on_an_earlier_consent_to_the_story(ticket: Ticket, client: Client):
    ticket.write_draft(story=STORY, location=PLACE)
    ticket.post("/consents", GIVEN)
    url = ticket.post("/publish", {}).json()["publicUrl"]
    page = client.get(url).text
    assert "fell in" in page
    assert "Ada" not in page
    assert PLACE not in page


def test_a_name_taken_back_leaves_the_page_the_public_row_and_later_documents(
    ticket: Ticket, client: Client, live: LiveService
):
    url = published(ticket)
    assert "Ada" in client.get(url).text
    assert "Lovelace" in campaign_document(ticket)
    withdraw(ticket, "name")
    page = client.get(url)
    assert page.status_code == 200
    assert "fell in" in page.text
    for text in (page.text, client.get(f"{url}/report").text, campaign_document(ticket)):
        assert "Ada" not in text
        assert "Lovelace" not in text
    with live.service.database.reading() as cursor:
        row = ticket_status.ticket_by_slug(cursor, url.rpartition("/")[2])
    assert row is not None
    assert "name" not in shown_scopes(row)


def test_a_place_taken_back_leaves_the_page_and_later_documents(ticket: Ticket, client: Client):
    url = published(ticket)
    withdraw(ticket, "place")
    for text in (client.get(url).text, campaign_document(ticket)):
        assert PLACE not in text
        assert "Ada" in text


def test_a_name_taken_back_is_in_no_later_receipt_and_no_later_checkout(ticket: Ticket, live: LiveService):
    published(ticket)
    withdraw(ticket, "name")
    donation = donate_in_sandbox(live, ticket)
    history = ticket.get("/history?limit=100").json()["events"]
    checkout = next(event["data"] for event in history if event["type"] == "CheckoutRequested")
    assert "Ada" not in checkout["description"]
    order = {"docType": "RECEIPT", "format": "docx", "donationId": donation}
    receipt = docx.Document(io.BytesIO(ticket.http.get(ticket.post("/generate-doc", order).json()["filePath"]).content))
    cells = [cell.text for table in receipt.tables for row in table.rows for cell in row.cells]
    assert "Lovelace" not in "\n".join([*(paragraph.text for paragraph in receipt.paragraphs), *cells])


def test_the_story_taken_back_takes_the_page_down_and_stops_documents_and_gifts(ticket: Ticket, client: Client):
    url = published(ticket)
    assert withdraw(ticket, "story")["given"] == ["name", "place"]
    assert client.get(url).status_code == 404
    assert client.post(url, data={"amount": "5"}).status_code == 404
    assert ticket.get().json()["contentStatus"] == "READY"
    problem(ticket.post("/generate-doc", {"docType": "GOFUNDME_DRAFT"}), 409, "conflict")
    assert pointers(ticket.post("/publish", {})) == ["/consent"]
    assert ticket.post("/publish", {"consent": True}).status_code == 200
    assert client.get(url).status_code == 200


def test_a_consent_that_has_ended_counts_as_withdrawn_at_reading(ticket: Ticket, client: Client):
    url = published(ticket)
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    ticket.post("/consents", GIVEN | {"scopes": ["name"], "validUntil": past})
    assert "Lovelace" not in client.get(url).text
    ticket.post("/consents", GIVEN | {"scopes": ["story"], "validUntil": past})
    assert given(ticket) == ["place"]
    assert client.get(url).status_code == 404
    assert client.get(f"{ticket.path}/donations/total").status_code == 401
    assert client.post(url, data={"amount": "5"}).status_code == 404


def test_an_erasure_takes_the_consents_too(ticket: Ticket, admin: Client):
    ticket.post("/consents", GIVEN | {"by": "Grace Hopper"})
    ticket.http.delete(ticket.path)
    assert admin.get(f"{ticket.path}/consents").json()["consents"] == []
    assert "Grace" not in admin.get(f"{ticket.path}/history").text


def test_the_words_are_there_in_english_and_spanish(client: Client):
    english = client.get("/api/consent-texts/1").json()
    spanish = client.get("/api/consent-texts/current", params={"language": "es-MX"}).json()
    assert (english["language"], spanish["language"]) == ("en", "es")
    scopes = ["story", "name", "place", "recording", "photo", "translation"]
    for text in (english, spanish):
        assert [words["scope"] for words in text["scopes"]] == scopes
        assert all(words["label"] and words["words"] for words in text["scopes"])
    assert client.get("/api/consent-texts/1", params={"language": "tlh"}).json()["language"] == "en"
    problem(client.get("/api/consent-texts/0"), 404, "not-found")


def test_a_name_taken_back_leaves_updates_donors_words_and_exports(ticket: Ticket, client: Client, live: LiveService):
    url = published(ticket)
    assert ticket.post("/updates", {"text": "Ada sleeps at home again."}).status_code == 201
    give_with_words(live, client, url, name="Grace", message="Stay strong, Ada!")
    assert "Ada sleeps" in client.get(f"{ticket.path}/updates").text
    page = client.get(url).text
    assert "Ada sleeps" in page
    assert "Stay strong, Ada!" in page
    with live.client_with_key(Role.CLIENT, "exports:read") as accountant:

        def exported() -> str:
            return accountant.get("/api/exports/donations", params={"format": "movements", "ticket": ticket.id}).text

        assert "Help Ada" in exported()
        withdraw(ticket, "name")
        assert "Help […]" in exported()
        assert "Ada" not in exported()
    page = client.get(url).text
    assert "[…] sleeps at home again." in page
    assert "Stay strong, […]!" in page
    assert "Ada" not in page
    for reader in (client, ticket.http):
        assert reader.get(f"{ticket.path}/updates").json()["updates"][0]["text"] == "[…] sleeps at home again."


def test_a_page_whose_consent_ended_is_not_public_and_that_is_recorded_once(
    ticket: Ticket, client: Client, live: LiveService
):
    url, tickets = published(ticket), live.service.commands.tickets
    paid = donate_in_sandbox(live, ticket, 20)
    soon = datetime.now(UTC) + timedelta(minutes=1)
    chore = partial(end_consents, live.service.database, tickets, lambda: soon + timedelta(seconds=1))
    assert ticket.post("/consents", GIVEN | {"validUntil": soon.isoformat()}).status_code == 201
    end_consents(live.service.database, tickets)
    assert client.get(url).status_code == 200
    assert ticket.get("/status").json()["contentStatus"] == "PUBLISHED"
    # The clock is past the end, and the chore has not run yet.
    over = GIVEN | {"validUntil": (datetime.now(UTC) - timedelta(seconds=1)).isoformat()}
    assert ticket.post("/consents", over).status_code == 201
    assert client.get(url).status_code == 404
    for answer in (ticket.get("/status"), ticket.get()):
        assert answer.json()["contentStatus"] == "READY"
    for _ in range(2):
        chore()
    events = [event for event in ticket.get("/history?limit=100").json()["events"] if event["type"] == "Unpublished"]
    assert [(event["actor"], event["data"]["consentEnded"]) for event in events] == [("system", True)]
    assert [donation["id"] for donation in ticket.get("/donations").json()["donations"]] == [paid]
    assert ticket.post("/publish", {"consent": True}).status_code == 200
    chore()
    assert client.get(url).status_code == 200
