"""Finds how soon help is needed. A deadline or danger counts more than the kind of trouble."""

import re

from adapters.drafting.utterance import Utterance
from adapters.drafting.vocabulary import TABLES, keyword_pattern
from domain.values import Urgency

_CRITICAL = keyword_pattern(TABLES["urgency"]["critical"])
_HIGH = keyword_pattern(TABLES["urgency"]["high"])
# Troubles that are urgent unless the speaker sounds calm.
_PRESSING = keyword_pattern(TABLES["urgency"]["pressing"])
_CALM = keyword_pattern(TABLES["urgency"]["calm"])
_DENIED = re.compile(
    r"\b(?:not|isn't|nothing|no|never|wasn't) (?:(?:really|that|too|very|so|an?|at all|super|exactly) )*"
    r"(?:urgent|emergency|crisis|immediate)\b(?: at all| or anything)?|\bbut not an emergency\b"
)
_PATIENT = keyword_pattern(TABLES["urgency"]["patient"])
_OPTIONAL = re.compile(r"\b(?:wedding|reunion|vacation|birthday|hobby|trip|celebration|hoping to get|would be nice)\b")
_ASIDE = re.compile(
    r"(?:previously|had (?:issues|problems|trouble) with|also (?:dealing|struggling) with"
    r"|used to)(?:(?: [\w'-]+){1,4} (?=\||$)| \w+)|\b\d{1,3} (?:weeks|months|days) ago"
)


def urgency_of(utterance: Utterance) -> Urgency:
    """Return how soon help is needed, MEDIUM if the speaker does not say."""
    text = _ASIDE.sub(" ", utterance.normalized.text)
    is_denied = bool(_DENIED.search(text))
    text = _DENIED.sub(" ", text)
    if _CRITICAL.search(text):
        return Urgency.CRITICAL
    if _PATIENT.search(text) or is_denied:
        calm = Urgency.LOW if (is_denied and _PATIENT.search(text)) or _OPTIONAL.search(text) else Urgency.MEDIUM
        return Urgency.HIGH if calm is Urgency.MEDIUM and is_denied and _HIGH.search(text) else calm
    if _HIGH.search(text) or (_PRESSING.search(text) and not _CALM.search(text)):
        return Urgency.HIGH
    return Urgency.MEDIUM
