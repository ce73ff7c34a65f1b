"""The words that people agree to before something of them is shown: one file for each version and language.

A version that was released never changes, because consents name it. New words are a new version.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from domain.errors import NotFoundError
from domain.values import ConsentScope

FOLDER = Path(__file__).parent
CURRENT = "1"
DEFAULT_LANGUAGE = "en"


@dataclass(frozen=True)
class ScopeText:
    """The words for one thing that may be shown: a short label, and what happens with it."""

    label: str
    words: str


@dataclass(frozen=True)
class ConsentText:
    version: str
    language: str
    # Consent to the story alone, given before it is told.
    telling: str
    introduction: str
    scopes: Mapping[ConsentScope, ScopeText]
    # About people who are spoken about, and children.
    others: str
    closing: str


@cache
def _texts() -> Mapping[tuple[str, str], ConsentText]:
    texts = {}
    for path in FOLDER.glob("*.toml"):
        version, language = path.stem.split(".")
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        scopes = {ConsentScope(name): ScopeText(**words) for name, words in content.pop("scopes").items()}
        texts[version, language] = ConsentText(version=version, language=language, scopes=scopes, **content)
    return texts


def versions() -> set[str]:
    """Return the versions of which there is a text."""
    return {version for version, _ in _texts()}


def languages(version: str) -> set[str]:
    """Return the languages that this version is written in."""
    return {language for written, language in _texts() if written == version}


def consent_text(version: str = CURRENT, language: str = DEFAULT_LANGUAGE) -> ConsentText:
    """Return the text, in English if there is none in this language; NotFoundError if there is no such version."""
    texts = _texts()
    text = texts.get((version, language.partition("-")[0].lower())) or texts.get((version, DEFAULT_LANGUAGE))
    if text is None:
        raise NotFoundError("There is no such text.")
    return text
