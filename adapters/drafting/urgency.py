"""Finds how soon help is needed: danger and deadlines count more than the kind of trouble."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from adapters.drafting.categories import ASIDE, listed, pattern_of
from adapters.drafting.utterance import Utterance
from domain.values import Urgency

_DAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday|lunes|martes|miercoles|jueves|viernes|sabado|domingo"
_WITHIN = r"(?:in|within|only|just|have)(?: the)?(?: next)?"
_NOW = re.compile(
    rf"\b(?:tonight|tomorrow|manana|(?:by|before|until|due) today|(?:by|before|until|this) (?:\w+ )?(?:{_DAYS})"
    rf"|{_WITHIN} (?:(?:one|two|a|1|2|couple) days?|(?:\w+ ){{0,2}}hours))\b"
)
_SOON = re.compile(
    rf"\b(?:(?:next|this|a|one) week|{_WITHIN} (?:a few|a couple of|few|three|four|five|six|seven|[3-7]) days)\b"
)
_DENIED = re.compile(
    r"\b(?:not|isn't|nothing|no|never|wasn't) (?:(?:really|that|too|very|so|an?|at all|super|exactly) )*"
    r"(?:urgent|emergency|crisis|immediate)\b(?: at all| or anything)?"
)
# These are names of things, not times or states.
_NOT_URGENT = re.compile(
    r"\b(?:emergency (?:fund|funds|savings|room|contact|medicine)|\d{1,3} (?:weeks|months|days) ago)\b"
)


class Urgencies:
    """Finds the urgency by its expressions."""

    def __init__(self, expressions: Mapping[str, str]) -> None:
        self._patterns = {name: pattern_of(listed(text)) for name, text in expressions.items()}

    def of(self, utterance: Utterance) -> Urgency:
        """Return how soon help is needed, MEDIUM if the speaker does not say."""
        text = _NOT_URGENT.sub(" ", ASIDE.sub(" ", utterance.normalized.text))
        text, denials = _DENIED.subn(" ", text)

        def says(name: str) -> bool:
            return bool(self._patterns[name].search(text))

        if says("critical") or _NOW.search(text):
            return Urgency.CRITICAL
        if says("patient"):
            return Urgency.LOW if denials or says("optional") else Urgency.MEDIUM
        if says("high") or _SOON.search(text) or (says("pressing") and not says("planned")):
            return Urgency.HIGH
        return Urgency.LOW if denials and says("optional") else Urgency.MEDIUM


EXPRESSIONS: dict[str, str] = tomllib.loads(Path(__file__).with_name("urgency.toml").read_text(encoding="utf-8"))
urgency_of = Urgencies(EXPRESSIONS).of
