"""The sandbox's pages work in a real browser and refuse hostile requests."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.adapters.payments.test_gateway import gift
from tests.adapters.stripe_sandbox.test_sandbox import PAID
from tests.client import WAIT_SECONDS


@pytest.fixture(scope="module")
def page(browser) -> Iterator[Page]:
    """Return a page in a phone's browser without scripts. A context for each test would take longer than the test."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, java_script_enabled=False)
    context.set_default_timeout(1000 * WAIT_SECONDS)
    yield context.new_page()
    context.close()


@pytest.fixture
def checkout(world):
    request = gift(description="Rebuild the <b>well</b>")
    return world.gateway.open(
        type(request)(
            **vars(request)
            | {"return_url": f"{world.url}/thanks?s={{CHECKOUT_SESSION_ID}}", "cancel_url": f"{world.url}/campaign"}
        )
    )


def fill(page: Page, outcome: str = "Paid at once") -> None:
    page.get_by_label("E-mail").fill("ada@example.com")
    page.get_by_label("Name on card").fill("Ada Lovelace")
    page.get_by_label("Country").select_option("GB")
    page.get_by_role("radio", name=outcome).check()


@pytest.mark.browser
def test_a_gift_is_paid_on_a_phone_without_scripts(world, checkout, page):
    page.goto(checkout.url)
    expect(page.get_by_role("heading", level=1)).to_contain_text("50.00 USD")
    expect(page.get_by_text("Rebuild the <b>well</b>")).to_be_visible()
    fill(page)
    page.get_by_role("button", name="Pay 50.00 USD").click()
    page.wait_for_url(f"{world.url}/thanks?s={checkout.session_id}")
    assert world.arrive() == PAID
    event = json.loads(world.receiver.events[0].body)
    assert event["data"]["object"]["billing_details"]["name"] == "Ada Lovelace"


@pytest.mark.browser
def test_every_page_says_that_it_is_a_test(world, checkout, page):
    for path in (f"/sandbox/pay/{checkout.session_id}", "/sandbox/pay/cs_test_unknown", "/sandbox"):
        page.goto(f"{world.url}{path}")
        expect(page.get_by_role("complementary")).to_contain_text("TEST")
        assert page.title().startswith("TEST")


@pytest.mark.browser
def test_a_donor_may_try_again_after_a_declined_card(world, checkout, page):
    page.goto(checkout.url)
    fill(page, "Declined")
    page.get_by_role("button", name="Pay").click()
    expect(page.get_by_role("alert")).to_contain_text("declined")
    expect(page.get_by_label("E-mail")).to_have_value("ada@example.com")
    fill(page)
    page.get_by_role("button", name="Pay").click()
    page.wait_for_url(f"{world.url}/thanks?**")
    assert world.arrive() == ["charge.failed", "payment_intent.payment_failed", *PAID]


@pytest.mark.parametrize("language", ["es-PE,es;q=0.9", "en"])
def test_a_donor_reads_the_pay_page_in_the_language_of_the_browser(world, checkout, language):
    is_spanish = language.startswith("es")
    with requests.Session() as donor:
        donor.headers["Accept-Language"] = language
        form = donor.get(checkout.url).text
        assert ("Pagar 50,00\xa0USD" in form) is is_spanish
        assert (">Alemania</option>" in form) is is_spanish
        refused = donor.post(checkout.url, data={"outcome": "paid", "email": "no", "country": "DE"}).text
        assert ("Escriba un correo electrónico como" in refused) is is_spanish
        assert (">Enter an e-mail address like" in refused) is not is_spanish
        unknown = donor.get(f"{world.url}/sandbox/pay/cs_test_unknown").text
        assert ("Este pago no existe" in unknown) is is_spanish


@pytest.mark.browser
def test_a_bank_account_is_pending_when_the_donor_comes_back(world, checkout, page):
    page.goto(checkout.url)
    fill(page, "Bank account, succeeds later")
    page.get_by_role("button", name="Pay").click()
    page.wait_for_url(f"{world.url}/thanks?**")
    assert world.gateway.retrieve(checkout.session_id)["status"] == "complete"


@pytest.mark.browser
def test_a_donor_who_cancels_goes_back_and_may_return(world, checkout, page):
    page.goto(checkout.url)
    page.get_by_role("link", name="Cancel and go back").click()
    page.wait_for_url(f"{world.url}/campaign")
    page.go_back()
    expect(page.get_by_role("button", name="Pay")).to_be_visible()


@pytest.mark.browser
def test_a_gift_can_be_paid_with_the_keyboard_alone(world, checkout, page):
    page.goto(checkout.url)
    page.keyboard.press("Tab")
    page.keyboard.type("ada@example.com")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.type("United K")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("radio", name="Declined")).to_be_checked()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{world.url}/thanks?**")
    assert world.gateway.retrieve(checkout.session_id)["customer_details"]["address"]["country"] == "GB"


