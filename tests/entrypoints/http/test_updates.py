"""The holder of a published page tells those who gave what has happened since."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.client import Client, Ticket
from tests.entrypoints.http.contract import problem


@pytest.fixture
def published(ticket: Ticket) -> Ticket:
    ticket.publish()
    return ticket


def test_updates_are_listed_newest_first_to_everybody(client: Client, published: Ticket):
    for text in ("The tiles have come.", "The roof is back."):
        assert published.post("/updates", {"text": text}).status_code == 201
    updates = client.get(f"{published.path}/updates").json()["updates"]
    assert [update["text"] for update in updates] == ["The roof is back.", "The tiles have come."]
    published.http.delete(f"{published.path}/updates/{updates[0]['id']}")
    assert [update["text"] for update in published.get("/updates").json()["updates"]] == ["The tiles have come."]
    problem(published.http.delete(f"{published.path}/updates/{uuid4()}"), 404, "not-found")


def test_only_a_published_page_gets_updates(client: Client, ticket: Ticket):
    problem(ticket.post("/updates", {"text": "The roof is back."}), 409, "conflict")
    assert client.get(f"{ticket.path}/updates").status_code == 401


def test_an_update_that_may_endanger_somebody_is_refused(published: Ticket):
    refused = problem(published.post("/updates", {"text": "Call me at +1 503 555 0134."}), 422, "invalid")
    assert refused["errors"][0]["pointer"] == "/text"
    assert published.get("/updates").json()["updates"] == []


def test_an_update_is_gone_with_its_ticket(auditor: Client, admin: Client, published: Ticket):
    published.post("/updates", {"text": "The roof is back."})
    assert auditor.get(f"{published.path}/updates").json()["updates"][0]["text"] == "[masked]"
    published.http.delete(published.path)
    assert admin.get(f"{published.path}/updates").json()["updates"] == []
