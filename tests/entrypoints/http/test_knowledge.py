"""The knowledge base: texts are added and searched, best match first, and texts with secrets are refused."""

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
    body: dict[str, Any] = answer.json()
    return body


def search(admin: Client, q: str, **more: Any) -> list[dict[str, Any]]:
    answer = admin.get(SEARCH, params={"q": q} | more)
    assert answer.status_code == 200, answer.text
    chunks: list[dict[str, Any]] = answer.json()["chunks"]
    return chunks


def titles(admin: Client, q: str) -> list[str]:
    return [chunk["source"]["title"] for chunk in search(admin, q)]


# Adding.


@pytest.mark.parametrize("type", ["DOC", "URL", "NOTE", "IMPORT"])
def test_a_text_of_every_type_is_added_and_found_with_its_source(admin: Client, type: str):
    source = added(admin, "Refunds", "Money goes back to the card within ten days.", type)
    assert source["chunkCount"] == 1
    [chunk] = search(admin, "card")
    assert (chunk["source"]["id"], chunk["source"]["type"], chunk["source"]["title"]) == (source["id"], type, "Refunds")
    assert chunk["text"] == "Money goes back to the card within ten days."
    assert chunk["snippet"] == "Money goes back to the **card** within ten days."


def test_a_long_text_is_split_into_chunks_that_can_be_read_alone(admin: Client):
    paragraphs = [f"Paragraph {n} says: " + "some words that say little, " * 20 + "and it ends." for n in range(20)]
    source = added(admin, "Long", "\n\n".join(paragraphs))
    assert source["chunkCount"] > 8
    [chunk] = search(admin, '"paragraph 17 says"')
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
def test_an_invalid_body_is_refused_with_a_pointer_to_the_field(admin: Client, body: dict[str, Any], pointer: str):
    assert pointers(admin.post(SOURCES, json=body)) == [pointer]


@pytest.mark.parametrize(
    "secret",
    ["whsec_" + "Ab3" * 10, "sk-proj-" + "Ab3" * 10, "-----BEGIN RSA " + "PRIVATE KEY-----", "password: Sonne12"],
)
def test_a_text_with_a_secret_is_refused_and_neither_stored_nor_repeated(live: LiveService, admin: Client, secret: str):
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


def test_a_url_is_stored_as_text_and_not_fetched(admin: Client):
    with socket.create_server(("127.0.0.1", 0)) as door:
        door.setblocking(False)
        url = f"http://127.0.0.1:{door.getsockname()[1]}/page"
        added(admin, url, url, "URL")
        added(admin, "A page", f"See {url} for more.", "URL")
        with pytest.raises(BlockingIOError):
            door.accept()
    assert search(admin, "more")[0]["text"] == f"See {url} for more."


def test_the_same_idempotency_key_adds_one_source(live: LiveService, admin: Client):
    body, headers = {"type": "NOTE", "title": "Once", "content": "Only once."}, {"Idempotency-Key": str(uuid4())}
    first, repeated = (admin.post(SOURCES, json=body, headers=headers) for _ in range(2))
    assert first.json() == repeated.json()
    assert live.row_count("knowledge_sources") == 1


# Listing and removing.


def test_sources_are_listed_newest_first_and_can_be_removed(live: LiveService, admin: Client):
    ids = [added(admin, f"Source {number}", "Words. " * 400 * number)["id"] for number in (1, 2, 3)]
    first = admin.get(SOURCES, params={"limit": 2}).json()
    second = admin.get(SOURCES, params={"limit": 2, "cursor": first["nextCursor"]}).json()
    listed = [*first["sources"], *second["sources"]]
    assert [source["id"] for source in listed] == ids[::-1]
    assert listed[0]["chunkCount"] > listed[2]["chunkCount"] > 1
    deletion = admin.delete(f"{SOURCES}/{ids[0]}")
    assert (deletion.status_code, deletion.content) == (204, b"")
    problem(admin.delete(f"{SOURCES}/{ids[0]}"), 404, "not-found")
    problem(admin.delete(f"{SOURCES}/none"), 404, "not-found")
    assert live.row_count("knowledge_chunks") == sum(source["chunkCount"] for source in listed[:2])


# Searching.


