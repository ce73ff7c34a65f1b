"""Search of the day's list for labels and words, of which `ticket_search` has keyed hashes.

A frequent text is looked for in one ticket after the other in the order of the list, which soon fills a page. The
tickets with a rare text are looked up in the index of hashes. The statements and their number do not depend on the
planner's estimates, which know nothing of parts that occur together.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

# The number of tickets that are looked at first. If this many have the texts, a page is expected to be full soon.
WALKED_FIRST, PROMISING = 100, 2
# A text that more tickets have is not looked up.
MOST_LOOKED_UP = 2_000

WORDS, LABELS = "words", "labels"
# For each secret that may have made them, the hashes of a text.
Choices = Sequence[Sequence[int]]

_CONTACTS = "SELECT owner_id AS ticket_id FROM contact_hashes WHERE hash = ANY(%(contacts)s) AND is_current"


@dataclass(frozen=True)
class Lookup:
    """A query of all tickets that have a text, and the condition that a ticket has the other texts."""

    query: str
    condition: str


@dataclass(frozen=True)
class Texts:
    """The texts that a ticket must have: all labels, and the words or one of the contacts; None limits nothing.

    All labels of a ticket are hashed at once, and thus with one secret. Contacts are given by their hashes.
    """

    labels: Sequence[Choices] = ()
    words: Choices | None = None
    contacts: Sequence[str] = field(default=(), repr=False)

    def __bool__(self) -> bool:
        return bool(self.labels) or self.words is not None

    def condition(self) -> str:
        """Return the condition that a row of `desk_tickets` has the texts."""
        return " AND ".join([*self._words_condition(), *self._labels_condition()])

    def lookups(self) -> Iterator[Lookup]:
        if self.labels:
            yield Lookup(_with(LABELS, self.labels[0]), " AND ".join(self._words_condition()) or "true")
        if self.words is not None:
            queries = [_with(WORDS, self.words)] if self.words else []
            queries += [_CONTACTS] if self.contacts or not queries else []
            yield Lookup(" UNION ALL ".join(queries), " AND ".join(self._labels_condition()) or "true")

    def parameters(self) -> dict[str, Any]:
        parts = {WORDS: self.words or [], LABELS: self._together()}
        hashes = {f"{part}{index}": list(each) for part, choices in parts.items() for index, each in enumerate(choices)}
        return {**hashes, "contacts": list(self.contacts)}

    def _together(self) -> Choices:
        return [sorted({hash for hashes in labels for hash in hashes}) for labels in zip(*self.labels, strict=True)]

    def _words_condition(self) -> list[str]:
        if self.words is None:
            return []
        conditions = [f"ticket_id IN ({_CONTACTS})"] if self.contacts or not self.words else []
        conditions += [_has(WORDS, self.words)] if self.words else []
        return [f"({' OR '.join(conditions)})"]

    def _labels_condition(self) -> list[str]:
        return [_has(LABELS, self.labels[0])] if self.labels else []


def _with(part: str, choices: Choices) -> str:
    return f"SELECT ticket_id FROM ticket_search WHERE part = '{part}' AND ({_having(part, choices)})"  # noqa: S608


def _has(part: str, choices: Choices) -> str:
    # The hashes are not in the subquery's condition, so that its row is found by the ticket's id.
    row = f"FROM ticket_search s WHERE s.ticket_id = desk_tickets.ticket_id AND part = '{part}'"
    return f"(SELECT {_having(part, choices)} {row})"


def _having(part: str, choices: Choices) -> str:
    return " OR ".join(f"hashes @> %({part}{index})s::bigint[]" for index in range(len(choices)))
