"""The person's own voice on the campaign page: heard only as long as the person agrees, and without what is hidden."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any, BinaryIO
from zipfile import ZipFile

import pytest

from adapters.confined.child_process import Limits
from adapters.speech import cutter
from adapters.speech.cutting import cut
from domain.values import Segment, Transcript
from tests.client import RECORDING, Client, LiveService, Ticket
from tests.entrypoints.conftest import JobRunner
from tests.entrypoints.http.contract import pointers, problem
from tests.entrypoints.http.test_manage_pages import browser_of, page

TEXTS = ("My rough fell in.", "We sleep at the church in Springfield.", "Call me at +1 212 555 0100.", "Help us.")
HEARD = Transcript(
    " ".join(TEXTS),
    "en",
    "fake",
    tuple(Segment(text, number * 900, number * 900 + 800) for number, text in enumerate(TEXTS)),
)
AGREED = {"scopes": ["recording"], "textVersion": "1", "language": "en", "how": "typed"}


@pytest.fixture(autouse=True)
def _cuts_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start no child process, which takes longer than the work."""

    def run(
        job: str, source: BinaryIO, arguments: Mapping[str, Any], limits: Limits, *, output: BinaryIO
    ) -> dict[str, object]:
        assert job == "cut"
        source.flush()
        return cut(source.fileno(), output.fileno(), **arguments)

    monkeypatch.setattr(cutter, "run_child", run)


@pytest.fixture
def ids(ticket: Ticket, work: JobRunner) -> list[str]:
    """Return the ids of the segments of the ticket's recording; the campaign is published without a voice."""
    ticket.upload(RECORDING.read_bytes())
    ticket.post("/process")
    work.do(ticket, outcome=HEARD)
    ticket.write_draft(location="Springfield")
    assert ticket.post("/publish", {"consent": True}).status_code == 200
    return [each["id"] for each in ticket.get("/transcript").json()["segments"]]


def choose(ticket: Ticket, first: str, last: str | None = None, **more: Any) -> Any:
    choice = {"firstSegmentId": first, "lastSegmentId": last or first, **more}
    return ticket.http.put(f"{ticket.path}/voice", json=choice)


def url_of(ticket: Ticket) -> str:
    url: str = ticket.post("/publish", {}).json()["publicUrl"]
    return url


def heard(ticket: Ticket, ids: list[str], last: int = 1) -> str:
    """Let people hear the passage to the segment with this index, and return the URL of the page."""
    assert choose(ticket, ids[0], ids[last]).status_code == 200
    assert ticket.post("/consents", AGREED).status_code == 201
    return url_of(ticket)


def stored(live: LiveService, ticket: Ticket) -> set[str]:
    folder = live.service.settings.data_dir
    return {path.name for path in folder.rglob(f"{ticket.id}/*")}


def test_a_passage_is_chosen_heard_by_the_holder_and_with_consent_by_strangers(
    ticket: Ticket, client: Client, ids: list[str]
):
    problem(ticket.get("/voice"), 404, "not-found")
    answer = choose(ticket, ids[0], ids[1])
    assert answer.status_code == 200, answer.text
    voice = answer.json()
    assert (voice["firstSegmentId"], voice["lastSegmentId"], voice["heard"]) == (ids[0], ids[1], False)
    assert voice["text"] == "My rough fell in. We sleep at the church in Springfield."
    assert (voice["startMs"], voice["mediaType"]) == (0, "audio/mpeg")
    sound = ticket.http.get(voice["filePath"])
    assert (len(sound.content), sound.headers["content-type"]) == (voice["sizeBytes"], "audio/mpeg")
    url = url_of(ticket)
    problem(client.get(f"{url}/voice"), 404, "not-found")
    assert "/voice?v=" not in client.get(url).text
    ticket.post("/consents", AGREED)
    assert ticket.get("/voice").json()["heard"] is True
    shown = client.get(url).text
    assert "We sleep at the church in Springfield." in shown
    [path] = {part.split('"')[0] for part in shown.split('src="') if "/voice?v=" in part.split('"')[0]}
    part = client.get(path, headers={"Range": "bytes=0-99"})
    assert (part.status_code, part.content) == (206, sound.content[:100])
    assert part.headers["content-range"] == f"bytes 0-99/{len(sound.content)}"
    assert part.headers["cache-control"] == "private, no-cache"
    assert client.get(path, headers={"If-None-Match": part.headers["etag"]}).status_code == 304


def test_another_passage_needs_another_consent_and_a_corrected_text_does_not(
    ticket: Ticket, client: Client, ids: list[str]
):
    url = heard(ticket, ids)
    ticket.patch("/transcript", {"corrections": [{"segmentId": ids[0], "text": "My roof fell in."}]})
    assert "My roof fell in. We sleep" in client.get(url).text
    assert client.get(f"{url}/voice").status_code == 200
    choose(ticket, ids[0])
    assert client.get(f"{url}/voice").status_code == 404
    ticket.post("/consents", AGREED)
    assert client.get(f"{url}/voice").status_code == 200


@pytest.mark.parametrize("end", ["withdraw", "delete", "delete the recording", "left out", "erase"])
def test_the_sound_is_gone_from_page_and_storage_at_once(
    ticket: Ticket, client: Client, live: LiveService, ids: list[str], end: str
):
    before = stored(live, ticket)
    url = heard(ticket, ids)
    [sound] = stored(live, ticket) - before
    match end:
        case "withdraw":
            ticket.post("/consents/withdraw", {"scopes": ["recording"]})
        case "delete":
            ticket.http.delete(f"{ticket.path}/voice")
        case "delete the recording":
            ticket.http.delete(f"{ticket.path}/recordings/{ids[0].partition('.')[0]}")
        case "left out":
            ticket.patch("/transcript", {"corrections": [{"segmentId": ids[1], "text": ""}]})
        case "erase":
            ticket.http.delete(ticket.path)
    assert client.get(f"{url}/voice").status_code == 404
    assert sound not in stored(live, ticket)


