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
from tests.fakes.drafting import DRAFT, SPOKEN

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


def test_a_change_elsewhere_is_no_conflict_and_both_changes_stay(holder: Client, ticket: Ticket, work: JobRunner):
    ticket.patch("/draft", {"title": "First", "story": "Old story."})
    page = holder.get(f"/t/{ticket.id}/story")
    drafted(ticket, work)
    ticket.patch("/draft", {"title": "Theirs"})
    assert save(holder, ticket, page, title="First", story="My story.").status_code == 200
    draft = draft_of(ticket)
    assert (draft["title"], draft["story"], draft["location"]) == ("Theirs", "My story.", DRAFT.location)


def test_a_change_of_the_currency_elsewhere_is_a_conflict_with_a_new_amount(holder: Client, ticket: Ticket):
    ticket.patch("/draft", {"goalAmount": 100, "currency": "USD"})
    page = holder.get(f"/t/{ticket.id}/story")
    ticket.patch("/draft", {"currency": "JPY"})
    assert save(holder, ticket, page, amount="120", currency="USD").status_code == 409
    assert draft_of(ticket)["goalAmount"] == 100


def test_an_empty_field_is_cleared(holder: Client, ticket: Ticket):
    texts = {"title": "Help Ada", "story": "The roof fell in.", "location": "Lima"}
    more = {"beneficiary": "Ada", "goalAmount": 100, "currency": "EUR", "breakdown": ["Tiles", "Work"]}
    ticket.patch("/draft", {**texts, **more})
    page = holder.get(f"/t/{ticket.id}/story")
    assert save(holder, ticket, page, **dict.fromkeys([*texts, "amount", "breakdown"], "")).status_code == 200
    draft = draft_of(ticket)
    assert [draft[name] for name in (*texts, "goalAmount", "breakdown")] == [None, None, None, None, []]


def test_a_sentence_is_heard_where_it_was_said_and_left_out_with_what_is_typed(
    holder: Client, ticket: Ticket, work: JobRunner
):
    drafted(ticket, work, SPOKEN)
    page = holder.get(f"/t/{ticket.id}/story")
    recording = ticket.get("/recordings").json()[0]["id"]
    assert f'src="/api/tickets/{ticket.id}/recordings/{recording}#t=0.05,0.95"' in page.text
    left = save(holder, ticket, page, story="My name is Ada Moss. It rains in. Help.", title="Rain", drop="1")
    assert left.status_code == 200
    draft = draft_of(ticket)
    assert (draft["story"], draft["title"]) == ("It rains in. Help.", "Rain")
    # The sentence of the form was changed, so the button no longer means it.
    save(holder, ticket, left, story="It does not rain in. Help.", drop="1")
    assert draft_of(ticket)["story"] == "It does not rain in. Help."


def test_the_valid_part_of_a_typed_form_is_kept(holder: Client, ticket: Ticket):
    ticket.patch("/draft", {"title": "First", "location": "Lima"})
    version = hidden(holder.get(f"/t/{ticket.id}/story"), "version")[0]
    kept = holder.put(f"/t/{ticket.id}/story", data={"version": version, "story": "My story.", "amount": "a lot"})
    assert kept.json() | {"version": 0} == {
        "version": 0, "errors": {"amount": "Write the amount in digits, like 1500."}, "conflicts": [], "theirs": {}
    }  # fmt: skip
    ticket.patch("/draft", {"title": "Theirs", "location": "Quito"})
    version = str(kept.json()["version"])
    refused = holder.put(f"/t/{ticket.id}/story", data={"version": version, "title": "Mine", "story": "Better."}).json()
    assert refused["conflicts"] == ["title"]
    assert refused["theirs"] == {"title": "Theirs", "location": "Quito"}
    draft = draft_of(ticket)
    assert (draft["title"], draft["story"], draft["goalAmount"]) == ("Theirs", "My story.", None)


