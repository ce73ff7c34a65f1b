"""A browser that is signed in by a cookie: what it may do, and what a page of another site may not do with it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.client import Client, LiveService, Ticket
from tests.entrypoints.http.contract import problem

OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}


def signed_in(live: LiveService, ticket: Ticket, **headers: str) -> Client:
    return Client(base_url=live.base_url, headers={"Cookie": f"language=es; session={ticket.token}", **headers})


def test_a_page_reads_and_writes_the_ticket_that_its_browser_is_signed_in_for(live: LiveService, ticket: Ticket):
    with signed_in(live, ticket, **OWN_PAGE) as browser:
        assert browser.get(ticket.path).status_code == 200
        assert browser.patch(f"{ticket.path}/draft", json={"title": "Help Ada"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {},
    ],
)
def test_a_page_of_another_site_changes_nothing_with_the_cookie(live: LiveService, ticket: Ticket, headers: Any):
    with signed_in(live, ticket, **headers) as browser:
        problem(browser.patch(f"{ticket.path}/draft", json={"title": "Help Eve"}), 403, "forbidden")
    assert ticket.get("?include=draft").json()["donationDraft"] is None


def test_an_older_browser_names_the_origin_of_its_page(live: LiveService, ticket: Ticket):
    with signed_in(live, ticket, Origin=live.base_url) as browser:
        assert browser.patch(f"{ticket.path}/draft", json={"title": "Help Ada"}).status_code == 200


def test_the_cookie_of_one_ticket_opens_no_other(live: LiveService, client: Client, ticket: Ticket):
    other = client.open_ticket()
    with signed_in(live, ticket, **OWN_PAGE) as browser:
        problem(browser.get(other.path), 404, "not-found")


def test_a_cookie_that_is_not_valid_any_more_does_not_hide_public_pages(live: LiveService, ticket: Ticket):
    url = ticket.publish()
    with Client(base_url=live.base_url, headers={"Cookie": "session=tkt_unknown"}) as browser:
        assert browser.get(url).status_code == 200
        problem(browser.get(ticket.path), 401, "unauthenticated")


def test_an_authorization_header_takes_precedence_over_the_cookie(live: LiveService, client: Client, ticket: Ticket):
    other = client.open_ticket()
    with signed_in(live, ticket, Authorization=f"Bearer {other.token}") as browser:
        problem(browser.get(ticket.path), 404, "not-found")
        assert browser.get(other.path).status_code == 200
