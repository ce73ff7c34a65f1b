"""Finds the beneficiary: the speaker, unless the speaker asks for another person."""

import re
from bisect import bisect_right

from adapters.drafting.names import MAX_NAME, name_at, speaker_in, spelled_name
from adapters.drafting.utterance import Utterance
from adapters.drafting.vocabulary import RELATIONS, WORDS

_RELATION = "|".join(sorted(RELATIONS, key=len, reverse=True))
_KIN = rf"(?:my|our|mi|nuestr[oa]) (?:\w+ ){{0,2}}?(?P<relation>{_RELATION})(?P<owner>'s)?(?![\w'])"
# Ways to ask for another person, the clearest first. Mentioning a relative's trouble is not enough.
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
        # "My best friend Kim has leukemia. We need $5,000 for her treatment."
        rf"{_KIN} (?:[\w'-]+ ){{0,3}}?(?:has|had|is|was|needs|got|lost|fell|suffers)\b(?P<trouble>[^|]*)(?:.{{0,300}}?)"
        r"(?:\b(?:need|raise|raising|money|costs?|pay|asking)\b|\d)[^|]{0,60} "
        r"(?:for|towards?|cover|pay) (?:her|his|their) (?!own |and |so |but |because |to )[\w'-]",
    )
)
# A named person with a trouble is in need if the speaker speaks of no need of their own.
_NAMED_TROUBLE = re.compile(
    rf"{_KIN} (?:[\w'-]+ ){{1,3}}?(?:has|had|is|was|needs|got|lost|fell|suffers)\b(?P<trouble>[^|]*)"
)
_OWN_NEED = re.compile(
    r"\b(?:i need|we need|i'm (?:sick|behind|facing|losing|out of)|i (?:lost|can't)|help (?:me|us)"
    r"|my (?:rent|bills?|job|car)|our (?:rent|home|house|apartment|bills?))\b"
)
_NOT_IN_NEED = WORDS["not_in_need"]
_NAMED = re.compile(
    r"(?:on behalf of|raising money for|raise money for|raising funds for|raise funds for|fundraiser for) "
)


def beneficiary_in(utterance: Utterance) -> str | None:
    """Return the beneficiary's name, or None if no name was given."""
    speaker = speaker_in(utterance)
    line = utterance.normalized.text
    for pattern in (*_FOR_ANOTHER, *([] if _OWN_NEED.search(line) else [_NAMED_TROUBLE])):
        match = pattern.search(line)
        if not match or _NOT_IN_NEED & set((match.groupdict().get("trouble") or "").split()):
            continue
        relation = RELATIONS[match["relation"]]
        name = _name_after(utterance, match.end("relation")) or _name_of_relation(utterance, match["relation"])
        if name:
            return name
        if speaker:
            whose = f"{match['relation']} de {speaker}" if utterance.language == "es" else f"{speaker}'s {relation}"
            return whose[:MAX_NAME]
        return None
    if (match := _NAMED.search(line)) and (name := _name_after(utterance, match.end() - 1)):
        return name
    return speaker


def _name_after(utterance: Utterance, end: int) -> str | None:
    """Return the name after an offset of the normalized text. Without capitals a name cannot be recognised here."""
    if not utterance.cased:
        return None
    at = bisect_right(utterance.normalized.word_starts, end)
    if at == len(utterance.words) or utterance.words[at].separator.strip(" ,"):
        return None
    parts, _ = name_at(utterance.words, at, utterance.cased, sure=True)
    return spelled_name(parts, utterance.cased) if parts else None


def _name_of_relation(utterance: Utterance, relation: str) -> str | None:
    """Return the name of a relation from elsewhere: "my son Kevin", "my son is named Kevin"."""
    pattern = rf"(?:my|our|mi) (?:\w+ ){{0,2}}?{relation}(?:'s name is| is named| named| is called| se llama)?(?= )"
    for match in re.finditer(pattern, utterance.normalized.text):
        name = _name_after(utterance, match.end())
        if name:
            return name
    return None
