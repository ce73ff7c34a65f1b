"""Builds a campaign's title from the speaker's words."""

import re
from collections.abc import Iterator, Sequence

from adapters.drafting.amounts import Amount
from adapters.drafting.parts import named_before, phrase_at, purpose_after
from adapters.drafting.utterance import Utterance
from adapters.drafting.vocabulary import RELATIONS, TABLES, WORDS

MAX_TITLE = 80

_HELP_WITH = re.compile(
    r"\b(?:help|assistance|money|funds) (?:me |us )?(?:with|for|paying(?: for)?|(?:to )?pay(?: for)?|(?:to )?cover"
    r"|fixing|finishing|covering) "
)
_NEEDS = re.compile(
    r"\b(?:need|needs) (?=(?:a |an |the |his |her |my )?(?:legal help|medical help"
    r"|[\w'-]+ (?:surgery|repairs?|therapy|treatment|equipment)|surgery|groceries|childcare|rent)\b)"
)
_DENIED = re.compile(r"\b(?:not|isn't|never|don't|without|no)(?: [\w'-]+){0,2} $")
_VAGUE = WORDS["vague_purpose"] | {"the", "a", "an"}
_BY_CATEGORY: dict[str, dict[str, str]] = TABLES["purposes"]


def title_of(
    utterance: Utterance,
    beneficiary: str | None,
    category: str | None,
    goal: Amount | None,
    parts: Sequence[str] = (),
) -> str | None:
    """Return a title such as "Help Maria Garcia with car repairs", or None without beneficiary and purpose.

    `parts` are the purposes of the goal's parts.
    """
    spanish = utterance.language == "es"
    general = _BY_CATEGORY["es" if spanish else "en"].get(category or "")
    purposes = [general] if spanish else [_listed(parts), _purpose_in(utterance, goal), general]
    subject = ("Ayuda para " if spanish else "Help ") + beneficiary if beneficiary else None
    for purpose in filter(None, purposes):
        if subject:
            connector = ":" if spanish else " get" if purpose.endswith(" help") else " with"
            title = f"{subject}{connector} {purpose}"
        else:
            title = f"{'Ayuda:' if spanish else 'Help with'} {purpose}"
        if len(title) <= MAX_TITLE:
            return title
    return subject[:MAX_TITLE] if subject else None


def _purpose_in(utterance: Utterance, goal: Amount | None) -> str | None:
    """Return what the help is for in the speaker's words ("car repairs"), or None."""
    for purpose in _purposes(utterance, goal):
        words = purpose.split()
        if words[0] == "the" and len(words) > 2 and words[1].removesuffix("'s") in RELATIONS:
            words = words[2:]  # "my mother's care"
        if not set(words) <= _VAGUE and words[-1] not in RELATIONS:
            return " ".join(words)
    return None


def _purposes(utterance: Utterance, goal: Amount | None) -> Iterator[str]:
    """Yield what may be the purpose, the clearest first: "$500 for X", "help with X", "X is $500", "needs X"."""
    normalized = utterance.normalized
    if goal and (purpose := purpose_after(goal, utterance.tokens)):
        yield purpose
    for pattern in (_HELP_WITH, None, _NEEDS):
        if pattern is None:
            if goal and (purpose := named_before(goal, utterance.tokens)):
                yield purpose
            continue
        for match in pattern.finditer(normalized.text):
            at = normalized.token_at(match.end())
            is_denied = _DENIED.search(normalized.text, max(0, match.start() - 40), match.start())
            if at is not None and not is_denied and (purpose := phrase_at(utterance.tokens, at)):
                yield purpose


def _listed(parts: Sequence[str]) -> str | None:
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]])) or None
