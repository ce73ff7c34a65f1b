"""The public page of a campaign works over HTTP and in a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import DESK, PHONE, CheckedTab, checked
from tests.client import RECORDING, Client, LiveService, Ticket
from tests.entrypoints.conftest import JobRunner, donate_in_sandbox, wait_until_delivered
from tests.entrypoints.http.contract import problem

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
STORY = "The roof fell in.\n\nWe sleep at <b>neighbours</b> & need help."


def published(client: Client, **draft: object) -> tuple[Ticket, str]:
    ticket = client.open_ticket()
    url = ticket.publish()
    ticket.write_draft(story=STORY, breakdown=["A new roof", "Windows"], location="Portland, Oregon", **draft)
    return ticket, url


@pytest.fixture(scope="module")
def unchanged_url(shared_live: LiveService) -> Iterator[str]:
    """Return the address of a published campaign to which tests send only forms that are refused."""
    with shared_live.client() as visitor:
        yield published(visitor)[1]


# Over HTTP.


def test_an_unpublished_page_gets_the_same_answer_as_an_unknown_one(client: Client, ticket: Ticket):
    url = ticket.get("/qr-code").json()["targetUrl"]
    for address in (url, "/d/nothinghere1", "/d/%00", "/d/a%2Fb", "/d/é"):
        problem(client.get(address), 404, "not-found")
        problem(client.post(address, data={"amount": "5"}), 404, "not-found")
    ticket.publish()
    assert client.get(url).status_code == 200
    ticket.post("/unpublish")
    problem(client.get(url), 404, "not-found")


def test_the_qr_code_of_a_payment_leads_to_a_kind_page_before_publication(client: Client, ticket: Ticket):
    url = ticket.pay(5)["targetUrl"]
    answer = client.get(url, headers=BROWSER)
    assert answer.status_code == 404
    assert "<h1>This page is not public yet</h1>" in answer.text
    assert "Please come back later: the address and its QR code stay the same." in answer.text
    assert problem(client.get(url), 404, "not-found")["detail"] == "There is no such page, or it is not public yet."
    ticket.publish()
    assert client.get(url, headers=BROWSER).status_code == 200
    ticket.post("/unpublish")
    withdrawn = client.get(url, headers=BROWSER)
    assert (withdrawn.status_code, withdrawn.content) == (404, answer.content)
    ticket.http.delete(ticket.path)
    assert client.get(url, headers=BROWSER).content == answer.content


def test_a_browser_gets_a_page_for_an_unknown_address(client: Client, ticket: Ticket):
    url = ticket.get("/qr-code").json()["targetUrl"]
    for address, title in (
        (url, "This page is not public yet"),
        ("/d/nothinghere1", "This page is not public yet"),
        ("/unsubscribe/nothing", "Page not found"),
    ):
        for answer in (
            client.get(address, headers=BROWSER),
            client.post(address, headers=BROWSER, data={"amount": "5"}),
        ):
            assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
            assert f"<h1>{title}</h1>" in answer.text
            assert "Accept" in answer.headers["vary"]
        problem(client.get(address, headers={"Accept": "*/*"}), 404, "not-found")
    assert client.get("/d/nothinghere1", headers=BROWSER).content == client.get(url, headers=BROWSER).content


def test_a_donor_is_thanked_even_without_a_public_page(client: Client, ticket: Ticket):
    checkout = ticket.pay()
    return_url = client.post(
        checkout["checkoutUrl"], data={"outcome": "paid", "email": "grace@example.com", "country": "US"}
    ).headers["location"]
    answer = client.get(return_url, headers=BROWSER)
    assert (answer.status_code, "If you have just made a donation: thank you" in answer.text) == (404, True)


def test_a_cleared_draft_leaves_the_page_empty(client: Client):
    ticket, url = published(client)
    ticket.patch("/draft", dict.fromkeys(("title", "story", "goalAmount", "beneficiary", "location")))
    answer = client.get(url)
    assert (answer.status_code, "None" in answer.text) == (200, False)
    assert "<h1" in answer.text


def test_a_suggested_amount_has_the_currency_that_the_page_showed(live: LiveService, client: Client):
    ticket, url = published(client, currency="USD")
    page_html = client.get(url).text
    assert page_html.count('<input type="hidden" name="currency" value="USD">') == page_html.count("<form") == 1
    donate_in_sandbox(live, ticket, 50, "EUR")
    client.post(url, data={"amount": "10", "currency": "USD"})
    assert {donation["currency"] for donation in ticket.get("/donations").json()["donations"]} == {"USD", "EUR"}


def test_every_link_of_the_home_page_leads_to_a_page(client: Client):
    answer = client.get("/")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    for path in re.findall('href="(/[^"]*)"', answer.text):
        assert client.get(path).status_code in (200, 404 if path == "/checkpoint" else 200), path


def test_a_get_of_the_page_creates_nothing(live: LiveService, client: Client):
    _, url = published(client)
    events = live.row_count("events")
    for _ in range(3):
        assert client.get(url, params={"amount": "5", "thanks": "1"}).status_code == 200
        assert client.head(url).status_code == 200
    assert live.row_count("events") == events


def test_every_donation_gets_its_own_checkout(client: Client):
    ticket, url = published(client)
    answers = [client.post(url, data={"amount": "25"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    assert answers[0].headers["location"] != answers[1].headers["location"]
    assert ticket.get("/donations").json()["count"] == 2


@pytest.mark.parametrize(
    "form",
    [
        {}, {"amount": ""}, {"amount": "0.99"}, {"amount": "5000.01"}, {"amount": "1.001"}, {"amount": "-5"},
        {"amount": "1e3"},
        {"amount": "NaN"}, {"amount": "\0"}, {"amount": "25 EUR"}, {"amount": "9" * 400},
        {"amount": "5", "currency": "XXX"},
        {"amount": "5", "currency": "<b>"}, {"amount": "1.000"}, {str(n): "5" for n in range(11)},
    ],
)  # fmt: skip
def test_an_invalid_amount_shows_the_form_again(
    live: LiveService, client: Client, unchanged_url: str, form: dict[str, str]
):
    events = live.row_count("events")
    answer = client.post(unchanged_url, content="&".join(f"{k}={v}" for k, v in form.items()).encode(),
                         headers={"Content-Type": "application/x-www-form-urlencoded"})  # fmt: skip
    assert (answer.status_code, answer.headers["content-type"]) == (422, "text/html; charset=utf-8")
    assert 'role="alert"' in answer.text
    assert live.row_count("events") == events


@pytest.mark.parametrize(
    ("amount", "error"),
    [
        ("five", "The amount must be a number in USD like 25 or 12.50."),
        ("0.99", "The amount must be from 1.00 to 5000.00 USD."),
        ("1.0001", "The amount has more decimals than USD allows (2)."),
    ],
)
def test_an_invalid_amount_is_explained_in_a_sentence(client: Client, unchanged_url: str, amount: str, error: str):
    assert error in client.post(unchanged_url, data={"amount": amount}).text


def test_an_amount_is_read_as_the_language_of_the_page_writes_it(client: Client, work: JobRunner):
    ticket, url = published(client)
    for amount in ("1,000", "12,50", " $ 25 ", "１００", "1.000"):
        client.post(url, data={"amount": amount})
    assert {donation["amountMinor"] for donation in ticket.get("/donations").json()["donations"]} == {
        100_000, 1_250, 2_500, 10_000
    }  # fmt: skip

    spanish, url = published(client, goalAmount=25_000)
    spanish.upload(RECORDING.read_bytes())
    spanish.post("/process")
    work.do(spanish, language="es")
    page_html = client.get(url).text
    assert '<html lang="es" dir="ltr">' in page_html
    assert "de 25\u00a0000 USD" in page_html
    assert client.post(url, data={"amount": "1.000"}).status_code == 303
    [donation] = spanish.get("/donations").json()["donations"]
    assert donation["amountMinor"] == 100_000
    refused = client.post(url, data={"amount": "1,000"})
    assert refused.status_code == 422
    assert "Escriba la cantidad sin signo entre los miles, por ejemplo 1000." in refused.text
    assert 'value="1,000"' in refused.text


def test_the_draft_is_shown_as_text_and_never_as_markup(client: Client):
    _, url = published(client, title="<script>alert(1)</script>")
    text = client.get(url).text
    assert "<script>" not in text
    assert "<b>" not in text
    assert "&lt;script&gt;" in text


def test_the_page_shows_no_personal_data_except_the_draft(client: Client):
    _, url = published(client)
    text = client.get(url).text
    assert "ada@example.com" not in text
    assert "No real money" in text


# In a browser.


# The pages have no scripts, so a desk with scripts adds little to one without.
@pytest.fixture(scope="module", params=["a phone", "no script", pytest.param("a desk", marks=pytest.mark.soak)])
def open_page(browser: Browser, shared_live: LiveService, request: pytest.FixtureRequest) -> Iterator[CheckedTab]:
    """Return a page that the tests share, because a context of its own takes longer than a test."""
    width = DESK if request.param == "a desk" else PHONE
    with checked(browser, shared_live.base_url, width=width, scripts=request.param != "no script") as tab:
        yield tab


@pytest.fixture
def checked_page(open_page: CheckedTab) -> Iterator[CheckedTab]:
    yield open_page
    open_page.at_peace()


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    """Return a page in which scripts run, for the tests that need only one kind of screen."""
    page = browser.new_page()
    yield page
    page.close()


@pytest.mark.browser
def test_a_donor_pays_through_the_page_and_returns(live: LiveService, client: Client, checked_page: CheckedTab):
    ticket, url = published(client)
    page = checked_page.page
    page.goto(url)
    assert page.locator("h1").inner_text() == "Help Ada"
    page.get_by_label("Another amount in USD").fill("42.50")
    page.get_by_role("button", name="Continue to payment").click()
    page.wait_for_url("**/sandbox/pay/*")
    page.get_by_label("E-mail").fill("grace@example.com")
    page.get_by_label("Name on card").fill("Grace Hopper")
    page.get_by_label("Country").select_option("US")
    page.get_by_role("button", name="Pay 42.50 USD").click()
    page.wait_for_url(f"{url}?thanks*")
    assert page.locator(".thanks").inner_text().startswith("Thank you")
    wait_until_delivered(live)
    page.goto(url)
    assert "42.50 USD" in page.locator(".raised").first.inner_text()
    [donation] = ticket.get("/donations").json()["donations"]
    assert (donation["amountMinor"], donation["donor"]) == (4250, "Hopper")


@pytest.mark.browser
def test_the_page_can_be_used_with_the_keyboard_alone(client: Client, checked_page: CheckedTab):
    _, url = published(client)
    page = checked_page.page
    page.goto(url)
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "Skip to the content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "How this is counted"
    page.keyboard.press("Tab")
    assert page.locator(":focus").input_value() == "25"
    page.keyboard.press("Tab")
    page.keyboard.type("7")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "Continue to payment"
    page.keyboard.press("Enter")
    page.wait_for_url("**/sandbox/pay/*")
    assert "7.00 USD" in page.inner_text("body")


@pytest.mark.browser
def test_a_suggested_amount_can_be_changed_before_anything_opens(client: Client, checked_page: CheckedTab):
    _, url = published(client)
    checked_page.page.goto(url)
    checked_page.page.get_by_label("100 USD").check()
    checked_page.page.get_by_label("50 USD").check()
    checked_page.page.get_by_role("button", name="Continue to payment").click()
    checked_page.page.wait_for_url("**/sandbox/pay/*")
    assert "50.00 USD" in checked_page.page.inner_text("body")


@pytest.mark.browser
def test_an_error_keeps_the_input_and_says_what_to_do(client: Client, tab: Page):
    _, url = published(client)
    tab.goto(url)
    tab.get_by_label("Another amount in USD").fill("0.10")
    tab.get_by_role("button", name="Continue to payment").click()
    assert "from 1.00 to 5000.00 USD" in tab.get_by_role("alert").inner_text()
    field = tab.get_by_label("Another amount in USD")
    assert (field.input_value(), field.get_attribute("aria-invalid")) == ("0.10", "true")


@pytest.mark.browser
def test_nothing_is_wider_than_the_screen(live: LiveService, client: Client, tab: Page):
    ticket, url = published(client, title="Donaudampfschifffahrtsgesellschaft" * 3, beneficiary="X" * 110)
    donate_in_sandbox(live, ticket, 50)
    for width in (320, 360, 768, 1280):
        tab.set_viewport_size({"width": width, "height": 740})
        tab.goto(url)
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
