"""Photos and letters of a ticket, and the photo of the campaign page, which needs a description and consent."""

from __future__ import annotations

import io
from typing import Any
from uuid import UUID

import httpx2
import pytest
from PIL import Image

from domain.public_material import MAX_ATTACHMENTS
from tests.client import Client, LiveService, Ticket
from tests.entrypoints.http.contract import pointers, problem
from tests.fakes.photos import PDF, SECRET, photo

PHOTO = photo(640, 480)


def attach(ticket: Ticket, data: bytes = PHOTO, name: str = "roof.jpg", **more: Any) -> httpx2.Response:
    return ticket.http.post(f"{ticket.path}/attachments", files={"file": (name, data)}, **more)


def attached(ticket: Ticket, data: bytes = PHOTO, name: str = "roof.jpg") -> str:
    answer = attach(ticket, data, name)
    assert answer.status_code == 201, answer.text
    id: str = answer.json()["id"]
    return id


def with_picture(ticket: Ticket) -> str:
    """Publish a campaign with a photo, and return the URL of its page."""
    url = ticket.publish()
    chosen = ticket.http.put(
        f"{ticket.path}/picture", json={"attachmentId": attached(ticket), "description": "The house without a roof"}
    )
    assert chosen.status_code == 200, chosen.text
    given = {"scopes": ["photo"], "textVersion": "1", "language": "en", "how": "typed"}
    assert ticket.post("/consents", given).status_code == 201
    return url


def stored_files(live: LiveService, ticket: Ticket) -> int:
    contents = live.service.aggregates.tickets.get(UUID(ticket.id)).recorded_contents
    return sum(live.service.content.contents.has(UUID(ticket.id), content) for content in contents)


def test_a_photo_and_a_letter_are_listed_and_downloaded(ticket: Ticket):
    photo_id, letter_id = attached(ticket), attached(ticket, PDF, "letter.pdf")
    first, second = ticket.get("/attachments").json()
    assert (first["id"], first["mediaType"], first["width"], first["picture"]) == (photo_id, "image/jpeg", 640, False)
    assert (second["id"], second["fileName"], second["width"]) == (letter_id, "letter.pdf", None)
    letter = ticket.get(f"/attachments/{letter_id}")
    assert letter.content == PDF
    assert letter.headers["content-disposition"].startswith("attachment;")
    large, small = ticket.get(f"/attachments/{photo_id}"), ticket.get(f"/attachments/{photo_id}?size=small")
    assert Image.open(io.BytesIO(large.content)).size == (640, 480)
    assert SECRET.encode() not in large.content + small.content
    again = ticket.get(f"/attachments/{photo_id}", headers={"If-None-Match": large.headers["etag"]})
    assert again.status_code == 304


def test_a_repeated_upload_adds_one_photo(ticket: Ticket):
    key = {"Idempotency-Key": "once"}
    first, second = attach(ticket, headers=key), attach(ticket, headers=key)
    assert first.json() == second.json()
    assert len(ticket.get("/attachments").json()) == 1


def test_a_file_that_is_neither_a_photo_nor_a_pdf_is_refused_and_not_kept(ticket: Ticket, live: LiveService):
    problem(attach(ticket, b"MZ" + bytes(100), "roof.jpg"), 415, "unsupported-media-type")
    problem(attach(ticket, bytes(10 * 1024 * 1024 + 1)), 413, "too-large")
    assert pointers(attach(ticket, b"")) == ["/file"]
    assert pointers(ticket.http.post(f"{ticket.path}/attachments", files={"audio": ("a", PHOTO)})) == ["/file"]
    assert ticket.get("/attachments").json() == []
    assert live.service.aggregates.tickets.get(UUID(ticket.id)).recorded_contents == frozenset()


def test_a_ticket_has_at_most_ten(ticket: Ticket):
    for _ in range(MAX_ATTACHMENTS):
        attached(ticket, PDF)
    problem(attach(ticket, PDF), 409, "conflict")