@pytest.mark.browser
def test_a_pay_page_fits_a_narrow_phone_and_asks_no_other_host(world, checkout, browser):
    with browser.new_context(viewport={"width": 320, "height": 640}) as context:
        context.set_default_timeout(1000 * WAIT_SECONDS)
        page = context.new_page()
        requested_urls: list[str] = []
        complaints: list[str] = []
        page.on("request", lambda request: requested_urls.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        for path in (f"/sandbox/pay/{checkout.session_id}", "/sandbox"):
            page.goto(f"{world.url}{path}")
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert all(url.startswith(f"{world.url}/") for url in requested_urls)
        assert [text for text in complaints if "favicon" not in text and "404" not in text] == []


@pytest.mark.browser
def test_the_operator_refunds_disputes_and_delivers_again(world, checkout, page):
    world.sandbox.pay(checkout.session_id)
    page.goto(f"{world.url}/sandbox")
    page.get_by_label("Refund").fill("12.50")
    page.get_by_role("button", name="Refund").click()
    expect(page.get_by_text("Refund of 12.50 USD, succeeded")).to_be_visible()
    page.get_by_role("button", name="Open inquiry").click()
    page.get_by_role("button", name="Becomes a dispute").click()
    expect(page.get_by_text("Dispute about 37.50 USD, needs_response")).to_be_visible()
    page.get_by_role("button", name="Win").click()
    expect(page.get_by_text("Dispute about 37.50 USD, won")).to_be_visible()
    page.get_by_label("Refund").fill("1000")
    page.get_by_role("button", name="Refund").click()
    expect(page.get_by_role("alert")).to_contain_text("greater than unrefunded")
    page.get_by_label("Refund").fill("0.001")
    page.get_by_role("button", name="Refund").click()
    expect(page.get_by_role("alert")).to_contain_text("more decimals")
    before = len(world.arrive())
    page.locator("summary").click()
    with page.expect_navigation():
        page.get_by_role("button", name="Deliver again in shuffled order").click()
    assert len(world.arrive()) == 2 * before


def test_a_pay_page_answers_405_with_allow_to_other_methods(world, checkout):
    answer = requests.put(checkout.url, timeout=WAIT_SECONDS)
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "POST"}


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"email": "ada@example.com", "country": "GB"},
        {"email": "nobody", "country": "GB", "outcome": "paid"},
        {"email": "a@b.c\n", "name": "\x00", "country": "GB", "outcome": "paid"},
        {"email": "ada@example.com", "country": "XX", "outcome": "paid"},
        {"email": "ada@example.com", "country": "GB", "outcome": "free"},
        {"email": "a" * 300 + "@example.com", "country": "GB", "outcome": "paid"},
        {"email": "ada@example.com", "name": "x" * 151, "country": "GB", "outcome": "paid"},
        {str(number): "x" for number in range(60)},
        b"\xff\xfe=\xff",
        "<script>alert(1)</script>",
    ],
)
def test_an_invalid_form_makes_no_payment(world, checkout, form):
    answer = requests.post(checkout.url, data=form, timeout=WAIT_SECONDS)
    assert answer.status_code == 422
    assert "<script>" not in answer.text
    assert world.gateway.retrieve(checkout.session_id)["payment_intent"] is None


def test_a_form_that_is_too_large_is_not_read(world, checkout):
    answer = requests.post(checkout.url, data={"name": "x" * 100_000}, timeout=WAIT_SECONDS)
    assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")


@pytest.mark.parametrize("id", ["cs_test_unknown", "x" * 3000, "%00", "..%2f..", "ü", "<b>"])
def test_a_pay_page_of_no_session_is_not_found(world, id):
    assert requests.get(f"{world.url}/sandbox/pay/{id}", timeout=WAIT_SECONDS).status_code == 404


def test_the_page_of_a_paid_checkout_says_so_and_redirects_to_the_return_url(world, checkout):
    world.sandbox.pay(checkout.session_id)
    paid_page = requests.get(checkout.url, timeout=WAIT_SECONDS)
    assert paid_page.status_code == 200
    assert "Already paid" in paid_page.text
    repeated_payment = requests.post(checkout.url, data={}, timeout=WAIT_SECONDS, allow_redirects=False)
    assert repeated_payment.status_code == 303
    assert repeated_payment.headers["Location"] == f"{world.url}/thanks?s={checkout.session_id}"


def test_the_page_of_an_expired_checkout_says_so(world, checkout):
    world.sandbox.expire(checkout.session_id)
    for answer in (requests.get(checkout.url, timeout=WAIT_SECONDS), requests.post(checkout.url, timeout=WAIT_SECONDS)):
        assert answer.status_code == 410
        assert "expired" in answer.text


def test_a_page_allows_no_script_and_no_frame(world, checkout):
    policy = requests.get(checkout.url, timeout=WAIT_SECONDS).headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert f"form-action 'self' {world.url}" in policy


@pytest.mark.parametrize(
    "path", ["acts/refund/cs_test_unknown", "acts/win/<b>", "acts/explode/cs_test_1", "delivery-faults"]
)
def test_a_hostile_act_is_refused_on_the_operators_page(world, path):
    answer = requests.post(f"{world.url}/sandbox/{path}", data={"amount": "NaN", "repeats": "-5"}, timeout=WAIT_SECONDS)
    assert answer.status_code in (200, 404)
    assert ("That cannot be done" in answer.text) or answer.status_code == 404


def test_an_ambiguous_amount_of_a_refund_is_refused_with_both_readings(world, checkout):
    answer = requests.post(
        f"{world.url}/sandbox/acts/refund/{checkout.session_id}", data={"amount": "1.000"}, timeout=WAIT_SECONDS
    )
    assert "The amount can mean 1 USD or 1000 USD; write it without a separator between thousands." in answer.text
