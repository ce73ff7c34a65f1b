"""Finds the goal: the amount that the speaker asks for among all amounts mentioned."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from adapters.drafting.amounts import Amount, amounts_in
from adapters.drafting.parts import listed_with
from adapters.drafting.utterance import Token, Utterance
from adapters.drafting.vocabulary import TABLES, WORDS, words
from domain.errors import AmountError
from domain.tickets import DEFAULT_CURRENCY
from domain.values import Money

SMALLEST, LARGEST = Decimal(1), Decimal(10_000_000)

# Weights of the word that governs an amount, usually the nearest one before it: how likely the amount is the goal.
_ASKED, _NEEDED, _DUE, _PRICE, _OWED, _PLAIN, _EARNED, _OWN_MONEY = 100, 80, 65, 50, 45, 35, -40, -60
_WEIGHTS = {"asked": _ASKED, "needed": _NEEDED, "due": _DUE, "price": _PRICE, "own_money": _OWN_MONEY}
_GOVERNORS = {word: _WEIGHTS[kind] for kind, text in TABLES["governors"].items() for word in text.split()}
_RATE = re.compile(
    r"(?:(?:a|an|per|every|each|al|por|cada|la) (?:month|week|hour|year|day|semester|session|mes|semana|hora|ano|dia)"
    r"|monthly|weekly|hourly|yearly|annually|daily|each|apiece|mensuales|a piece)\b"
)
_RATE_UNIT = re.compile(
    r"(?:(?:a|an|per|every|each) )?(month|week|day|night|session|semester|visit)(?:ly)?\b|each\b|apiece\b|a piece\b"
)
_COUNTS: dict[str, int] = {**TABLES["counts"], **{str(number): number for number in range(2, 100)}}
_COUNT = rf"(?:(?:next|about|another|last) )?({'|'.join(_COUNTS)})(?: more)?"
_HELD_AFTER = re.compile(
    r"(?:in |of )?(?:(?:my|our|student|credit|card|medical|personal) )*(?:savings|saved|loans?|debts?)\b|"
    r"(?:myself|ourselves|already|ahorrados)\b"
)
_ASKED_AFTER = re.compile(
    r"(?:is|are|would be|es) (?:what|all|how much|the amount|our goal|my goal|lo que)(?: (?:that|it))? ?"
    r"(?:i|we|i'm|we're|takes|cover)?"
)
_SHORT_AFTER = re.compile(r"(?:short|out of pocket)\b")
_TOTAL_AFTER = re.compile(r"(?:in )?(?:total|altogether|all together|in all|all told)\b")
_CORRECTIONS = WORDS["correction"]
_CORRECTING = _CORRECTIONS | WORDS["correcting"]
_OPENERS = words("no wait sorry correction scratch meant oops perdon digo")
_MONEY_WORDS = words("dollars bucks euros pounds yen hundred thousand grand dolares mil")
_MODALS = words("can could puedo podemos able")
_NEGATIONS = words("don't dont didn't doesn't not never no won't")
_MAX_DISTANCE = 14
_MAX_PARTS = 12


@dataclass(frozen=True)
class GoalCandidate:
    """An amount and how likely it is the goal. `governor` is the index of the word that governs it."""

    amount: Amount
    score: int
    governor: int | None


def goal_of(utterance: Utterance, currency: str = DEFAULT_CURRENCY) -> tuple[Money, Amount] | None:
    """Return the goal and the amount it comes from, or None if there is none or its currency is ambiguous.

    An amount without a currency is in `currency`.
    """
    candidates = goal_candidates(utterance, amounts_in(utterance))
    best = _best(candidates, utterance)
    if best is None or best.amount.foreign:
        return None
    money = money_of(best.amount.value, best.amount.currency or currency)
    return None if money is None else (money, best.amount)


def money_of(value: Decimal, currency: str) -> Money | None:
    """Return the value as money, or None if a campaign may not have such a goal."""
    if not SMALLEST <= value <= LARGEST:
        return None
    try:
        return Money.of(value, currency)
    except AmountError:
        return None


def goal_candidates(utterance: Utterance, amounts: Sequence[Amount]) -> list[GoalCandidate]:
    """Return the amounts with their scores, without those that the speaker corrected."""
    candidates: list[GoalCandidate] = []
    for amount in amounts:
        candidate = _goal_candidate(amount, utterance.tokens)
        if (count := _count_of_units(amount, utterance.tokens)) and candidate.score >= _EARNED:
            total = replace(amount, value=amount.value * count)
            candidate = replace(candidate, amount=total, score=max(candidate.score, _OWED))
        if candidates and _corrects(candidates[-1].amount, amount, utterance.tokens):
            previous = candidates.pop()
            candidate = GoalCandidate(
                _with_currency(amount, previous.amount), max(candidate.score, previous.score), previous.governor
            )
        candidates.append(candidate)
    return candidates


def _count_of_units(amount: Amount, tokens: Sequence[Token]) -> int | None:
    """Return 3 for "three months of rent at $950" and "$950 a month, and I'm three months behind", otherwise None."""
    sentence = tokens[amount.first].sentence
    before = " ".join(
        token.folded
        for token in tokens[max(0, amount.first - 25) : amount.first]
        if not token.is_filler and token.sentence >= sentence - 1
    )
    after = " ".join(token.folded for token in tokens[amount.last + 1 : amount.last + 16] if not token.is_filler)
    rate = _RATE_UNIT.match(after)
    unit = (rate and rate[1]) or "(?:month|week|night|session|semester|payment)"
    number = rf"\b{_COUNT} {unit}s'?"
    owed = rf"{number} (?:behind|late|overdue|rent|of|worth|back)\b|\b(?:owe|owed|missed|behind)(?: on)? {number}"
    if rate is None:
        match = re.search(rf"(?:{owed}).{{0,20}} at(?: about)?$", before)
    else:
        match = re.match(rf" (?:rent )?for (?:the )?{number}", after[rate.end() :]) or re.search(owed, before)
        match = match or (re.search(owed, after) if rate[1] else None)
    return _COUNTS[next(filter(None, match.groups()))] if match else None


def _with_currency(amount: Amount, previous: Amount) -> Amount:
    if amount.explicit:
        return amount
    return replace(amount, currency=previous.currency, explicit=previous.explicit, foreign=previous.foreign)


def _best(candidates: Sequence[GoalCandidate], utterance: Utterance) -> GoalCandidate | None:
    positive = [candidate for candidate in candidates if candidate.score > 0]
    if not positive:
        return None
    best = max(positive, key=lambda candidate: (candidate.score, candidate.amount.first))
    return _summed(best, positive, utterance)


def _summed(best: GoalCandidate, candidates: Sequence[GoalCandidate], utterance: Utterance) -> GoalCandidate:
    """Return the sum of "500 for rent and 300 for food", or a stated total if it equals the sum of its parts."""
    tokens = utterance.tokens
    sentence = tokens[best.amount.first].sentence
    for at, total in enumerate(candidates):
        others = candidates[max(0, at - _MAX_PARTS) : at]
        nearby = [candidate for candidate in others if tokens[candidate.amount.first].sentence >= sentence - 2]
        if best in nearby and len(nearby) > 1 and _is_total(total.amount, tokens):
            if total.amount.value == sum(candidate.amount.value for candidate in nearby[-2:]):
                return total
            if total.amount.value == sum(candidate.amount.value for candidate in nearby):
                return total
    amounts = [candidate.amount for candidate in candidates]
    parts = listed_with(best.amount, amounts, utterance)
    value = sum((part.value for part in parts), Decimal(0))
    return replace(best, amount=replace(best.amount, value=value, last=parts[-1].last))


def _is_total(amount: Amount, tokens: Sequence[Token]) -> bool:
    previous = " ".join(token.folded for token in tokens[max(0, amount.first - 4) : amount.first])
    return bool(re.search(r"\b(?:total|altogether|adds up|comes to|so|sum|that's|all)\b", previous)) or bool(
        _TOTAL_AFTER.match(_after(amount, tokens))
    )


def _after(amount: Amount, tokens: Sequence[Token]) -> str:
    """Return the folded words among the next six that follow in the same sentence."""
    words: list[str] = []
    for token in tokens[amount.last + 1 : amount.last + 7]:
        if re.search(r"[.!?;]", token.separator):
            break
        if not token.is_filler:
            words.append(token.folded)
    return " ".join(words)


def _goal_candidate(amount: Amount, tokens: Sequence[Token]) -> GoalCandidate:
    score, governor = _governed(amount, tokens)
    after = _after(amount, tokens)
    if score is None:
        score = _PLAIN if amount.explicit or _is_estimate(amount, tokens) else 0
    if _RATE.match(after):
        score -= 30
    if _HELD_AFTER.match(after):
        score = min(score, _OWN_MONEY)
    if _SHORT_AFTER.match(after):
        score = max(score, 70)
    if _ASKED_AFTER.match(after):
        score = max(score, 90)
    if re.match(r"behind\b", after):
        score = max(score, _PRICE)
    if re.match(r"would (?:really )?help", after):
        score = max(score, 60)
    return GoalCandidate(amount, score, governor)


def _is_estimate(amount: Amount, tokens: Sequence[Token]) -> bool:
    """Return True for an estimate without currency, such as "about 1500 for the deposit"."""
    previous = [token.folded for token in tokens[max(0, amount.first - 3) : amount.first] if not token.is_filler]
    return previous[-1:] in (["about"], ["around"], ["roughly"], ["maybe"]) and _after(amount, tokens).startswith(
        ("for ", "to ")
    )


def _governed(amount: Amount, tokens: Sequence[Token]) -> tuple[int | None, int | None]:
    """Return the weight and index of the nearest governing word before the amount, or None twice."""
    penalty = 0
    start = amount.first
    for index in range(start - 1, max(-1, start - 1 - _MAX_DISTANCE), -1):
        separator = tokens[index + 1].separator
        if tokens[index + 1].sentence != tokens[index].sentence and not _trails_off(tokens[index]):
            break
        if re.search(r"[,;:(—–]", separator):
            penalty += 4
        word = tokens[index]
        if word.is_filler or any(letter.isdigit() for letter in word.folded):
            continue
        weight = _GOVERNORS.get(word.folded)
        if weight is None:
            continue
        weight = _in_context(weight, index, tokens, amount)
        if weight is None:
            continue
        return weight - (penalty if weight > 0 else -penalty), index
    return None, None


def _trails_off(token: Token) -> bool:
    """Return True if the sentence continues after this word despite a full stop, as after "for"."""
    return token.folded in ("for", "about", "need", "is", "of", "the", "a", "to", "n")


def _in_context(weight: int, index: int, tokens: Sequence[Token], amount: Amount) -> int | None:
    """Return the weight of a governing word in its context, or None if it does not govern the amount."""
    word = tokens[index].folded
    earlier = [token.folded for token in tokens[max(0, index - 6) : index] if not token.is_filler]
    previous = earlier[-1] if earlier else ""
    after = [token.folded for token in tokens[index + 1 : amount.first] if not token.is_filler]
    if weight == _PRICE and _is_purpose_of_another(index, tokens):
        return None
    if word in ("have", "has", "had") and after[:1] == ["to"]:
        return None
    if word == "get" and previous not in ("to", "can", "could", "should"):
        return None
    if word in ("pay", "pagar", "paying") and (
        previous in _MODALS or "already" in earlier[-3:] or set(earlier[-3:]) & {"will", "insurance"}
    ):
        return _OWN_MONEY
    if weight in (_ASKED, _NEEDED):
        if set(earlier[-2:]) & _NEGATIONS and "if" not in earlier:
            return _OWN_MONEY
        if word in ("need", "needs") and set(earlier[-3:]) & {"only", "just", "but"}:
            return weight + 10
    if word in ("rent", "renta") and not ({"behind", "owe", "back", "past"} & set(earlier)):
        return weight - 20
    return weight


def _is_purpose_of_another(index: int, tokens: Sequence[Token]) -> bool:
    """Return True if a word belongs to the previous amount, like "rent" in "500 for the rent and 300 for food"."""
    for at in range(index - 1, max(0, index - 4), -1):
        if tokens[at + 1].separator.strip():
            return False
        if tokens[at].folded in ("for", "on", "in", "para"):
            previous = tokens[at - 1].folded
            return previous[-1].isdigit() or previous in _MONEY_WORDS
    return False


def _corrects(previous: Amount, after: Amount, tokens: Sequence[Token]) -> bool:
    """Return True if the second amount corrects the first: "three thousand, no, five thousand"."""
    between = [token.folded for token in tokens[previous.last + 1 : after.first]]
    if not between or len(between) > 14:
        return False
    if all(word in _CORRECTING for word in between) and set(between) & _CORRECTIONS:
        return True
    tail = between[-5:]
    for at, word in enumerate(tail):
        if word in _OPENERS and all(later in _CORRECTING for later in tail[at:]) and len(tail[at:]) >= 2:
            return True
    return False
