"""A donor reads a story, gives, is thanked, and tells others; the page speaks the language of its story."""

from __future__ import annotations

import re

import pytest

from tests.client import Client, LiveService, Ticket
from tests.entrypoints.conftest import wait_until_delivered

ENGLISH = "The storm took our roof in March.\n\nWe have slept at a neighbour's house since then, all five of us."
SPANISH = "La tormenta se llevó nuestro techo en marzo.\n\nDesde entonces dormimos los cinco en casa de una vecina."
ARABIC = "أخذت العاصفة سقف بيتنا في شهر آذار.\n\nمنذ ذلك الحين ننام نحن الخمسة في بيت جارتنا."


def published(client: Client, title: str, story: str) -> tuple[Ticket, str]:
    ticket = client.open_ticket()
    url = ticket.publish()
    ticket.write_draft(title=title, story=story, location="Portland", goalAmount=1500, breakdown=["Tiles", "Wood"])
    return ticket, url


def give(client: Client, url: str, **form: str) -> str:
    """Give through the page and return the address to which the donor comes back."""
    checkout = client.post(url, data={"choice": "25", "currency": "USD", "lang": "en", **form}).headers["location"]
    paid = {"outcome": "paid", "email": "grace@example.com", "name": "Grace Hopper", "country": "US"}
    back: str = client.post(checkout, data=paid).headers["location"]
    return back


@pytest.mark.parametrize(("language", "title", "story"), [("es", "Un techo", SPANISH), ("ar", "سقف لبيت مريم", ARABIC)])
def test_the_page_speaks_the_language_of_its_story(client: Client, language: str, title: str, story: str):
    _, url = published(client, title, story)
    direction = "rtl" if language == "ar" else "ltr"
    assert f'<html lang="{language}" dir="{direction}">' in client.get(url).text
    chosen = client.get(url, params={"lang": "en"}).text
    assert '<html lang="en" dir="ltr">' in chosen
    assert f'<section class="story" aria-label="Story" lang="{language}" dir="{direction}">' in chosen
    assert "Continue to payment" in chosen


@pytest.mark.parametrize(
    ("language", "text"), [("en", "Gift: A roof"), ("es", "Donación: A roof"), ("fr", "Don : A roof")]
)
def test_the_pay_page_says_in_the_donors_language_what_is_paid(client: Client, language: str, text: str):
    _, url = published(client, "A roof", ENGLISH)
    checkout = client.post(url, data={"choice": "25", "lang": language}).headers["location"]
    assert text in client.get(checkout).text


def test_a_donor_who_did_not_pay_is_told_that_nothing_was_charged(client: Client):
    _, url = published(client, "A roof for Ada", ENGLISH)
    checkout = client.post(url, data={"choice": "25"}).headers["location"]
    assert f'href="{url}?cancelled"' in client.get(checkout).text
    assert "Nothing was charged." in client.get(f"{url}?cancelled").text


def test_words_are_shown_only_with_the_donors_consent(live: LiveService, client: Client, admin: Client):
    _, url = published(client, "A roof for Ada", ENGLISH)
    give(client, url, name="Silent Sam", message="For Ada alone")
    give(client, url, name="Call Me", message="Ring +1 503 555 0134", shown="yes")
    give(client, url, name="Loud Lou", message="For everybody <3", shown="yes")
    give(client, url, name="María Fernández", message="¡Ánimo!", shown="yes")
    give(client, url, name="Somebody", message="John Smith owes me money.", shown="yes")
    wait_until_delivered(live)
    page = client.get(url).text
    assert "Loud Lou" in page and "For everybody &lt;3" in page  # noqa: PT018
    assert "María Fernández" in page
    assert not re.search("Silent Sam|For Ada alone|Call Me|503|John Smith", page)


def test_the_totals_and_the_receipt_know_a_gift_by_its_checkout_session(live: LiveService, client: Client):
    _, url = published(client, "A roof for Ada", ENGLISH)
    back = give(client, url, amount="40")
    wait_until_delivered(live)
    session = {"session_id": back.partition("session_id=")[2]}
    total = client.get(f"{url}/total", params=session).json()
    assert (total["raised"], total["goal"], total["percent"], total["gifts"]) == ("40 USD", "1,500 USD", 2, "1 gift")
    assert total["gift"] == "paid"
    assert client.get(f"{url}/total").json()["gift"] == "unknown"
    receipt = client.get(f"{url}/receipt", params=session)
    assert (receipt.headers["content-type"], receipt.content[:4]) == ("application/pdf", b"%PDF")
    for unknown in ({}, {"session_id": "cs_test_unknown"}, {"session_id": "'"}):
        assert client.get(f"{url}/receipt", params=unknown).status_code == 404
    # Another campaign does not know the session.
    _, other = published(client, "A roof for Grace", ENGLISH)
    assert client.get(f"{other}/receipt", params=session).status_code == 404
    assert client.get(f"{other}/total", params=session).json()["gift"] == "unknown"


def test_other_sites_get_a_picture_and_a_description(client: Client):
    ticket, url = published(client, "A roof for Ada", ENGLISH)
    page = client.get(url).text
    assert f'<meta property="og:image" content="{url}/picture.png">' in page
    assert '<meta name="description" content="The storm took our roof in March.' in page
    picture = client.get(f"{url}/picture.png")
    assert (picture.headers["content-type"], picture.content[:8]) == ("image/png", b"\x89PNG\r\n\x1a\n")
    assert client.get(f"{url}/qr.svg").headers["content-type"] == "image/svg+xml"
    poster = ticket.http.get(f"/t/{ticket.id}/poster")
    assert (poster.headers["content-type"], poster.content[:4]) == ("application/pdf", b"%PDF")
    ticket.post("/unpublish")
    assert [client.get(f"{url}/{name}").status_code for name in ("picture.png", "qr.svg", "total")] == [404] * 3


def test_the_pages_about_the_service_say_what_the_settings_know(client: Client):
    assert "This is a test installation." in client.get("/imprint").text
    assert "on our own computers" in client.get("/privacy").text
    assert "Esta es una instalación de prueba." in client.get("/imprint", headers={"Accept-Language": "es"}).text