def test_the_page_of_recordings_says_that_the_voice_ends_with_its_recording(
    live: LiveService, ticket: Ticket, ids: list[str]
):
    with browser_of(live, ticket.token) as browser:
        sentence = "Nobody can hear your voice on your page then."
        assert sentence not in browser.get(page(ticket, "recordings")).text
        heard(ticket, ids)
        assert sentence in browser.get(page(ticket, "recordings")).text


def test_strangers_hear_nothing_while_the_page_is_down(ticket: Ticket, client: Client, admin: Client, ids: list[str]):
    url = heard(ticket, ids)
    admin.post(f"{ticket.path}/suspend", json={"reason": "Fraud."})
    assert client.get(f"{url}/voice").status_code == 404
    admin.post(f"{ticket.path}/reinstate", json={})
    assert client.get(f"{url}/voice").status_code == 200
    ticket.post("/unpublish")
    assert client.get(f"{url}/voice").status_code == 404


def test_a_voice_that_says_what_the_page_hides_is_not_heard(ticket: Ticket, client: Client, ids: list[str]):
    url = heard(ticket, ids)
    ticket.post("/consents/withdraw", {"scopes": ["place"]})
    assert client.get(f"{url}/voice").status_code == 404
    assert "Springfield" not in client.get(url).text
    assert ticket.get("/voice").json()["heard"] is False


def test_a_dangerous_segment_is_heard_only_if_it_is_kept(ticket: Ticket, ids: list[str]):
    refused = choose(ticket, ids[2])
    problem(refused, 409, "undecided-findings")
    assert "555" in refused.json()["findings"][0]["text"]
    ticket.patch("/transcript", {"corrections": [{"segmentId": ids[2], "text": "Call me."}]})
    assert choose(ticket, ids[2]).status_code == 409, "the sound still says it"
    assert choose(ticket, ids[2], keepFindings=True).json()["text"] == "Call me."


def test_a_refusal_names_the_segment_that_cannot_be_chosen(ticket: Ticket, ids: list[str]):
    assert pointers(choose(ticket, ids[1], ids[0])) == ["/lastSegmentId"]
    assert pointers(choose(ticket, "none", ids[0])) == ["/firstSegmentId"]
    assert ticket.get("/voice").status_code == 404


def test_an_auditor_gets_neither_words_nor_sound(ticket: Ticket, auditor: Client, ids: list[str]):
    heard(ticket, ids)
    assert auditor.get(f"{ticket.path}/voice").json()["text"] == "[masked]"
    assert auditor.get(f"{ticket.path}/voice/sound").status_code == 403
    assert "church" not in auditor.get(f"{ticket.path}/history", params={"limit": 100}).text


def test_the_archive_has_the_voice(ticket: Ticket, ids: list[str]):
    choose(ticket, ids[0])
    with ZipFile(BytesIO(ticket.get("/export").content)) as archive:
        assert archive.read("voice.mp3") == ticket.get("/voice/sound").content
        assert b"My rough fell in." in archive.read("voice.json")


def test_a_person_chooses_hears_agrees_and_removes_on_the_page(
    live: LiveService, ticket: Ticket, client: Client, ids: list[str]
):
    url = url_of(ticket)
    with browser_of(live, ticket.token) as browser:
        assert browser.post(page(ticket, "voice"), data={"do": "choose"}).status_code == 422
        danger = browser.post(page(ticket, "voice"), data={"do": "choose", "first": ids[2], "last": ids[2]})
        assert danger.status_code == 422
        assert 'id="keep"' in danger.text
        sent = browser.post(page(ticket, "voice"), data={"do": "choose", "first": ids[0], "last": ids[1]})
        assert (sent.status_code, sent.headers["location"]) == (303, f"/t/{ticket.id}/voice?done=chosen")
        shown = browser.get(sent.headers["location"]).text
        assert "Strangers will hear your voice." in shown
        sound = shown.partition('name="sound" value="')[2].partition('"')[0]
        assert browser.post(page(ticket, "voice"), data={"do": "agree", "sound": sound}).status_code == 422
        agreement = {"do": "agree", "recording": "yes", "textVersion": "1", "textLanguage": "es"}
        assert browser.post(page(ticket, "voice"), data=agreement | {"sound": "other"}).status_code == 422
        assert client.get(f"{url}/voice").status_code == 404
        assert browser.post(page(ticket, "voice"), data=agreement | {"sound": sound}).status_code == 303
        assert client.get(f"{url}/voice").status_code == 200
        consent = ticket.get("/consents").json()["consents"][-1]
        assert (consent["scopes"], consent["language"]) == (["recording"], "es")
        assert "/voice/sound?v=" in browser.get(page(ticket, "publish")).text
        assert browser.post(page(ticket, "voice"), data={"do": "remove"}).status_code == 303
    assert client.get(f"{url}/voice").status_code == 404


def test_without_a_transcript_the_page_says_what_is_missing(live: LiveService, ticket: Ticket):
    with browser_of(live, ticket.token) as browser:
        assert "There is no recording yet" in browser.get(page(ticket, "voice")).text
