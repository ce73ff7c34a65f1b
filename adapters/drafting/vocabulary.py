"""The words and expressions that the drafting rules look for, read from vocabulary.toml."""

import tomllib
from pathlib import Path
from typing import Any

TABLES: dict[str, Any] = tomllib.loads(Path(__file__).with_name("vocabulary.toml").read_text(encoding="utf-8"))


def words(text: str) -> frozenset[str]:
    """Return the words of a text as a set."""
    return frozenset(text.split())


WORDS = {name: words(text) for name, text in TABLES["words"].items()}
# Common words, which cannot be names or places.
FUNCTION_WORDS = WORDS["function"]
# Words that follow "I'm", "this is" or "we live in" without being a name or place.
SITUATION_WORDS = WORDS["situation"]
TITLES = WORDS["title"]
PARTICLES = WORDS["name_particle"]
# Words for relations, each with its English word.
RELATIONS: dict[str, str] = {**{word: word for word in sorted(WORDS["english_relation"])}, **TABLES["relations"]}
