"""Finds how soon help is needed. A deadline or danger counts more than the kind of trouble."""

from __future__ import annotations

import re

from adapters.drafting.keywords import keyword_pattern
from adapters.drafting.utterance import Utterance
from domain.values import Urgency

_CRITICAL = keyword_pattern(
    r"""
    life[- ]threatening|emergency(?! (?:fund|funds|savings|room|contact))|immediate(?:ly)?|violen\w*|abus\w*|
    dangerous|suicid\w*|dying|lost everything|tonight|(?:by|before|until) (?:\w+ )?(?:tomorrow|tonight|today|
    (?:monday|tuesday|wednesday|thursday|friday|saturday|sunday))|tomorrow|right away|starving|nothing to eat|
    (?:in|within) (?:the next )?(?:(?:one|two|1|2) days?|(?:24|48|twenty[- ]four|forty[- ]eight) hours|hours)|
    (?:shut ?off|eviction|disconnection|foreclosure) notice(?! last month)|fear for (?:my|our)|flooded|
    burned down|fire destroyed|sleeping outside|critical(?:ly)?|manana|emergencia|inmediatamente
    """
)
_HIGH = keyword_pattern(
    r"""
    evict\w*|desalojo|urgent(?:ly)?|urgente|deadline|due date|final date|next week|this week|shut ?off|
    foreclos\w*|asap|(?:in|within) (?:the next )?(?:three|four|five|six|3|4|5|6|a few|a couple) days|
    disconnect\w*|turn(?:ed|ing)? off|on the street|without a place|nowhere (?:else )?to|homeless|surgery|
    operation|cirugia|operacion|cancer|chemo\w*|lawyer|attorney|custody|court|legal|desperate\w*|behind (?:on|
    in)|(?:months?|weeks?) behind|catch up|last (?:chance|notice)|(?:lose|losing) (?:my|our|the) (?:home|house|
    apartment|place|spot|kids|children)|repossess\w*|as soon as possible|can't work(?! without)|hungry|no food|
    funeral|bail|deport\w*
    """
)
# Troubles that are urgent unless the speaker sounds calm.
_PRESSING = keyword_pattern(
    r"""
    lost (?:my|his|her|our) job|terminated|laid off|fired|let go|unemployed|child ?care|day ?care|broke down|
    (?:for|on|with|pay|afford|owe|cover) (?:the |my |our |this month's )?(?:rent|mortgage|renta)(?! is| was|
     and deposit)
    """
)
_CALM = keyword_pattern(
    r"""
    i think|maybe|probably|will cost|would cost|program|certification|training|living expenses|security deposit|
    hoping|some point|next month|few weeks
    """
)
_DENIED = re.compile(
    r"\b(?:not|isn't|nothing|no|never|wasn't) (?:(?:really|that|too|very|so|an?|at all|super|exactly) )*"
    r"(?:urgent|emergency|crisis|immediate)\b(?: at all| or anything)?|\bbut not an emergency\b"
)
_PATIENT = keyword_pattern(
    "can wait|no rush|no hurry|not in a hurry|whenever|when possible|some ?day|eventually|take (?:our|my) time"
)
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
