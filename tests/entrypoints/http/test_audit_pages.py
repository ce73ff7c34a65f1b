"""The pages of the audit show every event in plain words, the state at any position, and where a total comes from."""

from __future__ import annotations

import re

from domain.events import TicketEvent
from domain.values import Role
from entrypoints.http.paging import cursor_after
from entrypoints.presentation.event_sentences import ACTORS, EVENT_SENTENCES
from tests.client import Client, LiveService, Ticket, eventually
from tests.entrypoints.conftest import donate_in_sandbox


def all_events(event: type[TicketEvent] = TicketEvent) -> list[type[TicketEvent]]:
    subclasses = [subclass for direct in event.__subclasses__() for subclass in all_events(direct)]
    return [event, *subclasses] if "TOPIC" in vars(event) else subclasses


def test_every_event_has_a_sentence_for_people():
    missing = [event.__name__ for event in all_events() if event.__name__ not in EVENT_SENTENCES]
    assert missing == [], "say what happened in plain words: add each to presentation/event_sentences.py"


def test_every_actor_has_a_name_for_people():
    assert set(ACTORS) == set(Role)


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_the_holder_sees_each_event_with_its_change(live: LiveService, ticket: Ticket):
    ticket.publish()
    ticket.write_draft(title="Help Ada now")
    page = ticket.http.get(f"/audit/{ticket.id}")
    assert page.status_code == 200, page.text
    text = text_of(page.text)
    assert "1 The story was opened. Somebody who was not signed in" in text
    assert "The page was published. The person of this story" in text
    assert "Title before: Help Ada after: Help Ada now" in text
    assert "State before: Not written yet after: Ready to publish" in text


def test_an_auditor_sees_the_amounts_but_no_text_of_a_person(live: LiveService, ticket: Ticket):
    ticket.publish()
    donate_in_sandbox(live, ticket, 50)
    with live.client_with_key(Role.AUDITOR) as auditor:
        for path in (f"/audit/{ticket.id}", f"/audit/{ticket.id}?limit=100", f"/audit/{ticket.id}/check"):
            page = auditor.get(path)
            assert page.status_code == 200
            for secret in ("Help Ada", "Lovelace", "The roof fell in", "Hopper", "ada@example.com"):
                assert secret not in page.text
        text = text_of(auditor.get(f"/audit/{ticket.id}?limit=100").text)
    assert "Title after: [masked]" in text
    assert "Paid by donors $50.00 USD" in text
    assert "Total of the story before: $0.00 USD after: $50.00 USD" in text


def test_the_state_and_the_total_are_those_of_the_position(live: LiveService, ticket: Ticket):
    ticket.publish()
    donate_in_sandbox(live, ticket, 50)
    events = ticket.get("/history", params={"limit": 100}).json()["events"]
    paid = next(event["position"] for event in events if event["type"] == "PaymentReceived")
    before, after = (text_of(ticket.http.get(f"/audit/{ticket.id}", params={"at": at}).text) for at in (paid - 1, paid))
    assert "Total $0.00 USD" in before
    assert "Total $50.00 USD" in after
    assert "Gift paid" in after
    # A position before the first event, or after the last, is taken as that one.
    for at in (0, 10**12):
        assert ticket.http.get(f"/audit/{ticket.id}", params={"at": at}).status_code == 200
    assert ticket.http.get(f"/audit/{ticket.id}", params={"at": "soon"}).status_code == 422


def test_the_lines_are_paged_and_a_position_opens_its_page(ticket: Ticket):
    for number in range(4):
        ticket.patch("", {"displayName": f"Ada {number}"})
    first = ticket.http.get(f"/audit/{ticket.id}", params={"limit": 2}).text
    positions = [int(position) for position in re.findall(r'<li id="p(\d+)"', first)]
    assert len(positions) == 2
    assert "Earlier lines" not in first
    second = ticket.http.get(f"/audit/{ticket.id}", params={"limit": 2, "cursor": cursor_after([positions[-1]])}).text
    assert re.findall(r'<li id="p\d+" value="(\d+)"', second) == ["3", "4"]
    assert "Earlier lines" in second
    assert "Later lines" in second
    last = ticket.get("/history", params={"limit": 100}).json()["events"][-1]["position"]
    opened = ticket.http.get(f"/audit/{ticket.id}", params={"limit": 2, "at": last}).text
    assert f'<li id="p{last}" value="5" class=" here"' in opened


def test_a_check_proves_the_history_and_adds_up_the_total(live: LiveService, ticket: Ticket):
    ticket.publish()
    donate_in_sandbox(live, ticket, 50)
    count = len(ticket.get("/history", params={"limit": 100}).json()["events"])
    text = text_of(ticket.http.get(f"/audit/{ticket.id}/check").text)
    assert f"All {count} lines of this story are in the signed log" in text
    assert "It is the same: $50.00 USD." in text
    eventually(lambda: "✓ Signed" in text_of(ticket.http.get(f"/audit/{ticket.id}").text))


FROM_OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}


def sign_in(client: Client, key: str, **more: str) -> str:
    answer = client.post("/audit", data={"key": key, **more}, headers=FROM_OWN_PAGE)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def test_a_browser_is_signed_in_with_a_key_until_the_key_is_revoked(live: LiveService, ticket: Ticket):
    api_key, key = live.service.access.credentials.create(Role.AUDITOR)
    path = f"/audit/{ticket.id}"
    with live.client() as browser:
        refused = browser.get(path, headers={"Accept": "text/html"})
        assert (refused.status_code, refused.headers["location"]) == (303, f"/audit?next=%2Faudit%2F{ticket.id}")
        assert sign_in(browser, key, next=path) == path
        cookie = browser.cookies.jar
        assert [c.has_nonstandard_attr("HttpOnly") for c in cookie if c.name == "session"] == [True]
        assert browser.get(path).status_code == 200
        assert browser.get("/audit", params={"ticket": ticket.id}).headers["location"] == path
        live.service.access.credentials.revoke(api_key.id)
        assert browser.get(path, headers={"Accept": "text/html"}).status_code == 303


def test_only_keys_of_auditors_and_administrators_sign_in(live: LiveService, client: Client, ticket: Ticket):
    _, client_key = live.service.access.credentials.create(Role.CLIENT, "public", ["tickets:read"])
    for wrong in (client_key, ticket.token, "slk_nothing", "", "slk_" + "x" * 5000):
        answer = client.post("/audit", data={"key": wrong}, headers=FROM_OWN_PAGE)
        assert answer.status_code == 422
        assert "set-cookie" not in answer.headers
        assert 'aria-invalid="true"' in answer.text
    _, key = live.service.access.credentials.create(Role.ADMIN)
    assert client.post("/audit", data={"key": key}).status_code == 403
    assert sign_in(client, key, next="https://evil.example") == "/audit"
