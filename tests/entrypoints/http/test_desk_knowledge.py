"""The page of the knowledge base, on which operators of the installation add, search and remove texts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing

import pytest

from adapters.ids import uuid7
from domain.members import MemberRole
from domain.values import Role
from tests.client import Client, LiveService
from tests.entrypoints.http.test_desk_operators import browser_with_key
from tests.entrypoints.http.test_desk_pages import browser_of
from tests.entrypoints.http.test_knowledge import empty_shelf as empty_shelf
from tests.members import joined_member, new_address

PAGE = "/desk/knowledge"
TEXT = "Money goes back to the card within ten days."
REFUNDS = {"type": "NOTE", "title": "Refunds", "content": TEXT}


@pytest.fixture
def operator(live: LiveService) -> Iterator[Client]:
    with closing(browser_with_key(live, Role.ADMIN)) as browser:
        yield browser


def test_an_operator_adds_finds_and_removes_a_text(live: LiveService, operator: Client):
    assert "There are no texts yet." in operator.get(PAGE).text
    assert operator.post(PAGE, data=REFUNDS).headers["location"] == f"{PAGE}?done=added"
    listed = operator.get(f"{PAGE}?done=added").text
    assert ("Refunds" in listed, "1 passage" in listed, "/sign-out" in listed) == (True, True, True)
    results = operator.get(PAGE, params={"q": "card"}).text
    assert all(text in results for text in ("Refunds", "<mark>card</mark>", TEXT))
    assert "No passage matches." in operator.get(PAGE, params={"q": "unicorn"}).text
    path = re.search(rf'action="({PAGE}/[^"]+/remove)"', listed)
    assert path is not None
    assert operator.post(path[1]).headers["location"] == f"{PAGE}?done=removed"
    assert (operator.post(path[1]).status_code, live.row_count("knowledge_sources")) == (404, 0)


def test_a_text_with_a_secret_is_refused_with_its_line_and_not_sent_back(live: LiveService, operator: Client):
    secret = "whsec_" + "Ab3" * 10
    for form, sentence in (
        (REFUNDS | {"content": f"Easy.\r\n\r\nUse {secret}."}, "in line 3."),
        (REFUNDS | {"title": secret}, "The title holds what looks like a secret"),
    ):
        refused = operator.post(PAGE, data=form)
        assert (refused.status_code, sentence in refused.text, secret in refused.text) == (422, True, False)
        # What holds no secret need not be typed again.
        assert ("Refunds" in refused.text, TEXT in refused.text) == (
            form["title"] == "Refunds",
            form["content"] == TEXT,
        )
    assert live.row_count("knowledge_sources") == live.row_count("knowledge_chunks") == 0


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"type": "BOOK"}, "type"),
        ({"title": ""}, "title"),
        ({"content": " "}, "content"),
        ({"title": "a" * 201}, "title"),
    ],
)
def test_a_wrong_field_is_named_in_the_error_summary(operator: Client, form: dict[str, str], field: str):
    refused = operator.post(PAGE, data=REFUNDS | form)
    assert (refused.status_code, f'<a href="#{field}">' in refused.text) == (422, True)


def test_the_longest_text_fits_into_the_form(live: LiveService, operator: Client):
    assert operator.post(PAGE, data=REFUNDS | {"content": "漢" * 200_000}).status_code == 303
    assert operator.post(PAGE, data=REFUNDS | {"content": "漢" * 200_001}).status_code == 422
    assert operator.post(PAGE, data=REFUNDS | {"content": "漢" * 300_000}).status_code == 413
    assert live.row_count("knowledge_sources") == 1


def test_the_list_and_the_passages_have_pages(operator: Client):
    for number in range(21):
        operator.post(PAGE, data=REFUNDS | {"title": f"Text <{number:02}>"})
    for path in (PAGE, f"{PAGE}?q=card"):
        first = operator.get(path)
        link = re.search(r'rel="next" href="([^"]+)"', first.text)
        assert link is not None
        second = operator.get(link[1].replace("&amp;", "&"))
        titles = re.findall(r"<strong><bdi>Text &lt;(\d+)&gt;", first.text + second.text)
        assert (len(titles), len({*titles}), 'rel="next"' in second.text) == (21, 21, False)


@pytest.mark.parametrize("query", ["?cursor=x", "?q=x&cursor=x", f"?q={'x' * 201}"])
def test_a_search_that_cannot_be_read_is_refused_with_a_sentence(operator: Client, query: str):
    refused = operator.get(PAGE + query)
    assert (refused.status_code, 'id="error-summary"' in refused.text) == (422, True)


def test_the_knowledge_base_is_no_part_of_the_desk_of_members(live: LiveService):
    email = new_address()
    joined_member(live, f"w-{uuid7().hex[-12:]}", MemberRole.OWNER, email)
    owner = browser_of(live, email)
    assert (owner.get(PAGE).status_code, PAGE in owner.get("/desk").text) == (403, False)
    assert owner.post(PAGE, data=REFUNDS).status_code == 403
