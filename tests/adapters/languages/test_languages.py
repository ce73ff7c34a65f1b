"""Languages: which one a reader gets, and whether the catalogues are complete."""

from __future__ import annotations

from functools import cache

import pytest

from adapters.languages import (
    COMPLETE,
    LANGUAGES,
    accepted_language,
    incomplete_files,
    is_translated,
    offered_language,
    text_direction,
    translations,
)
from adapters.languages.extraction import catalogue_path, messages, updated
from entrypoints.http.pages import PAGES

# All files are read for it, so the tests read them once.
TEMPLATE = cache(messages)
TRANSLATED = [language for language in LANGUAGES if language != "en"]


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("es-MX,es;q=0.9,en;q=0.8", "es"),
        ("de, fr;q=0.4", "fr"),
        ("en;q=0, ar", "ar"),
        ("de", None),
        ("", None),
        (None, None),
        (";;;=,,q", None),
    ],
)
def test_the_browser_gets_the_language_that_it_prefers_most(header: str | None, language: str | None):
    assert accepted_language(header) == language


def test_a_tag_of_a_country_means_its_language():
    assert (offered_language("ES-mx"), offered_language("xx"), offered_language(None)) == ("es", None, None)


def test_arabic_is_written_from_right_to_left_and_an_unknown_language_is_not():
    assert [text_direction(language) for language in ("ar", "he", "es", "no-such-language")] == [
        "rtl", "rtl", "ltr", "ltr",
    ]  # fmt: skip


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_catalogue_has_exactly_the_messages_of_the_code_and_the_templates(language: str):
    template = TEMPLATE()
    kept = updated(language, template)
    assert {message.id for message in kept if message.id} == {message.id for message in template if message.id}
    written = catalogue_path(language).read_text(encoding="utf-8")
    assert all(str(first_line(message.id)) in written for message in template if message.id), "run `make messages`"


def first_line(message: str | tuple[str, ...]) -> str:
    text = message if isinstance(message, str) else message[0]
    return text.split('"')[0].split("\n")[0][:60]


@pytest.mark.parametrize("language", [language for language in COMPLETE if language != "en"])
def test_every_message_is_translated_into_a_complete_language(language: str):
    missing = [
        message.id for message in updated(language, TEMPLATE()) if message.id and not message_is_complete(message)
    ]
    assert not missing


def message_is_complete(message: object) -> bool:
    return is_translated(message.string)  # type: ignore[attr-defined]


# The pages that a donor meets, and the code that writes on them.
OF_DONORS = {
    "entrypoints/http/handlers/campaign_page.py",
    "entrypoints/http/handlers/campaign_view.py",
    "entrypoints/pages/base.html",
    "entrypoints/pages/campaign.html",
    "entrypoints/pages/forget.html",
    "entrypoints/pages/gone.html",
    "entrypoints/pages/home.html",
    "entrypoints/pages/not_public.html",
    "entrypoints/pages/report.html",
}


@pytest.mark.parametrize("language", TRANSLATED)
def test_the_pages_of_donors_are_whole_in_every_language(language: str):
    assert incomplete_files(language) & OF_DONORS == set()


def test_a_page_that_is_not_whole_in_a_language_is_not_shown_in_it():
    assert PAGES.language_of("campaign.html", "fr") == "fr"
    assert "entrypoints/pages/erase.html" in incomplete_files("fr")
    assert PAGES.language_of("erase.html", "fr") == "en"
    assert PAGES.language_of("erase.html", "es") == "es"
    # A story in a language that is not ours keeps the direction of its language.
    assert PAGES.language_of("campaign.html", "he") == "he"


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_translation_has_the_placeholders_of_its_message(language: str):
    # A language has a number of plural forms of its own.
    catalogue = updated(language, TEMPLATE())
    for message in catalogue:
        if message.id and message_is_complete(message):
            assert not list(message.check(catalogue)), message.id


def test_a_language_that_is_not_ours_is_shown_in_english():
    assert translations("pt").gettext("Language") == "Language"
