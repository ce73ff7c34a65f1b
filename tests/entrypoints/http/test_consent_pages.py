"""The pages on which a person publishes a story, takes consents back, and chooses a photo."""

from __future__ import annotations

from typing import Any

import pytest

from tests.client import Client, LiveService, Ticket
from tests.entrypoints.http.contract import problem
from tests.entrypoints.http.test_attachments import PHOTO, attached, with_picture
from tests.entrypoints.http.test_findings import STORY, decide
from tests.entrypoints.http.test_manage_pages import browser_of, page
from tests.fakes.photos import PDF

AGREED = {"story": "yes", "name": "yes", "others": "nobody"}
ASKED = {"others": "agreed", "lookedBy": "Ada Lovelace", "note": "I asked John."}


def given(ticket: Ticket) -> list[str]:
    scopes: list[str] = ticket.get("/consents").json()["given"]
    return scopes


def test_a_person_checks_the_answers_agrees_and_publishes(live: LiveService, client: Client, ticket: Ticket):
    ticket.write_draft(location="Springfield", story="The roof fell in.\n\nWe sleep at the church.")
    with browser_of(live, ticket.token) as browser:
        shown = browser.get(page(ticket, "publish"))
        assert shown.status_code == 200
        for text in ("Help Ada", "Ada Lovelace", "Springfield", "We sleep at the church.", "1,500"):
            assert text in shown.text
        assert 'name="photo"' not in shown.text
        answer = browser.post(page(ticket, "publish"), data=AGREED)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/t/{ticket.id}/manage?done=published")
        assert "public now" in browser.get(answer.headers["location"]).text
    url = ticket.post("/publish", {}).json()["publicUrl"]
    public = client.get(url)
    assert public.status_code == 200
    assert "Springfield" not in public.text
    [consent] = [record for record in ticket.get("/consents").json()["consents"] if record["textVersion"]]
    assert (consent["scopes"], consent["how"], consent["language"]) == (["story", "name"], "typed", "en")


def test_the_words_of_the_consent_are_in_the_language_of_the_reader(live: LiveService, ticket: Ticket):
    ticket.write_draft()
    with browser_of(live, ticket.token) as browser:
        assert "Sin esto no hay página." in browser.get(page(ticket, "publish") + "?lang=es").text
        browser.post(page(ticket, "publish"), data=AGREED | {"textVersion": "1", "textLanguage": "es"})
    assert ticket.get("/consents").json()["consents"][0]["language"] == "es"


@pytest.mark.parametrize(
    ("form", "place"),
    [
        ({"name": "yes"}, "#show-story"),
        (AGREED | {"version": "0"}, "#answers"),
        (AGREED | {"textVersion": "0"}, "#answers"),
        (AGREED | ASKED | {"note": "x" * 501}, "#note"),
        (AGREED | ASKED | {"note": ""}, "#note"),
        (AGREED | ASKED | {"lookedBy": ""}, "#lookedBy"),
        (AGREED | ASKED | {"lookedBy": "x" * 121}, "#lookedBy"),
        (AGREED | {"others": ""}, "#others"),
        (AGREED | {"others": "perhaps"}, "#others"),
    ],
)
def test_a_fault_is_named_and_nothing_is_published_or_recorded(
    live: LiveService, ticket: Ticket, form: dict[str, Any], place: str
):
    ticket.write_draft()
    with browser_of(live, ticket.token) as browser:
        answer = browser.post(page(ticket, "publish"), data=form)
    assert answer.status_code == 422
    assert f'href="{place}"' in answer.text
    assert given(ticket) == []
    assert ticket.get().json()["contentStatus"] == "READY"


def test_publishing_an_incomplete_story_leads_to_the_questions(live: LiveService, ticket: Ticket):
    with browser_of(live, ticket.token) as browser:
        shown = browser.get(page(ticket, "publish")).text
        assert f'href="/t/{ticket.id}/questions"' in shown
        assert ">Publish</button>" not in shown
        assert browser.post(page(ticket, "publish"), data=AGREED).status_code == 422
    assert given(ticket) == []


def test_undecided_findings_are_decided_first_and_then_somebody_says_who_looked(live: LiveService, ticket: Ticket):
    ticket.write_draft(story=STORY)
    with browser_of(live, ticket.token) as browser:
        assert (
            f'href="/t/{ticket.id}/findings?next=/t/{ticket.id}/publish"' in browser.get(page(ticket, "publish")).text
        )
        form = AGREED | ASKED
        assert 'href="#findings"' in browser.post(page(ticket, "publish"), data=form).text
        assert given(ticket) == []
        decide(ticket, phone="keep", name="keep")
        shown = browser.get(page(ticket, "publish")).text
        assert "We think that it names somebody." in shown
        assert 'id="others-nobody"' not in shown
        assert 'href="#others"' in browser.post(page(ticket, "publish"), data=AGREED).text
        assert browser.post(page(ticket, "publish"), data=form).status_code == 303
        timeline = browser.get(f"/audit/{ticket.id}").text
    consent = ticket.get("/consents").json()["consents"][0]
    (event,) = [event for event in ticket.get("/history?limit=100").json()["events"] if event["type"] == "ConsentGiven"]
    for shown in (consent, event["data"]):
        assert {name: shown[name] for name in ASKED} == ASKED
    assert "They agree, or the person who cares for the child agrees" in timeline
    assert "I asked John." in timeline


def test_a_person_says_that_nobody_can_tell_who_the_others_are(live: LiveService, ticket: Ticket, auditor: Client):
    ticket.write_draft()
    with browser_of(live, ticket.token) as browser:
        assert 'value="Ada Lovelace"' in browser.get(page(ticket, "publish")).text
        form = AGREED | {"others": "unrecognisable", "lookedBy": "Grace Hopper"}
        assert browser.post(page(ticket, "publish"), data=form).status_code == 303
    record = ticket.get("/consents").json()["consents"][0]
    assert (record["others"], record["lookedBy"], record["note"]) == ("unrecognisable", "Grace Hopper", None)
    assert auditor.get(f"{ticket.path}/consents").json()["consents"][0]["lookedBy"] == "[masked]"


