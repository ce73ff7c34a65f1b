"""Builds a campaign's title from the speaker's words."""

import re
from collections.abc import Iterator, Sequence

from adapters.drafting.amounts import Amount
from adapters.drafting.parts import named_before, phrase_at, purpose_after
from adapters.drafting.utterance import Utterance
from adapters.drafting.vocabulary import RELATIONS, TABLES, WORDS

MAX_TITLE = 80
# What the money is used for is looked for in so many characters, and so many uses are named.
_MAX_USES, _MAX_LISTED = 200, 3

_HELP_WITH = re.compile(
    r"\b(?:help|assistance|money|funds) (?:me |us )?(?:with|for|paying(?: for)?|(?:to )?pay(?: for)?|(?:to )?cover"
    r"|fixing|finishing|covering) "
)
_NEEDS = re.compile(
    r"\b(?:need|needs) (?=(?:a |an |the |his |her |my )?(?:legal help|medical help"
    r"|[\w'-]+ (?:surgery|repairs?|therapy|treatment|equipment)|surgery|groceries|childcare|rent)\b)"
)
_DENIED = re.compile(r"\b(?:not|never|without|no|[a-z]+n't)(?: [\w'-]+){0,2} $")
_MONEY_USED = re.compile(
    r"\b(?:money|funds?|funding|donations?|gifts?|dollars|help|support|it|this|that)"
    r" (?:(?:will|would|can|could|is|are|all|going|goes|go|helps?|allows?|be used|me|us|him|her|them) )+"
    r"(?=(?:(?:to )?(?:pay|buy|cover|fix|repair|replace)|for|towards?) )"
)
_USE = re.compile(r"(?:\b(?:pay(?: for)?|buy|cover|fix|repair|replace)|^(?:for|towards?)) (?=[a-z0-9])")
_JOB_LOST = re.compile(
    r"\b(?:lost|losing|loss of) (?:my |our |his |her |their )?(?:job|work)\b"
    r"|\b(?:was|were|got|been) (?:laid off|let go|fired|terminated)\b"
)
_VAGUE = WORDS["vague_purpose"] | {"the", "a", "an"}
_NO_HEAD = WORDS["vague_head"] | RELATIONS.keys()
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
    purposes = (
        [general]
        if spanish
        else [
            _listed(parts),
            _listed(_uses_in(utterance)),
            _purpose_in(utterance, goal),
            general,
            _job_loss_in(utterance),
        ]
    )
    subject = ("Ayuda para " if spanish else "Help ") + beneficiary if beneficiary else None
    for purpose in filter(None, purposes):
        if subject:
            is_event = purpose.startswith("after ")
            connector = ":" if spanish else "" if is_event else " get" if purpose.endswith(" help") else " with"
            title = f"{subject}{connector} {purpose}"
        else:
            title = f"{'Ayuda:' if spanish else 'Help with'} {purpose}"
        if len(title) <= MAX_TITLE:
            return title
    return subject[:MAX_TITLE] if subject else None


def _purpose_in(utterance: Utterance, goal: Amount | None) -> str | None:
    """Return what the help is for in the speaker's words ("car repairs"), or None."""
    return next(filter(None, map(_clear, _purposes(utterance, goal))), None)


def _clear(purpose: str) -> str | None:
    """Return the purpose without a vague end ("utilities and stuff"), or None if it is vague or only names people."""
    words = purpose.split()
    if words[0] == "the" and len(words) > 2 and words[1].removesuffix("'s") in RELATIONS:
        words = words[2:]  # "my mother's care"
    if len(words) > 2 and words[-2] == "and" and words[-1] in _NO_HEAD:
        words = words[:-2]
    return None if set(words) <= _VAGUE or words[-1] in _NO_HEAD else " ".join(words)


def _uses_in(utterance: Utterance) -> list[str]:
    """Return what the speaker says that the money will be used for: "it will help us to pay the rent and buy beds"."""
    normalized = utterance.normalized
    uses: dict[str, None] = {}
    for match in _MONEY_USED.finditer(normalized.text):
        first = normalized.token_at(match.end())
        if first is None or utterance.tokens[first].sentence != utterance.tokens[first - 1].sentence:
            continue
        for use in _USE.finditer(normalized.text[match.end() : match.end() + _MAX_USES]):
            at = normalized.token_at(match.end() + use.end())
            if at is None or utterance.tokens[at].sentence != utterance.tokens[first].sentence:
                break
            phrase = phrase_at(utterance.tokens, at)
            if phrase and (clear := _clear(phrase)):
                uses |= dict.fromkeys(clear.split(" and "))
    return list(uses) if len(uses) < 2 else [re.sub(r"^(?:the|an?) ", "", use) for use in uses][:_MAX_LISTED]


def _job_loss_in(utterance: Utterance) -> str | None:
    text = utterance.normalized.text
    match = _JOB_LOST.search(text)
    is_said = match and not _DENIED.search(text, max(0, match.start() - 40), match.start())
    return "after a job loss" if is_said else None


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
