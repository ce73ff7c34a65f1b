"""The languages of pages, mails and documents: one catalogue of messages for each, in the format of gettext.

The messages in the code and in the templates are English; `xx.po` beside this file has their translations. `make
messages` writes new messages into the catalogues. A message without a translation is shown in English.
"""

from __future__ import annotations

import gettext
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from babel import negotiate_locale
from babel.messages import mofile, pofile

from adapters.localisation import locale_of

DEFAULT_LANGUAGE = "en"
# Languages in which every message is translated. The others are translated as far as somebody could check them.
COMPLETE = ("en", "es")
MAX_ACCEPTED_LANGUAGES = 20


@dataclass(frozen=True)
class Language:
    """A language that a reader may choose, with its own name for itself."""

    code: str
    name: str

    @property
    def direction(self) -> str:
        return text_direction(self.code)


LANGUAGES: Mapping[str, Language] = {
    code: Language(code, name)
    for code, name in (("en", "English"), ("es", "Español"), ("fr", "Français"), ("ar", "العربية"))
}


def text_direction(language: str) -> str:
    """Return "rtl" for a language that is written from right to left, and "ltr" for every other text."""
    return locale_of(language).text_direction


def offered_language(tag: str | None) -> str | None:
    """Return the language of ours that a language tag such as `es-MX` means, or None."""
    code = (tag or "").partition("-")[0].lower()
    return code if code in LANGUAGES else None


def accepted_language(header: str | None) -> str | None:
    """Return the language of ours that an `Accept-Language` header (RFC 9110, 12.5.4) prefers, or None."""
    preferences: list[tuple[float, str]] = []
    for entry in (header or "").split(",")[:MAX_ACCEPTED_LANGUAGES]:
        tag, _, parameter = entry.strip().partition(";")
        try:
            quality = float(parameter.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        preferences.append((quality, tag.strip().lower()))
    preferences.sort(key=lambda entry: -entry[0])
    preferred = [tag for quality, tag in preferences if quality > 0]
    return negotiate_locale(preferred, list(LANGUAGES), sep="-") if preferred else None


@cache
def incomplete_files(language: str) -> frozenset[str]:
    """Return the paths of the templates and modules that have a message without a translation into this language."""
    if language == DEFAULT_LANGUAGE or language not in LANGUAGES:
        return frozenset()
    with Path(__file__).with_name(f"{language}.po").open("rb") as file:
        catalogue = pofile.read_po(file, locale=language)
    missing = [message for message in catalogue if message.id and not is_translated(message.string)]
    return frozenset(path for message in missing for path, _ in message.locations)


def is_translated(translation: str | Sequence[str] | None) -> bool:
    """Return True if a translation has all its forms, of which a message with a number has several."""
    return bool(translation) and (isinstance(translation, str) or all(translation or ()))


@cache
def translations(language: str) -> gettext.NullTranslations:
    """Return the translations into a language; into English, or a language that is not ours, nothing is translated."""
    path = Path(__file__).with_name(f"{language}.po")
    if language not in LANGUAGES or not path.exists():
        return gettext.NullTranslations()
    with path.open("rb") as file:
        catalogue = pofile.read_po(file, locale=language)
    locale_of(DEFAULT_LANGUAGE)  # in which Babel writes dates
    compiled = io.BytesIO()
    mofile.write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