def test_a_program_that_reports_a_decision_names_who_made_it(ticket: Ticket):
    consent = {"scopes": ["story"], "textVersion": "1", "language": "en", "how": "typed", "others": "agreed"}
    problem(ticket.post("/consents", consent), 422, "invalid")
    assert ticket.post("/consents", consent | {"lookedBy": "Grace Hopper"}).status_code == 201
    assert ticket.post("/consents", consent | {"others": "nobody"}).status_code == 201


def test_publishing_again_shows_exactly_what_is_chosen_now(live: LiveService, client: Client, ticket: Ticket):
    url = with_picture(ticket)
    with browser_of(live, ticket.token) as browser:
        shown = browser.get(page(ticket, "publish")).text
        assert 'alt="The house without a roof"' in shown
        assert shown.count(" checked") == 4
        browser.post(page(ticket, "publish"), data={"story": "yes", "others": "nobody"})
    assert given(ticket) == ["story"]
    assert client.get(f"{url}/picture").status_code == 404


def test_a_page_that_was_taken_down_cannot_be_published(live: LiveService, admin: Client, ticket: Ticket):
    ticket.publish()
    admin.post(f"{ticket.path}/suspend", json={"reason": "Fraud."})
    with browser_of(live, ticket.token) as browser:
        assert "taken this page down" in browser.get(page(ticket, "publish")).text
        assert browser.post(page(ticket, "publish"), data=AGREED).status_code == 422


def test_a_consent_is_taken_back_with_its_consequence(live: LiveService, client: Client, ticket: Ticket):
    url = ticket.publish()
    with browser_of(live, ticket.token) as browser:
        shown = browser.get(page(ticket, "consent")).text
        assert "You agreed on" in shown
        assert "Your name is taken out of your page" in shown
        answer = browser.post(page(ticket, "consent"), data={"scope": "name"})
        assert (answer.status_code, answer.headers["location"]) == (303, f"/t/{ticket.id}/consent?done=name")
        assert "taken back" in browser.get(answer.headers["location"]).text
        assert "Lovelace" not in client.get(url).text
        browser.post(page(ticket, "consent"), data={"scope": "story"})
        assert client.get(url).status_code == 404
        assert browser.post(page(ticket, "consent"), data={"scope": "everything"}).status_code == 422
    assert given(ticket) == ["place"]


def test_a_page_of_consents_says_that_nothing_was_agreed_to(live: LiveService, ticket: Ticket):
    with browser_of(live, ticket.token) as browser:
        assert "We may show nothing of you." in browser.get(page(ticket, "consent")).text


def change(browser: Client, ticket: Ticket, **form: str) -> int:
    return browser.post(page(ticket, "photo/change"), data=form).status_code


def test_a_photo_is_sent_described_chosen_taken_off_and_deleted(live: LiveService, client: Client, ticket: Ticket):
    url = ticket.publish()
    with browser_of(live, ticket.token) as browser:
        sent = browser.post(
            page(ticket, "photo"), files={"file": ("roof.jpg", PHOTO)}, data={"description": "Our house"}
        )
        assert (sent.status_code, sent.headers["location"]) == (303, f"/t/{ticket.id}/photo?done=chosen")
        shown = browser.get(sent.headers["location"]).text
        assert 'alt="Our house"' in shown
        assert f'href="/t/{ticket.id}/publish"' in shown
        assert client.get(f"{url}/picture").status_code == 404
        browser.post(page(ticket, "publish"), data=AGREED | {"photo": "yes"})
        assert client.get(f"{url}/picture").status_code == 200
        [photo] = ticket.get("/attachments").json()
        assert change(browser, ticket, do="remove") == 303
        assert client.get(f"{url}/picture").status_code == 404
        assert change(browser, ticket, do="choose", id=photo["id"], description="The roof") == 303
        assert ticket.get("/attachments").json()[0]["description"] == "The roof"
        assert change(browser, ticket, do="delete", id=photo["id"]) == 303
        assert change(browser, ticket, do="delete", id=photo["id"]) == 422
    assert ticket.get("/attachments").json() == []


@pytest.mark.parametrize(
    ("data", "description", "place"),
    [
        (b"", "Our house", "#file"),
        (b"MZ" + bytes(100), "Our house", "#file"),
        (PHOTO, "", "#description"),
        (PHOTO, "x" * 301, "#description"),
    ],
)
def test_a_photo_that_is_refused_is_not_kept(
    live: LiveService, ticket: Ticket, data: bytes, description: str, place: str
):
    with browser_of(live, ticket.token) as browser:
        answer = browser.post(
            page(ticket, "photo"), files={"file": ("roof.jpg", data)}, data={"description": description}
        )
    assert answer.status_code == 422
    assert f'href="{place}"' in answer.text
    assert ticket.get("/attachments").json() == []


def test_a_kept_photo_is_chosen_only_with_a_description(live: LiveService, ticket: Ticket):
    photo = attached(ticket)
    with browser_of(live, ticket.token) as browser:
        answer = browser.post(page(ticket, "photo/change"), data={"do": "choose", "id": photo, "description": ""})
        assert answer.status_code == 422
        assert f'href="#description-{photo}"' in answer.text
        letter = attached(ticket, PDF, "letter.pdf")
        assert change(browser, ticket, do="choose", id=letter, description="A letter") == 422
        assert change(browser, ticket, do="choose", id="none", description="A roof") == 422
