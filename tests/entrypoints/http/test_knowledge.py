"""The knowledge base: what is added can be found, best first, and nothing that holds a secret is kept."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.knowledge.chunks import LONGEST
from tests.client import Client, LiveService
from tests.entrypoints.http.contract import pointers, problem

SOURCES = "/admin/knowledge/sources"
SEARCH = "/admin/knowledge/search"


@pytest.fixture(autouse=True)
def empty_shelf(live: LiveService) -> Iterator[None]:
    with live.service.database.connection() as connection:
        connection.execute("DELETE FROM knowledge_sources")
        yield
        connection.execute("DELETE FROM knowledge_sources")


def added(admin: Client, title: str, content: str, type: str = "NOTE") -> dict[str, Any]:
    answer = admin.post(SOURCES, json={"type": type, "title": title, "content": content})
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


def found(admin: Client, q: str, **more: Any) -> list[dict[str, Any]]:
    answer = admin.get(SEARCH, params={"q": q} | more)
    assert answer.status_code == 200, answer.text
    chunks: list[dict[str, Any]] = answer.json()["chunks"]
    return chunks


def titles(admin: Client, q: str) -> list[str]:
    return [chunk["source"]["title"] for chunk in found(admin, q)]


# Adding.


@pytest.mark.parametrize("type", ["DOC", "URL", "NOTE", "IMPORT"])
def test_a_text_of_every_type_is_added_and_found_with_its_source(admin: Client, type: str):
    source = added(admin, "Refunds", "Money goes back to the card within ten days.", type)
    assert source["chunkCount"] == 1
    [chunk] = found(admin, "card")
    assert (chunk["source"]["id"], chunk["source"]["type"], chunk["source"]["title"]) == (source["id"], type, "Refunds")
    assert chunk["text"] == "Money goes back to the card within ten days."
    assert chunk["snippet"] == "Money goes back to the **card** within ten days."


def test_a_long_text_is_cut_into_chunks_that_can_be_read_alone(admin: Client):
    paragraphs = [f"Paragraph {n} says: " + "some words that say little, " * 20 + "and it ends." for n in range(20)]
    source = added(admin, "Long", "\n\n".join(paragraphs))
    assert source["chunkCount"] > 8
    [chunk] = found(admin, '"paragraph 17 says"')
    assert "\n\nParagraph 17 says: some words" in chunk["text"]
    assert len(chunk["text"]) <= LONGEST
    assert len(chunk["snippet"]) < len(chunk["text"])


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"title": "T", "content": "c"}, "/type"),
        ({"type": "NOTE", "content": "c"}, "/title"),
        ({"type": "NOTE", "title": "T"}, "/content"),
        ({"type": "BOOK", "title": "T", "content": "c"}, "/type"),
        ({"type": "NOTE", "title": "x" * 201, "content": "c"}, "/title"),
        ({"type": "NOTE", "title": "two\nlines", "content": "c"}, "/title"),
        ({"type": "NOTE", "title": "T", "content": " \n "}, "/content"),
        ({"type": "NOTE", "title": "T", "content": "x" * 200_001}, "/content"),
        ({"type": "NOTE", "title": "T", "content": "c\x00"}, "/content"),
        ({"type": "NOTE", "title": "T", "content": "c", "url": "http://example.com"}, "/url"),
    ],
)
def test_what_breaks_the_contract_is_refused_where_it_does(admin: Client, body: dict[str, Any], pointer: str):
    assert pointers(admin.post(SOURCES, json=body)) == [pointer]


@pytest.mark.parametrize(
    "secret",
    ["whsec_" + "Ab3" * 10, "sk-proj-" + "Ab3" * 10, "-----BEGIN RSA " + "PRIVATE KEY-----", "password: Sonne12"],
)
def test_what_holds_a_secret_is_refused_not_kept_and_not_repeated(live: LiveService, admin: Client, secret: str):
    for body, pointer in (
        ({"type": "DOC", "title": "How to sign in", "content": f"Easy.\n\nUse {secret} here."}, "/content"),
        ({"type": "DOC", "title": f"Use {secret}", "content": "Easy."}, "/title"),
    ):
        answer = admin.post(SOURCES, json=body)
        [fault] = problem(answer, 422, "invalid")["errors"]
        assert fault["pointer"] == pointer
        assert "looks like" in fault["detail"]
        assert secret not in answer.text
    assert live.row_count("knowledge_sources") == live.row_count("knowledge_chunks") == 0


def test_a_url_is_kept_as_it_is_written_and_nobody_goes_there(admin: Client):
    with socket.create_server(("127.0.0.1", 0)) as door:
        door.settimeout(0.3)
        url = f"http://127.0.0.1:{door.getsockname()[1]}/page"
        added(admin, url, url, "URL")
        added(admin, "A page", f"See {url} for more.", "URL")
        with pytest.raises(TimeoutError):
            door.accept()
    assert found(admin, "more")[0]["text"] == f"See {url} for more."


def test_the_same_key_adds_one_source(live: LiveService, admin: Client):
    body, headers = {"type": "NOTE", "title": "Once", "content": "Only once."}, {"Idempotency-Key": str(uuid4())}
    first, again = (admin.post(SOURCES, json=body, headers=headers) for _ in range(2))
    assert first.json() == again.json()
    assert live.row_count("knowledge_sources") == 1


# Listing and removing.


def test_sources_are_listed_newest_first_a_page_at_a_time_and_can_be_taken_away(live: LiveService, admin: Client):
    ids = [added(admin, f"Source {number}", "Words. " * 400 * number)["id"] for number in (1, 2, 3)]
    first = admin.get(SOURCES, params={"limit": 2}).json()
    second = admin.get(SOURCES, params={"limit": 2, "cursor": first["nextCursor"]}).json()
    listed = [*first["sources"], *second["sources"]]
    assert [one["id"] for one in listed] == ids[::-1]
    assert listed[0]["chunkCount"] > listed[2]["chunkCount"] > 1
    gone = admin.delete(f"{SOURCES}/{ids[0]}")
    assert (gone.status_code, gone.content) == (204, b"")
    problem(admin.delete(f"{SOURCES}/{ids[0]}"), 404, "not-found")
    problem(admin.delete(f"{SOURCES}/none"), 404, "not-found")
    assert live.row_count("knowledge_chunks") == sum(one["chunkCount"] for one in listed[:2])


# Searching.


def test_what_says_it_more_comes_first_and_the_title_counts_too(admin: Client):
    added(
        admin, "Everything", "Many things are said here, and a refund is one of them, among all the others there are."
    )
    added(admin, "Refunds", "How refunds work: a refund is asked for, then the refund arrives.")
    added(admin, "Refund times", "Ten days.")
    added(admin, "Weather", "It rains.")
    assert titles(admin, "refund") == ["Refunds", "Everything", "Refund times"]


def test_words_are_found_by_their_stems_and_names_as_they_stand(admin: Client):
    added(admin, "English", "Donors were refunded quickly.")
    added(admin, "Spanish", "Las donaciones llegan mañana.")
    added(admin, "Stop words", "The Who are a band.")
    assert titles(admin, "refund donor") == ["English"]
    assert titles(admin, "mañana") == ["Spanish"]
    assert titles(admin, "who") == ["Stop words"]
    assert titles(admin, '"the who"') == ["Stop words"]


def test_phrases_alternatives_and_exclusions_mean_what_people_mean(admin: Client):
    added(admin, "Cats", "Cats sleep all day.")
    added(admin, "Dogs", "Dogs sleep all night.")
    added(admin, "Both", "A dog and a cat sleep.")
    assert sorted(titles(admin, "cats or dogs")) == ["Both", "Cats", "Dogs"]
    assert titles(admin, "cats -dogs") == ["Cats"]
    assert titles(admin, '"sleep all night"') == ["Dogs"]
    assert titles(admin, "unicorn") == []


def test_pages_of_a_search_follow_each_other_without_a_gap(admin: Client):
    for number in range(7):
        added(admin, f"Gift {number}", "gift " * (number % 3 + 1) + "and other words that are the same in all of them")
    whole = [(c["source"]["id"], c["number"]) for c in found(admin, "gift")]
    paged: list[tuple[str, int]] = []
    query: dict[str, Any] = {"q": "gift", "limit": 2}
    while True:
        answer = admin.get(SEARCH, params=query).json()
        paged += [(c["source"]["id"], c["number"]) for c in answer["chunks"]]
        if answer["nextCursor"] is None:
            break
        query["cursor"] = answer["nextCursor"]
    assert paged == whole
    assert len(whole) == 7


@pytest.mark.parametrize("q", ["", "   ", "x" * 201, "a\x00b", "two\nlines", None])
def test_what_is_no_search_is_refused(admin: Client, q: str | None):
    assert pointers(admin.get(SEARCH, params={} if q is None else {"q": q})) == ["/q"]


@pytest.mark.parametrize("cursor", ["x", "W10", "WzEuMCwieCIsMV0", "WzEsMiwzXQ"])
def test_a_cursor_that_is_none_is_refused(admin: Client, cursor: str):
    assert pointers(admin.get(SEARCH, params={"q": "gift", "cursor": cursor})) == ["/cursor"]


HOSTILE = [
    "'; DROP TABLE knowledge_chunks; --", '"', '""', "!", "!!&|", ":*", "a & ", "(((", "%s", "%(q)s", "\\", "-", "- -",
    "or", "or or or", '"a" <-> "b"', "<script>alert(1)</script>", "x" * 200, '"' * 199,
    "漢字 -漢", "😀", "a:b:c:ABCD", '-"' * 100, "-or " * 50, "-a" * 100,
]  # fmt: skip


@pytest.mark.parametrize("q", HOSTILE)
def test_hostile_searches_are_searches_like_any_other(live: LiveService, admin: Client, q: str):
    added(admin, "Note", "A text that nobody harms; it stays.")
    found(admin, q)
    assert live.row_count("knowledge_chunks") == 1


@pytest.mark.parametrize("q", ["-" * 200, "- " * 100, "-(" * 100])
def test_minuses_without_end_are_refused(admin: Client, q: str):
    assert pointers(admin.get(SEARCH, params={"q": q})) == ["/q"]


@given(q=st.text(min_size=1, max_size=200))
@settings(max_examples=60)
def test_any_text_is_answered_or_refused(admin: Client, q: str):
    try:
        q.encode()
    except UnicodeEncodeError:
        return
    assert admin.get(SEARCH, params={"q": q}).status_code in (200, 422)
