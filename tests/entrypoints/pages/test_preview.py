"""The holder sees the page as donors will, before anybody else can."""

from __future__ import annotations

import pytest

from tests.client import Client, LiveService, Ticket


@pytest.fixture
def holder(live: LiveService, ticket: Ticket) -> Client:
    """Return a browser without scripts, which is signed in."""
    return Client(base_url=live.base_url, headers={"Accept": "text/html"}, cookies={"session": ticket.token})


def test_a_preview_shows_the_page_and_nothing_on_it_can_be_paid(holder: Client, ticket: Ticket):
    ticket.write_draft(location="Lima", breakdown=["Tiles"])
    page = holder.get(f"/t/{ticket.id}/preview")
    assert page.status_code == 200
    for text in ("This is what donors will see", "Help Ada", "The roof fell in.", "Ada Lovelace", "Lima", "Tiles"):
        assert text in page.text
    assert '<meta name="robots" content="noindex">' in page.text
    assert "form-action 'self';" in page.headers["content-security-policy"]
    for payable in ("/d/", "<script", 'property="og:', 'type="submit" class="wide-button'):
        assert payable not in page.text


def test_a_preview_leaves_out_what_was_taken_back(holder: Client, ticket: Ticket):
    ticket.write_draft(location="Lima")
    ticket.post("/consents/withdraw", {"scopes": ["place"]})
    assert "Lima" not in holder.get(f"/t/{ticket.id}/preview").text


def test_the_preview_of_a_public_page_says_that_it_is_public(holder: Client, ticket: Ticket):
    ticket.publish()
    assert "Your page is public. Nothing can be paid here." in holder.get(f"/t/{ticket.id}/preview").text