def test_the_best_match_comes_first_and_titles_count(admin: Client):
    added(
        admin, "Everything", "Many things are said here, and a refund is one of them, among all the others there are."
    )
    added(admin, "Refunds", "How refunds work: a refund is asked for, then the refund arrives.")
    added(admin, "Refund times", "Ten days.")
    added(admin, "Weather", "It rains.")
    assert titles(admin, "refund") == ["Refunds", "Everything", "Refund times"]


def test_words_match_by_their_stems_and_names_exactly(admin: Client):
    added(admin, "English", "Donors were refunded quickly.")
    added(admin, "Spanish", "Las donaciones llegan mañana.")
    added(admin, "Stop words", "The Who are a band.")
    assert titles(admin, "refund donor") == ["English"]
    assert titles(admin, "mañana") == ["Spanish"]
    assert titles(admin, "who") == ["Stop words"]
    assert titles(admin, '"the who"') == ["Stop words"]


def test_phrases_alternatives_and_exclusions_are_understood(admin: Client):
    added(admin, "Cats", "Cats sleep all day.")
    added(admin, "Dogs", "Dogs sleep all night.")
    added(admin, "Both", "A dog and a cat sleep.")
    assert sorted(titles(admin, "cats or dogs")) == ["Both", "Cats", "Dogs"]
    assert titles(admin, "cats -dogs") == ["Cats"]
    assert titles(admin, '"sleep all night"') == ["Dogs"]
    assert titles(admin, "unicorn") == []


def test_result_pages_of_a_search_have_no_gaps(admin: Client):
    for number in range(7):
        added(admin, f"Gift {number}", "gift " * (number % 3 + 1) + "and other words that are the same in all of them")
    all_chunks = [(c["source"]["id"], c["number"]) for c in search(admin, "gift")]
    paged: list[tuple[str, int]] = []
    query: dict[str, Any] = {"q": "gift", "limit": 2}
    while True:
        answer = admin.get(SEARCH, params=query).json()
        paged += [(c["source"]["id"], c["number"]) for c in answer["chunks"]]
        if answer["nextCursor"] is None:
            break
        query["cursor"] = answer["nextCursor"]
    assert paged == all_chunks
    assert len(all_chunks) == 7


@pytest.mark.parametrize("q", ["", "   ", "x" * 201, "a\x00b", "two\nlines", None])
def test_an_invalid_search_is_refused(admin: Client, q: str | None):
    assert pointers(admin.get(SEARCH, params={} if q is None else {"q": q})) == ["/q"]


@pytest.mark.parametrize("cursor", ["x", "W10", "WzEuMCwieCIsMV0", "WzEsMiwzXQ"])
def test_an_invalid_cursor_is_refused(admin: Client, cursor: str):
    assert pointers(admin.get(SEARCH, params={"q": "gift", "cursor": cursor})) == ["/cursor"]


HOSTILE = [
    "'; DROP TABLE knowledge_chunks; --", '"', '""', "!", "!!&|", ":*", "a & ", "(((", "%s", "%(q)s", "\\", "-", "- -",
    "or", "or or or", '"a" <-> "b"', "<script>alert(1)</script>", "x" * 200, '"' * 199,
    "漢字 -漢", "😀", "a:b:c:ABCD", '-"' * 100, "-or " * 50, "-a" * 100,
]  # fmt: skip


@pytest.mark.parametrize("q", HOSTILE)
def test_hostile_searches_are_plain_searches(live: LiveService, admin: Client, q: str):
    added(admin, "Note", "A text that nobody harms; it stays.")
    search(admin, q)
    assert live.row_count("knowledge_chunks") == 1


@pytest.mark.parametrize("q", ["-" * 200, "- " * 100, "-(" * 100])
def test_a_search_of_very_many_exclusions_is_refused(admin: Client, q: str):
    assert pointers(admin.get(SEARCH, params={"q": q})) == ["/q"]


@given(q=st.text(min_size=1, max_size=200))
@settings(max_examples=60)
def test_every_search_is_answered_or_refused(admin: Client, q: str):
    try:
        q.encode()
    except UnicodeEncodeError:
        return
    assert admin.get(SEARCH, params={"q": q}).status_code in (200, 422)
