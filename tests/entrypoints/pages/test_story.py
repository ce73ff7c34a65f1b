"""The holder reads and corrects the draft beside the transcript; everything works without scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Browser, expect

from domain.values import Draft, Segment, Transcript
from tests.browser import checked
from tests.client import RECORDING, Client, LiveService, Ticket
from tests.entrypoints.conftest import JobRunner
from tests.fakes.drafting import DRAFT

HEARD = Transcript(
    "My rough fell in. Help us.",
    "en",
    "fake",
    (Segment("My rough fell in.", 0, 1_500, uncertain=True), Segment("Help us.", 2_000, 2_600)),
)


@pytest.fixture
def holder(live: LiveService, ticket: Ticket) -> Iterator[Client]:
    """Return a browser without scripts, which is signed in."""
    headers = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}
    cookies = {"session": ticket.token}
    with Client(base_url=live.base_url, headers=headers, cookies=cookies, follow_redirects=True) as browser:
        yield browser


def drafted(ticket: Ticket, work: JobRunner, draft: Draft = DRAFT) -> None:
    ticket.upload(RECORDING.read_bytes())
    ticket.post("/process")
    work.do(ticket, draft, outcome=HEARD)


def hidden(page: httpx2.Response, name: str) -> list[str]:
    return re.findall(rf'<input type="hidden" name="{name}" value="([^"]*)">', page.text)


def save(holder: Client, ticket: Ticket, page: httpx2.Response, subpath: str = "", **form: str) -> httpx2.Response:
    return holder.post(f"/t/{ticket.id}/story{subpath}", data={"version": hidden(page, "version")[0]} | form)


def draft_of(ticket: Ticket) -> Any:
    return ticket.get("", params={"include": "draft"}).json()["donationDraft"]


def test_the_form_writes_what_the_person_changed_and_leaves_the_rest_to_the_recording(
    holder: Client, ticket: Ticket, work: JobRunner
):
    drafted(ticket, work)
    page = holder.get(f"/t/{ticket.id}/story")
    saved = save(
        holder, ticket, page, title="A new roof", amount="2,500.50", currency="USD", breakdown="Tiles\r\n\r\n Work "
    )
    assert saved.status_code == 200
    assert "Your text is saved." in saved.text
    draft = draft_of(ticket)
    assert (draft["title"], draft["goalAmount"], draft["breakdown"]) == ("A new roof", 2500.5, ["Tiles", "Work"])
    assert draft["story"] == DRAFT.story
    written = [event for event in ticket.get("/history").json()["events"] if event["type"] == "DraftEdited"]
    assert sorted(written[-1]["data"]["changed"]) == ["breakdown", "currency", "goal", "title"]


def test_a_fault_leads_to_its_field_and_keeps_what_was_typed(holder: Client, ticket: Ticket):
    page = holder.get(f"/t/{ticket.id}/story")
    answer = save(holder, ticket, page, title="x" * 121, amount="a lot", story="Kept as it was typed.")
    assert answer.status_code == 422
    assert "Kept as it was typed." in answer.text
    assert 'href="#amount"' in answer.text
    assert draft_of(ticket) is None


def test_a_conflict_shows_both_texts_and_the_next_save_decides(holder: Client, ticket: Ticket):
    ticket.patch("/draft", {"title": "First", "story": "Old story.", "location": "Lima"})
    page = holder.get(f"/t/{ticket.id}/story")
    ticket.patch("/draft", {"title": "Theirs", "location": "Quito"})
    conflict = save(holder, ticket, page, title="Mine", story="My story.", location="Lima")
    assert conflict.status_code == 409
    for text in ("Mine", "Theirs", "My story.", "Quito"):
        assert text in conflict.text
    # Nobody here changed the place, so there is nothing to decide.
    assert "Lima" not in conflict.text
    assert draft_of(ticket)["title"] == "Theirs"
    assert save(holder, ticket, conflict, title="Mine", story="My story.", location="Quito").status_code == 200
    draft = draft_of(ticket)
    assert (draft["title"], draft["story"], draft["location"]) == ("Mine", "My story.", "Quito")


def test_a_sentence_is_corrected_and_an_earlier_text_comes_back(holder: Client, ticket: Ticket, work: JobRunner):
    drafted(ticket, work)
    page = holder.get(f"/t/{ticket.id}/story")
    first, _ = hidden(page, "segment")
    stale = holder.post(f"/t/{ticket.id}/story/transcript", data={"version": "1", "segment": first, "text": "My roof."})
    assert stale.status_code == 409
    assert "My roof." in stale.text
    corrected = save(holder, ticket, page, "/transcript", segment=first, text="My roof\nfell in.")
    assert corrected.status_code == 200
    assert "We heard:" in corrected.text
    assert ticket.get("/transcript").json()["segments"][0]["text"] == "My roof fell in."
    too_long = save(holder, ticket, corrected, "/transcript", segment=first, text="x" * 5_001)
    assert too_long.status_code == 422
    assert f'href="#segment-{first}"' in too_long.text
    work.do(ticket, replace(DRAFT, title="Another title"), outcome=HEARD)
    page = holder.get(f"/t/{ticket.id}/story")
    earlier = hidden(page, "earlier")[-1]
    assert "The earlier text is back." in save(holder, ticket, page, "/restore", earlier=earlier).text
    assert draft_of(ticket)["title"] == DRAFT.title


@pytest.mark.parametrize(("format", "start"), [("pdf", b"%PDF"), ("docx", b"PK")])
def test_the_draft_is_taken_away_as_a_document(
    holder: Client, ticket: Ticket, work: JobRunner, format: str, start: bytes
):
    drafted(ticket, work)
    answer = holder.post(f"/t/{ticket.id}/story/document", data={"format": format})
    assert answer.status_code == 200
    assert answer.content.startswith(start)


def test_a_person_corrects_a_story_on_a_phone_in_spanish(
    browser: Browser, live: LiveService, ticket: Ticket, work: JobRunner
):
    drafted(ticket, work)
    with checked(browser, live.base_url, language="es", credential=ticket.token) as tab:
        page = tab.open(f"/t/{ticket.id}/story")
        tab.check("story")
        page.locator("#title").fill("Un techo nuevo")
        page.locator("form[action$='/story'] button").click()
        expect(page.get_by_role("status")).to_be_visible()
        expect(page.locator("#title")).to_have_value("Un techo nuevo")