def test_texts_saved_while_they_are_written_are_one_version(holder: Client, ticket: Ticket, work: JobRunner):
    drafted(ticket, work)
    for title in ("Our", "Our new", "Our new roof"):
        version = hidden(holder.get(f"/t/{ticket.id}/story"), "version")[0]
        assert holder.put(f"/t/{ticket.id}/story", data={"version": version, "title": title}).status_code == 200
    assert len(hidden(holder.get(f"/t/{ticket.id}/story"), "earlier")) == 1


def test_a_sentence_is_corrected_and_an_earlier_text_comes_back(holder: Client, ticket: Ticket, work: JobRunner):
    drafted(ticket, work)
    page = holder.get(f"/t/{ticket.id}/story")
    first, _ = hidden(page, "segment")
    before = HEARD.segments[0].text
    stale = save(holder, ticket, page, "/transcript", segment=first, before="My tooth fell out.", text="My roof.")
    assert stale.status_code == 409
    assert "My roof." in stale.text
    # A change elsewhere in the ticket does not matter.
    ticket.patch("/draft", {"location": "Quito"})
    corrected = save(holder, ticket, page, "/transcript", segment=first, before=before, text="My roof\nfell in.")
    assert corrected.status_code == 200
    assert "We heard:" in corrected.text
    assert ticket.get("/transcript").json()["segments"][0]["text"] == "My roof fell in."
    too_long = save(
        holder, ticket, corrected, "/transcript", segment=first, before="My roof fell in.", text="x" * 5_001
    )
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
    drafted(ticket, work, SPOKEN)
    with checked(browser, live.base_url, language="es", credential=ticket.token) as tab:
        page = tab.open(f"/t/{ticket.id}/story")
        page.locator(".sentences .hear").click()
        expect(page.locator(".sentences .playing")).to_have_count(1)
        expect(page.locator(".sentences .playing, .sentences .failed")).to_have_count(0)
        page.locator("#title").fill("Un techo nuevo")
        # The Enter key saves, and leaves no sentence out.
        page.locator("#title").press("Enter")
        expect(page.locator(".notice[role=status]")).to_be_visible()
        expect(page.locator("#title")).to_have_value("Un techo nuevo")


def test_typed_text_is_saved_automatically_and_survives_a_lost_connection_and_another_editor(
    browser: Browser, live: LiveService, ticket: Ticket
):
    ticket.write_draft()
    # Instead of the pause in which nobody types.
    pause = "dispatchEvent(new Event('online'))"
    with checked(browser, live.base_url, credential=ticket.token) as tab:
        page = tab.open(f"/t/{ticket.id}/story")
        page.locator("#title").fill("A new roof")
        page.evaluate(pause)
        expect(page.locator("#state")).to_have_text("Saved")
        assert draft_of(ticket)["title"] == "A new roof"
        page.route("**/story", lambda route: route.abort() if route.request.method == "PUT" else route.continue_())
        page.locator("#story").fill("The roof fell in at night.")
        page.evaluate(pause)
        expect(page.locator("#state")).to_contain_text("no connection")
        tab.accessible()
        page.reload()
        expect(page.locator("#story")).to_have_value("The roof fell in at night.")
        page.unroute("**/story")
        page.evaluate(pause)
        expect(page.locator("#state")).to_have_text("Saved")
        assert page.evaluate("sessionStorage.length") == 0
        assert draft_of(ticket)["story"] == "The roof fell in at night."
        ticket.patch("/draft", {"title": "Theirs"})
        page.locator("#title").fill("Mine")
        page.evaluate(pause)
        expect(page.locator("#state")).to_contain_text("Press Save to see both texts")
        page.locator(".save-bar button").click()
        expect(page.locator(".kept-lines")).to_have_text("Theirs")
        expect(page.locator("#title")).to_have_value("Mine")
        page.locator(".save-bar button").click()
        expect(page.locator(".notice[role=status]")).to_be_visible()
        tab.complaints.clear()
    assert draft_of(ticket)["title"] == "Mine"
