"""The language of a transcript."""

import re
from functools import lru_cache
from typing import Any

# A shorter text or a less confident guess gives no language.
_MIN_LETTERS = 12
_MIN_CONFIDENCE = 0.5
_MAX_CHARACTERS = 4000


@lru_cache(maxsize=1)
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def language_of(text: str, recognised: str | None) -> str | None:
    """Return the recogniser's ISO 639-1 code, otherwise the detected one, or None if detection is uncertain."""
    if recognised and re.fullmatch(r"[A-Za-z]{2}(?:[-_][A-Za-z0-9]+)*", recognised):
        return recognised[:2].lower()
    if sum(letter.isalpha() for letter in text[:_MAX_CHARACTERS]) < _MIN_LETTERS:
        return None
    code, confidence = _identifier().classify(text[:_MAX_CHARACTERS])
    return code if len(code) == 2 and confidence >= _MIN_CONFIDENCE else None
