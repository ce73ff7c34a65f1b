"""Finds the words of a sentence in the transcript, and decides whether the sentence says what was said there."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import pairwise

from adapters.drafting.categories import CATEGORY_KEYWORDS
from adapters.drafting.numbers import SPOKEN_LANGUAGES
from adapters.drafting.units import CONJUNCTIONS, CURRENCY, RESERVATIONS, Unit, figure_key, key_of, keys_of, units_of
from adapters.drafting.vocabulary import TABLES

_NEGATORS = keys_of("negator")
_GUARDED = _NEGATORS | RESERVATIONS
_LIMITS = frozenset(tuple(map(key_of, limit.split())) for limit in TABLES["comparison"]["limits"])
_CONDITIONS, _OF_A_REQUEST, _BEFORE_MAY = keys_of("condition"), keys_of("of_a_request"), keys_of("before_may")
_GLUE, _SKIPPABLE, _CORRECTION = keys_of("glue"), keys_of("skippable"), keys_of("correction")
_ABLE, _BEFORE_DENIED = keys_of("able"), keys_of("before_denied")
FRAME = _GLUE | keys_of("frame")

_SENTENCE_MARK = re.compile(r"[.!?…。！？]+")
# Between words of one sentence at most so many words of the transcript may be left out.
_MAX_GAP = 60
_CANDIDATES = 8
_NEAR_GUARD = 2
# A label and its figure in a breakdown were said within so many words.
_NEAR = 15

Path = tuple[tuple[int, int], ...]


class Heard:
    """The words of a transcript, without what lies in `left_out`, pairs of offsets in its text."""

    def __init__(self, text: str, language: str | None, left_out: Sequence[tuple[int, int]] = ()) -> None:
        self._language = (language or "en").lower()[:2]
        self._text = text
        self._spoken = self._language in SPOKEN_LANGUAGES
        self.units = tuple(
            unit
            for unit in units_of(text, self._language)
            if not any(start <= unit.start < end for start, end in left_out)
        )
        self._at: dict[str, list[int]] = defaultdict(list)
        for index, unit in enumerate(self.units):
            self._at[unit.key].append(index)
        self._clauses: dict[int, list[int]] = defaultdict(list)
        for index, unit in enumerate(self.units):
            self._clauses[unit.clause].append(index)

    # Sentences.

    def says(self, sentence: str) -> bool:
        """Return True if the sentence only cleans up what was said.

        Its words, names and figures were said in this order, nothing was left out that changes their meaning, and
        every clause has the negations and reservations of the clause that it comes from.
        """
        units = units_of(sentence, self._language)
        is_question = "?" in sentence
        return any(
            self._is_faithful(units, path) and (is_question or not self._is_asked(path[-1][1]))
            for path in self._paths(units)
        )

    def spans(self, sentence: str) -> list[tuple[int, int]]:
        """Return where the words of the sentence were said, or [] if fewer than half of them were."""
        units = units_of(sentence, self._language)
        best = next(iter(self._paths(units)), ())
        return self._joined([at for _, at in best]) if 2 * len(best) >= len(units) else []

    def _paths(self, units: Sequence[Unit]) -> list[Path]:
        """Return the longest and tightest ways to find the words in their order, the best first."""
        best: dict[int, tuple[float, int, tuple[int, int] | None]] = {}
        table: dict[tuple[int, int], tuple[float, tuple[int, int] | None]] = {}
        for index, unit in enumerate(units):
            row: dict[int, tuple[float, int, tuple[int, int] | None]] = {}
            for at in self._at.get(unit.key, ()):
                score, before = 1.0, None
                for earlier in range(at - 1, max(-1, at - _MAX_GAP), -1):
                    if found := best.get(earlier):
                        extended = found[0] + 1 - 0.01 * (at - earlier - 1)
                        if extended > score:
                            score, before = extended, (found[1], earlier)
                row[at] = score, index, before
                table[index, at] = score, before
            for at, entry in row.items():
                if at not in best or entry[0] >= best[at][0]:
                    best[at] = entry
        ends = sorted(best, key=lambda at: (-best[at][0], at))[:_CANDIDATES]
        return [self._path(table, (best[at][1], at)) for at in ends]

    @staticmethod
    def _path(table: dict[tuple[int, int], tuple[float, tuple[int, int] | None]], end: tuple[int, int] | None) -> Path:
        path = []
        while end is not None:
            path.append(end)
            end = table[end][1]
        return tuple(reversed(path))

    def _is_faithful(self, units: Sequence[Unit], path: Path) -> bool:
        indexes = {index for index, _ in path}
        added = [unit.key for index, unit in enumerate(units) if index not in indexes]
        if not self._spoken:
            return not added and self._is_verbatim(path)
        if not all(key in _GLUE or self._is_implied_currency(key) for key in added) or 3 * len(added) > len(units):
            return False
        keys = {unit.key for unit in units}
        for (index, at), (next_index, next_at) in pairwise(path):
            if not self._may_skip(units[index : next_index + 1], at, next_at, keys):
                return False
        return all(self._is_excused(at, path) for at in self._unsaid_guards(units, path))

    def _is_asked(self, at: int) -> bool:
        """Return True for a word of a question."""
        mark = _SENTENCE_MARK.search(self._text, self.units[at].end)
        return mark is not None and "?" in mark.group()

    def _is_verbatim(self, path: Path) -> bool:
        first, last = path[0][1], path[-1][1]
        opens = first == 0 or self.units[first - 1].clause != self.units[first].clause
        closes = last + 1 == len(self.units) or self.units[last + 1].clause != self.units[last].clause
        return opens and closes and last - first + 1 == len(path)

    def _is_implied_currency(self, key: str) -> bool:
        """Return True for a currency that the sentence adds to a figure, if no other one was said."""
        return key in CURRENCY and not any(other in self._at for other in CURRENCY - {key})

    def _may_skip(self, part: Sequence[Unit], at: int, next_at: int, said: frozenset[str] | set[str]) -> bool:
        """Return True if the words between two words of the sentence may be left out."""
        skipped = self.units[at + 1 : next_at]
        if not skipped or part[0].clause != part[-1].clause or self._is_corrected(at + 1, next_at):
            return True
        if self._is_repeated(at, next_at):
            return True
        if any(self._is_guard(skipped_at) for skipped_at in range(at + 1, next_at)):
            return False
        if all(unit.key in said or unit.hedge for unit in skipped):
            return True
        if not all(
            unit.key in _SKIPPABLE or unit.hedge or unit.key in said or self._is_implied_currency(unit.key)
            for unit in skipped
        ):
            return False
        negated = any(unit.key in _NEGATORS for unit in part) or self._has_negator(at) or self._has_negator(next_at)
        return not negated or self.units[at].clause == self.units[next_at].clause

    def _is_repeated(self, at: int, next_at: int) -> bool:
        """Return True if the words between two others only repeat those before or after them."""
        skipped = [unit.key for unit in self.units[at + 1 : next_at] if not unit.hedge]
        count = len(skipped)
        before = [unit.key for unit in self.units[max(0, at + 1 - count) : at + 1]]
        return skipped in (before, [unit.key for unit in self.units[next_at : next_at + count]])

    def _is_corrected(self, first: int, end: int) -> bool:
        """Return True for a slip of the tongue: "two thousand, no wait, fifteen hundred"."""
        for at in range(max(first, end - 3), end):
            key, clause = self.units[at].key, self.units[at].clause
            begins = self.units[at - 1].clause != clause
            if key in _CORRECTION and (begins or self.units[at - 1].key == "no"):
                return True
            if key == "no" and begins and self._clauses[clause] == [at]:
                return True
        return False

    def _has_negator(self, at: int) -> bool:
        return any(self.units[other].key in _NEGATORS for other in self._clauses[self.units[at].clause])

    def _unsaid_guards(self, units: Sequence[Unit], path: Path) -> Iterator[int]:
        """Yield the negations, reservations and conditions of what the sentence uses, but does not repeat."""
        used = {at for _, at in path}
        touched = {self.units[at].clause for index, at in path if units[index].key not in _GLUE}
        # Without punctuation, what follows may be another sentence; a negation after the verb is near.
        end = path[-1][1] + _NEAR_GUARD
        for clause in touched:
            conditions = set(self._conditions(clause))
            for at in {*self._clauses[clause], *conditions} - used:
                if at in conditions or (at <= end and self._is_guard(at)):
                    yield at

    def _is_guard(self, at: int) -> bool:
        """Return True for a negation, a reservation, or a limit such as "up to"."""
        key, before = self.units[at].key, self.units[at - 1].key if at else ""
        following = self.units[at + 1].key if at + 1 < len(self.units) else ""
        return (key in _GUARDED and not (key == "may" and before in _BEFORE_MAY)) or (key, following) in _LIMITS

    def _conditions(self, clause: int) -> Iterator[int]:
        """Yield the words such as "if" under which the clause holds: in itself, or in those beside it."""
        yield from (at for at in self._clauses[clause] if self._is_condition(at))
        following = self._clauses.get(clause + 1)
        if following and self._is_one_sentence(following[0]) and self._is_condition(following[0]):
            yield following[0]
        while clause and self._is_one_sentence(self._clauses[clause][0]):
            is_joined = self.units[self._clauses[clause][0]].key in CONJUNCTIONS
            clause -= 1
            opening = self._clauses[clause][:2]
            yield from (at for at in opening if self._is_condition(at))
            # "If X, Y and Z": the condition of Y is that of Z.
            if not is_joined:
                break

    def _is_condition(self, at: int) -> bool:
        """Return True for "if" and the like, but not for the one of a request: "if you can help, we need"."""
        if self.units[at].key not in _CONDITIONS:
            return False
        following = self.units[at + 1].key if at + 1 < len(self.units) else ""
        return following not in _OF_A_REQUEST or self._has_negator(at)

    def _is_one_sentence(self, at: int) -> bool:
        """Return True if no sentence ends just before this word."""
        return at > 0 and not _SENTENCE_MARK.search(self._text, self.units[at - 1].end, self.units[at].start)

    def _is_excused(self, guard: int, path: Path) -> bool:
        """Return True if a negation was repeated in a stutter, or belongs to a correction ("no, wait")."""
        after = self.units[guard + 1].key if guard + 1 < len(self.units) else ""
        if self.units[guard].key == "no" and after in _CORRECTION:
            return True
        for (_, at), (_, next_at) in pairwise(path):
            if at < guard < next_at:
                return self._is_repeated(at, next_at) or self._is_corrected(at + 1, next_at)
        return False

    # Titles, names, lines of the breakdown and categories.

    def mentions(self, text: str, allowed: str = "") -> bool:
        """Return True if every word and figure was said and not denied, apart from `allowed` and a title's frame."""
        frame = FRAME | {unit.key for unit in units_of(allowed, self._language)}
        units = [unit for unit in units_of(text, self._language) if unit.key not in frame]
        keeps_negations = any(unit.key in _NEGATORS for unit in units)
        return all(
            any(keeps_negations or not self._is_denied(at) for at in self._at.get(unit.key, ())) for unit in units
        )

    def names(self, name: str) -> bool:
        """Return True if the name was said: the words of each part that a comma ends follow one another."""
        parts = [[unit.key for unit in units_of(part, self._language)] for part in re.split(r"[,()]|['’]s\s", name)]
        return any(parts) and all(self._runs(part) for part in parts if part)

    def itemises(self, line: str) -> bool:
        """Return True for a line of the breakdown whose label and figure were said near each other."""
        units = [unit for unit in units_of(line, self._language) if unit.key not in FRAME | CURRENCY]
        figures = [at for unit in units if unit.key[0] == "#" for at in self._at.get(unit.key, ())]
        labels = [unit for unit in units if unit.key[0] != "#"]
        if not labels or not self.mentions(line):
            return False
        if len(labels) == len(units):
            return True
        return all(
            any(abs(at - figure) <= _NEAR for at in self._at.get(unit.key, ()) for figure in figures) for unit in labels
        )

    def places(self, text: str) -> list[tuple[int, int]]:
        """Return where the words of a title, a name or a line of the breakdown were said first and together."""
        units = [unit for unit in units_of(text, self._language) if unit.key not in FRAME]
        positions: list[int] = []
        for unit in units:
            at = self._at.get(unit.key, ())
            if at:
                positions.append(
                    min(at, key=lambda place: (min((abs(place - other) for other in positions), default=0), place))
                )
        return self._joined(sorted(set(positions)))

    def figures(self, value: Decimal | None = None) -> list[tuple[int, int]]:
        """Return where this number was said, or every number."""
        keys = [figure_key(value)] if value is not None else [key for key in self._at if key[0] == "#"]
        return self._joined(sorted(at for key in keys for at in self._at.get(key, ())))

    def category_places(self, category: str) -> list[tuple[int, int]]:
        """Return where the words of a category were said, apart from those that were denied."""
        text, offsets = "", {}
        for index, unit in enumerate(self.units):
            offsets[len(text)] = index
            text += unit.word + " "
        positions = []
        for _, pattern in CATEGORY_KEYWORDS.get(category, ()):
            for match in pattern.finditer(text):
                at = offsets.get(match.start())
                if at is not None and not self._is_denied(at):
                    positions.append(at)
        return self._joined(sorted(set(positions)))

    def _runs(self, keys: Sequence[str]) -> list[int]:
        return [
            at
            for at in self._at.get(keys[0], ())
            if [unit.key for unit in self.units[at : at + len(keys)]] == list(keys)
        ]

    def _is_denied(self, at: int) -> bool:
        """Return True for the word after a negation: "nobody is abusing me", "not for medical bills"."""
        clause = self.units[at].clause
        before = at - 1
        while before >= 0 and self.units[before].clause == clause:
            key = self.units[before].key
            if key in ("not", "never", "nobody", "noone", "none", "nadie", "nunca"):
                return before == 0 or self.units[before - 1].key not in _ABLE
            if key not in _BEFORE_DENIED and key not in ("is", "are", "was", "were", "am"):
                return False
            before -= 1
        return False

    def _joined(self, places: Sequence[int]) -> list[tuple[int, int]]:
        """Return the places as spans of the text, joined where only a few words lie between."""
        spans: list[tuple[int, int]] = []
        last = None
        for at in places:
            unit = self.units[at]
            if last is not None and at - last <= 6:
                spans[-1] = spans[-1][0], unit.end
            else:
                spans.append((unit.start, unit.end))
            last = at
        return spans
