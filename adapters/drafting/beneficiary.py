"""Who the money is for: the speaker, unless the speaker asks it for somebody else."""

from __future__ import annotations

import re
from bisect import bisect_right

from adapters.drafting.names import MAX_NAME, name_at, speaker_in, spelled_name
from adapters.drafting.speech import Utterance
from adapters.drafting.vocabulary import RELATIONS

_RELATION = "|".join(sorted(RELATIONS, key=len, reverse=True))
_KIN = rf"(?:my|our|mi|nuestr[oa]) (?:\w+ ){{0,2}}?(?P<relation>{_RELATION})(?P<owner>'s)?(?![\w'])"
# Ways to ask for somebody else, the plainest first. A child's, partner's or parent's trouble alone is not one.
_FOR_ANOTHER = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?:calling|reaching out|here|asking|writing|speaking|recording)[^|]{{0,20}} (?:about|for"
        rf"|on behalf of|regarding) {_KIN}",
        rf"on behalf of {_KIN}",
        rf"(?:raise|raising|collect|collecting|fundraiser|fundraising|campaign)[^|]{{0,40}} (?:for|to help) {_KIN}",
        rf"(?:need|want|trying|like|hoping)[^|]{{0,12}}(?: to)? help (?:with |for |pay for )?{_KIN}",
        rf"(?:help|ayuda|operacion|cirugia|dinero)[^|]{{0,20}} (?:for|para|de) {_KIN}",
        rf"{_KIN} (?:\w+ ){{0,3}}?(?:needs|necesita|requires)",
    )
)
_NAMED = re.compile(
    r"(?:on behalf of|raising money for|raise money for|raising funds for|raise funds for|fundraiser for) "
)


def beneficiary_in(speech: Utterance) -> str | None:
    """Who the money is for, as far as it was said; None if neither the speaker nor anybody else was named."""
    speaker = speaker_in(speech)
    line = speech.line.text
    for pattern in _FOR_ANOTHER:
        match = pattern.search(line)
        if not match:
            continue
        relation = RELATIONS[match["relation"]]
        given = _name_after(speech, match.end("relation")) or _name_of_relation(speech, match["relation"])
        if given:
            return given
        if speaker:
            whose = f"{match['relation']} de {speaker}" if speech.language == "es" else f"{speaker}'s {relation}"
            return whose[:MAX_NAME]
        return None
    if (match := _NAMED.search(line)) and (given := _name_after(speech, match.end() - 1)):
        return given
    return speaker


def _name_after(speech: Utterance, end: int) -> str | None:
    """The name that stands at a place of the line; without capitals nobody could tell it from other words."""
    if not speech.cased:
        return None
    at = bisect_right(speech.line.places, end)
    if at == len(speech.words) or speech.words[at].gap.strip(" ,"):
        return None
    found, _ = name_at(speech.words, at, speech.cased, sure=True)
    return spelled_name(found, speech.cased) if found else None


def _name_of_relation(speech: Utterance, relation: str) -> str | None:
    """The name given elsewhere: "my son Kevin", "her name is Dorothy"."""
    pattern = rf"(?:my|our|mi) (?:\w+ ){{0,2}}?{relation}(?:'s name is| is named| named| is called| se llama)?(?= )"
    for match in re.finditer(pattern, speech.line.text):
        given = _name_after(speech, match.end())
        if given:
            return given
    return None
