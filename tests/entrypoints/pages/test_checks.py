"""The check of a page finds what is wrong with a new element, also after other pages without it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.browser import checked
from tests.client import LiveService

pytestmark = pytest.mark.browser

ADD_PARAGRAPH = """
([colour, background]) => {
  const paragraph = document.createElement("p");
  paragraph.textContent = "The roof fell in.";
  Object.assign(paragraph.style, { colorScheme: "light dark", color: colour, background });
  document.querySelector("main").append(paragraph);
}
"""


@pytest.mark.parametrize(
    ("scheme", "colours"),
    [
        ("light", ("light-dark(#ddd, #fff)", "light-dark(#fff, #000)")),
        ("dark", ("light-dark(#000, #333)", "light-dark(#fff, #222)")),
    ],
)
def test_a_contrast_that_is_too_low_in_one_scheme_is_found_in_an_element_that_no_earlier_page_had(
    browser: Browser, live: LiveService, scheme: str, colours: tuple[str, str]
):
    with checked(browser, live.base_url, language="es") as tab:
        tab.open("/imprint")
        tab.check()
        tab.page.evaluate(ADD_PARAGRAPH, colours)
        with pytest.raises(AssertionError, match=rf"at 360 px, {scheme}\ncolor-contrast"):
            tab.check()
