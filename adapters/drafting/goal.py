"""The goal: of all amounts somebody mentions, the one that is asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise

from adapters.drafting.amounts import Amount, amounts_in
from adapters.drafting.speech import Filler, Token, Utterance
from adapters.drafting.vocabulary import words
from domain.errors import AmountError
from domain.values import Money

SMALLEST, LARGEST = Decimal(1), Decimal(10_000_000)

# How much the word that governs an amount makes it the thing asked for. Beside the amount, the nearest one decides.
_ASKED, _NEEDED, _DUE, _PRICE, _PLAIN, _THEIRS = 100, 80, 65, 50, 35, -60
_GOVERNORS: dict[str, int] = {
    word: weight
    for weight, governing in (
        (
            _ASKED,
            """
            asking ask goal hoping hope raise raising raised request requesting requested seeking
            fundraise pido pedimos pidiendo solicito recaudar meta
            """,
        ),
        (
            _NEEDED,
            """
            need needs needed needing require requires required n necesito necesitamos necesita
            necesitan falta faltan ocupo ocupamos
            """,
        ),
        (
            _DUE,
            """
            pay paying repay pagar get come gather conseguir juntar
            """,
        ),
        (
            _PRICE,
            """
            cost costs costing bill bills charge charges charging charged quoted quote estimate
            estimated price priced fee fees deposit tuition wants want wanted total totals totaling
            totalling owe owes owed owing due behind balance expenses copay repair repairs replace
            replacing fix amount amounts debo debemos cuesta cuestan costo cobra cobran adds comes
            deductible arrears rent renta surgery demanding demands
            """,
        ),
        (
            _THEIRS,
            """
            make makes made making earn earns earned earning salary wage wages income paycheck paychecks
            paid pension disability ssi unemployment gano ganaba gana brings bring sueldo receive
            receives received pays saved save savings have has had've got covered covers donated gave
            gives lent borrowed contributed spent lost worth collected inherited ahorrado ahorre tengo
            tenemos tenia
            """,
        ),
    )
    for word in governing.split()
}
_RATE = re.compile(
    r"(?:(?:a|an|per|every|each|al|por|cada|la) (?:month|week|hour|year|day|semester|session|mes|semana|hora|ano|dia)"
    r"|monthly|weekly|hourly|yearly|annually|daily|each|apiece|mensuales|a piece)\b"
)
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
_CORRECTIONS = words("no wait sorry rather correction scratch meant actually mean perdon digo oops")
_CORRECTING = _CORRECTIONS | words(
    "i it's its make that it not or well hold on a second let me correct is to say should be about like more was um"
)
_OPENERS = words("no wait sorry correction scratch meant oops perdon digo")
_MONEY_WORDS = words("dollars bucks euros pounds yen hundred thousand grand dolares mil")
_MODALS = words("can could puedo podemos able")
_NEGATIONS = words("don't dont didn't doesn't not never no won't")
_REACH = 14
_MOST_PARTS = 12


@dataclass(frozen=True)
class Ask:
    """One amount and how likely it is what the person asks for; `verb` is the token that governs it."""

    amount: Amount
    score: int
    verb: int | None


def goal_of(speech: Utterance, default_currency: str) -> tuple[Money, Amount] | None:
    """What is asked for and where it was said; None if nothing is, or if nobody can tell in which currency."""
    asks = weighed(speech, amounts_in(speech, default_currency))
    best = _best(asks, speech.tokens)
    if best is None or best.amount.foreign:
        return None
    money = money_of(best.amount.value, best.amount.currency or default_currency)
    return None if money is None else (money, best.amount)


def money_of(value: Decimal, currency: str) -> Money | None:
    """The value as a goal; None if it is none that a campaign may have."""
    if not SMALLEST <= value <= LARGEST:
        return None
    try:
        return Money.of(value, currency)
    except AmountError:
        return None


def weighed(speech: Utterance, amounts: Sequence[Amount]) -> list[Ask]:
    """The amounts with their weights; one that the person took back is left out."""
    asks: list[Ask] = []
    for amount in amounts:
        ask = _weigh(amount, speech.tokens)
        if asks and _takes_back(asks[-1].amount, amount, speech.tokens):
            before = asks.pop()
            ask = Ask(_with_currency(amount, before.amount), max(ask.score, before.score), before.verb)
        asks.append(ask)
    return asks


def _with_currency(amount: Amount, before: Amount) -> Amount:
    if amount.explicit:
        return amount
    return replace(amount, currency=before.currency, explicit=before.explicit, foreign=before.foreign)


def _best(asks: Sequence[Ask], tokens: Sequence[Token]) -> Ask | None:
    worthy = [ask for ask in asks if ask.score > 0]
    if not worthy:
        return None
    best = max(worthy, key=lambda ask: (ask.score, ask.amount.first))
    return _summed(best, worthy, tokens)


def _summed(best: Ask, asks: Sequence[Ask], tokens: Sequence[Token]) -> Ask:
    """Follows "500 for rent and 300 for food" to its sum, and "total 800" where it is the sum of the others."""
    sentence = tokens[best.amount.first].sentence
    for at, total in enumerate(asks):
        others = asks[max(0, at - _MOST_PARTS) : at]
        nearby = [ask for ask in others if tokens[ask.amount.first].sentence >= sentence - 2]
        if best in nearby and len(nearby) > 1 and _is_total(total.amount, tokens):
            if total.amount.value == sum(ask.amount.value for ask in nearby[-2:]):
                return total
            if total.amount.value == sum(ask.amount.value for ask in nearby):
                return total
    same = [ask for ask in asks if ask.verb is not None and ask.verb == best.verb and ask.score >= _NEEDED - 20]
    if len(same) > 1 and all(_is_listed(one.amount, two.amount, tokens) for one, two in pairwise(same)):
        whole = replace(same[-1].amount, value=sum((ask.amount.value for ask in same), Decimal(0)))
        return replace(same[-1], amount=_with_currency(whole, same[0].amount))
    return best


def _is_total(amount: Amount, tokens: Sequence[Token]) -> bool:
    before = " ".join(token.folded for token in tokens[max(0, amount.first - 4) : amount.first])
    return bool(re.search(r"\b(?:total|altogether|adds up|comes to|so|sum|that's|all)\b", before)) or bool(
        _TOTAL_AFTER.match(_after(amount, tokens))
    )


def _is_listed(one: Amount, two: Amount, tokens: Sequence[Token]) -> bool:
    """Whether two amounts stand side by side as "X for this and Y for that"."""
    between = [token.folded for token in tokens[one.last + 1 : two.first]]
    lists = bool(between) and (between[-1] in ("and", "plus", "y") or tokens[two.first].gap.strip() == ",")
    after = tokens[two.last + 1].folded if two.last + 1 < len(tokens) else ""
    return (
        lists
        and between[0] in ("for", "in", "on", "para")
        and after in ("for", "in", "on", "para")
        and len(between) < 9
    )


def _after(amount: Amount, tokens: Sequence[Token], reach: int = 6) -> str:
    """What follows in the same breath, in plain words."""
    words: list[str] = []
    for token in tokens[amount.last + 1 : amount.last + 1 + reach]:
        if re.search(r"[.!?;]", token.gap):
            break
        if token.filler is Filler.NONE:
            words.append(token.folded)
    return " ".join(words)


def _weigh(amount: Amount, tokens: Sequence[Token]) -> Ask:
    score, verb = _governed(amount, tokens)
    after = _after(amount, tokens)
    if score is None:
        score = _PLAIN if amount.explicit or _is_estimate(amount, tokens) else 0
    if _RATE.match(after):
        score -= 30
    if _HELD_AFTER.match(after):
        score = min(score, _THEIRS)
    if _SHORT_AFTER.match(after):
        score = max(score, 70)
    if _ASKED_AFTER.match(after):
        score = max(score, 90)
    if re.match(r"more\b", after) and score >= _NEEDED:
        score += 8
    if re.match(r"behind\b", after):
        score = max(score, _PRICE)
    if re.match(r"would (?:really )?help", after):
        score = 20 if _even_before(amount, tokens) else max(score, 60)
    return Ask(amount, score, verb)


def _is_estimate(amount: Amount, tokens: Sequence[Token]) -> bool:
    """ "about 1500 for the deposit" speaks of money even without its name."""
    before = [token.folded for token in tokens[max(0, amount.first - 3) : amount.first] if token.filler is Filler.NONE]
    return before[-1:] in (["about"], ["around"], ["roughly"], ["maybe"]) and _after(amount, tokens).startswith(
        ("for ", "to ")
    )


def _even_before(amount: Amount, tokens: Sequence[Token]) -> bool:
    return "even" in {token.folded for token in tokens[max(0, amount.first - 3) : amount.first]}


def _governed(amount: Amount, tokens: Sequence[Token]) -> tuple[int | None, int | None]:
    """The weight of the nearest word before the amount that says what it is, and that word."""
    penalty = 0
    start = amount.first
    for index in range(start - 1, max(-1, start - 1 - _REACH), -1):
        gap = tokens[index + 1].gap
        if tokens[index + 1].sentence != tokens[index].sentence and not _trails_off(tokens[index]):
            break
        if re.search(r"[,;:(—–]", gap):
            penalty += 4
        word = tokens[index]
        if word.filler is not Filler.NONE or any(letter.isdigit() for letter in word.folded):
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
    """A sentence that ends in "for" or "about" goes on after the pause."""
    return token.folded in ("for", "about", "need", "is", "of", "the", "a", "to", "n")


def _in_context(weight: int, index: int, tokens: Sequence[Token], amount: Amount) -> int | None:
    """The weight of a governing word once its neighbours are heard; None if here it governs nothing."""
    word = tokens[index].folded
    said = [token.folded for token in tokens[max(0, index - 6) : index] if token.filler is Filler.NONE]
    before = said[-1] if said else ""
    after = [token.folded for token in tokens[index + 1 : amount.first] if token.filler is Filler.NONE]
    if weight == _PRICE and _is_purpose_of_another(index, tokens):
        return None
    if word in ("have", "has", "had") and after[:1] == ["to"]:
        return None
    if word in ("have", "has", "got", "had") and any(later in _GOVERNORS for later in after):
        return None
    if word == "get" and before not in ("to", "can", "could", "should"):
        return None
    if word == "get" and set(said[-3:]) & {"hoping", "hope", "trying", "looking"}:
        return _ASKED
    if word in ("come", "comes"):
        return weight if after[:1] in (["up"], ["to"]) else None
    if word == "made" and before in ("was", "were"):
        return None
    if word == "make" and before == "to":
        return None
    if word == "bring" and not {"home", "in"} & set(after[:2]):
        return None
    if word == "lost" and after[:1] != []:
        return weight if len(after) < 3 else None
    if word in ("paid", "raised") and set(said[-3:]) & {"be", "need", "to"}:
        return None
    if word == "raised":
        return _THEIRS
    if word in ("pay", "pagar", "paying") and (
        before in _MODALS or "already" in said[-3:] or set(said[-3:]) & {"will", "insurance"}
    ):
        return _THEIRS
    if word in ("want", "wants", "wanted") and after[:1] == ["to"]:
        return None
    if weight in (_ASKED, _NEEDED):
        if set(said[-2:]) & _NEGATIONS and "if" not in said:
            return _THEIRS
        if word in ("need", "needs") and set(said[-3:]) & {"only", "just", "but"}:
            return weight + 10
        if word in ("need", "needs") and set(said[-2:]) & {"also"}:
            return weight - 20
    if word in ("rent", "renta") and not ({"behind", "owe", "back", "past"} & set(said)):
        return weight - 20
    return weight


def _is_purpose_of_another(index: int, tokens: Sequence[Token]) -> bool:
    """Whether a word belongs to the amount before it, like the rent of "500 for the rent and 300 for food"."""
    for at in range(index - 1, max(0, index - 4), -1):
        if tokens[at + 1].gap.strip():
            return False
        if tokens[at].folded in ("for", "on", "in", "para"):
            before = tokens[at - 1].folded
            return before[-1].isdigit() or before in _MONEY_WORDS
    return False


def _takes_back(before: Amount, after: Amount, tokens: Sequence[Token]) -> bool:
    """Whether the second amount corrects the first: "three thousand, no, five thousand"."""
    between = [token.folded for token in tokens[before.last + 1 : after.first]]
    if not between or len(between) > 14:
        return False
    if all(word in _CORRECTING for word in between) and set(between) & _CORRECTIONS:
        return True
    tail = between[-5:]
    for at, word in enumerate(tail):
        if word in _OPENERS and all(later in _CORRECTING for later in tail[at:]) and len(tail[at:]) >= 2:
            return True
    return False
