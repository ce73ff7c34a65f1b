"""The language of a text, where the recogniser did not say it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

# Fewer letters than these say too little; a weaker guess is none.
_FEWEST_LETTERS = 12
_LEAST_SURE = 0.5
_ENOUGH_CHARACTERS = 4000


@lru_cache(maxsize=1)
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def language_of(text: str, said: str | None) -> str | None:
    """The ISO 639-1 code the recogniser gave, or else the text's own; None where it is anybody's guess."""
    if said and re.fullmatch(r"[A-Za-z]{2}(?:[-_][A-Za-z0-9]+)*", said):
        return said[:2].lower()
    if sum(letter.isalpha() for letter in text[:_ENOUGH_CHARACTERS]) < _FEWEST_LETTERS:
        return None
    code, sureness = _identifier().classify(text[:_ENOUGH_CHARACTERS])
    return code if len(code) == 2 and sureness >= _LEAST_SURE else None
