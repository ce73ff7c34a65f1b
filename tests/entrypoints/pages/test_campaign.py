"""A donor reads a story, gives, is thanked, and tells others; the page speaks the language of its story."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import checked
from tests.client import Client, LiveService, Ticket
from tests.entrypoints.conftest import donate_in_sandbox, wait_until_delivered

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


@pytest.mark.browser
def test_a_donor_gives_with_a_name_and_words_and_is_thanked(browser: Browser, live: LiveService, client: Client):
    ticket, url = published(client, "A roof for Ada", ENGLISH)
    ticket.post("/updates", {"text": "The tiles have come."})
    with checked(browser, live.base_url) as tab:
        page = tab.open(url)
        tab.check("campaign")
        page.get_by_role("link", name="Give").click()
        page.get_by_label("50 USD").check()
        page.get_by_text("Add your name or a few words").click()
        page.get_by_label("Your name").fill("Grace")
        page.get_by_label("Your words").fill("Courage!")
        page.get_by_label("Show my name").check()
        page.get_by_role("button", name="Continue to payment").click()
        page.get_by_label("E-mail").fill("grace@example.com")
        page.get_by_label("Country").select_option("US")
        tab.check("sandbox-pay")
        page.get_by_role("button", name="Pay 50.00 USD").click()
        expect(page.locator(".thanks")).to_contain_text("Your gift: 50 USD")
        # The page updates itself once the payment is confirmed.
        receipt = page.get_by_role("link", name="Download the receipt")
        expect(receipt).to_be_visible()
        expect(page.locator(".side .raised")).to_contain_text("50 USD of")
        tab.check("campaign-thanks")
        with page.expect_download() as download:
            receipt.click()
        assert download.value.path().read_bytes().startswith(b"%PDF")
        page.goto(url)
        expect(page.locator("#gifts")).to_contain_text("Grace")
        expect(page.locator("#gifts blockquote")).to_have_text("Courage!")


@pytest.mark.browser
@pytest.mark.parametrize(("language", "title", "story"), [("es", "Un techo", SPANISH), ("ar", "سقف لبيت مريم", ARABIC)])
def test_the_page_speaks_the_language_of_its_story(
    browser: Browser, live: LiveService, client: Client, language: str, title: str, story: str
):
    ticket, url = published(client, title, story)
    donate_in_sandbox(live, ticket, 50)
    with checked(browser, live.base_url) as tab:
        page = tab.open(url)
        assert page.locator("html").get_attribute("lang") == language
        assert page.locator("html").get_attribute("dir") == ("rtl" if language == "ar" else "ltr")
        tab.check(f"campaign-{language}")
        page.goto(f"{url}?lang=en")
        assert page.locator("html").get_attribute("lang") == "en"
        assert page.locator("section.story").get_attribute("lang") == language
        expect(page.get_by_role("button", name="Continue to payment")).to_be_visible()


@pytest.mark.browser
def test_the_pages_around_the_campaign_pass_every_check(browser: Browser, live: LiveService, client: Client):
    _, url = published(client, "A roof for Ada", ENGLISH)
    with checked(browser, live.base_url) as tab:
        for path in (f"{url}?cancelled", f"{url}/report", "/imprint", "/privacy", "/sandbox"):
            tab.open(path)
            tab.check(re.sub(r"\W+", "-", path.removeprefix(url).removeprefix(live.base_url)).strip("-"))


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
    wait_until_delivered(live)
    page = client.get(url).text
    assert "Loud Lou" in page and "For everybody &lt;3" in page  # noqa: PT018
    assert not re.search("Silent Sam|For Ada alone|Call Me|503", page)


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