def test_a_deleted_photo_is_gone_from_storage_and_page_and_another_with_its_bytes_stays(
    ticket: Ticket, client: Client, live: LiveService
):
    url = with_picture(ticket)
    twin = attached(ticket)
    chosen = ticket.get("/attachments").json()[0]["id"]
    assert ticket.http.delete(f"{ticket.path}/attachments/{chosen}").status_code == 204
    assert client.get(f"{url}/picture").status_code == 404
    problem(ticket.get(f"/attachments/{chosen}"), 404, "not-found")
    problem(ticket.http.delete(f"{ticket.path}/attachments/{chosen}"), 404, "not-found")
    assert ticket.get(f"/attachments/{twin}").status_code == 200
    before = live.service.aggregates.tickets.get(UUID(ticket.id)).recorded_contents
    ticket.http.delete(f"{ticket.path}/attachments/{twin}")
    contents = live.service.content.contents
    assert not any(contents.has(UUID(ticket.id), content) for content in before)


def test_a_document_that_is_attached_again_survives_the_deletion_of_the_attachment(ticket: Ticket):
    ticket.write_draft()
    order = {"docType": "GOFUNDME_DRAFT", "format": "pdf"}
    document = ticket.http.get(ticket.post("/generate-doc", order).json()["filePath"])
    ticket.http.delete(f"{ticket.path}/attachments/{attached(ticket, document.content)}")
    path = ticket.get("/documents").json()[0]["filePath"]
    assert ticket.http.get(path).content == document.content


def test_strangers_see_the_picture_only_while_the_page_is_public_and_the_consent_is_valid(
    ticket: Ticket, client: Client
):
    url = with_picture(ticket)
    shown = client.get(f"{url}/picture")
    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/jpeg")
    version = shown.headers["etag"].strip('"')[:16]
    assert "immutable" in client.get(f"{url}/picture?v={version}").headers["cache-control"]
    assert "immutable" not in client.get(f"{url}/picture?v=other").headers.get("cache-control", "")
    ticket.post("/consents/withdraw", {"scopes": ["photo"]})
    assert client.get(f"{url}/picture?v={version}").status_code == 404
    assert client.get(url).status_code == 200
    ticket.post("/consents", {"scopes": ["photo"], "textVersion": "1", "language": "en", "how": "typed"})
    assert client.get(f"{url}/picture").status_code == 200
    ticket.post("/unpublish")
    assert client.get(f"{url}/picture").status_code == 404
    ticket.post("/publish", {"consent": True})
    assert ticket.http.delete(f"{ticket.path}/picture").status_code == 204
    assert client.get(f"{url}/picture").status_code == 404


@pytest.mark.parametrize("description", ["", "x" * 301, "two\nlines"])
def test_a_picture_needs_a_description(ticket: Ticket, description: str):
    choice = {"attachmentId": attached(ticket), "description": description}
    assert pointers(ticket.http.put(f"{ticket.path}/picture", json=choice)) == ["/description"]


def test_a_letter_is_no_picture(ticket: Ticket):
    choice = {"attachmentId": attached(ticket, PDF), "description": "A letter"}
    assert pointers(ticket.http.put(f"{ticket.path}/picture", json=choice)) == ["/attachmentId"]


def test_an_auditor_sees_no_file_name_no_description_and_no_file(ticket: Ticket, auditor: Client):
    with_picture(ticket)
    listed = auditor.get(f"{ticket.path}/attachments")
    assert (listed.json()[0]["fileName"], listed.json()[0]["description"]) == ("[masked]", "[masked]")
    assert auditor.get(f"{ticket.path}/attachments/{listed.json()[0]['id']}").status_code == 403


def test_an_erasure_takes_photos_and_letters(ticket: Ticket, admin: Client, client: Client, live: LiveService):
    url = with_picture(ticket)
    contents = live.service.aggregates.tickets.get(UUID(ticket.id)).recorded_contents
    assert stored_files(live, ticket) == 2
    ticket.http.delete(ticket.path)
    assert admin.get(f"{ticket.path}/attachments").json() == []
    assert client.get(f"{url}/picture").status_code == 404
    assert not any(live.service.content.contents.has(UUID(ticket.id), content) for content in contents)
    assert "roof.jpg" not in admin.get(f"{ticket.path}/history").text
