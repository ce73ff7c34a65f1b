"""The labels that a document prints around a person's own words, in English and Spanish."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from adapters.localisation import supported_language

LABELS: Mapping[str, Mapping[str, str]] = tomllib.loads(
    Path(__file__).with_name("labels.toml").read_text(encoding="utf-8")
)


@dataclass(frozen=True)
class Wording:
    """The labels of a document in its `language`."""

    language: str
    labels: Mapping[str, str]

    @classmethod
    def of(cls, language: str) -> Wording:
        """Return Spanish labels for any kind of Spanish and English labels for every other language."""
        supported = supported_language(language)
        return cls(supported, LABELS[supported])

    def __getitem__(self, label: str) -> str:
        return self.labels[label]
