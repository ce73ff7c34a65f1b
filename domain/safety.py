"""Findings: texts of a draft that may endanger somebody once they are public. A person decides on each."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from domain.errors import RefusedError
from domain.values import Draft, FindingDecision, FindingKind

# Stands for words that were taken out of a sentence, in every language.
OMISSION = "[…]"
# These findings are whole sentences.
_SENTENCES = frozenset({FindingKind.VIOLENCE, FindingKind.HIDING_PLACE})
_LOOSE_ENDS = " \t,;:-–—"


@dataclass(frozen=True)
class Finding:
    """A text from `start` to `end` of a field; in the breakdown, of the line with the index `line`."""

    kind: FindingKind
    field: str
    start: int
    end: int
    text: str
    line: int | None = None

    @property
    def id(self) -> str:
        """The same for the same text, wherever it stands in the draft; personal, as the text is."""
        words = " ".join(re.findall(r"\w+", self.text.lower()))
        return sha256(f"{self.kind}\n{words}".encode()).hexdigest()[:32]


@dataclass(frozen=True)
class SafetyReview:
    """The findings of a draft in their order, and a title that names nobody where the present one does."""

    findings: tuple[Finding, ...] = ()
    suggested_title: str | None = None

    def undecided(self, decisions: Mapping[str, FindingDecision]) -> tuple[Finding, ...]:
        """Return the findings that nobody decided to keep; what was removed before and is back is among them."""
        return tuple(finding for finding in self.findings if decisions.get(finding.id) is not FindingDecision.KEEP)

    def public_draft(self, draft: Draft, decisions: Mapping[str, FindingDecision]) -> Draft:
        """Return the reviewed draft as strangers see it: without the findings that nobody decided to keep."""
        return replace(draft, **without(draft, self.undecided(decisions), self.suggested_title))


class UndecidedFindings(RefusedError):
    """A person has not decided yet whether these findings may be published."""

    def __init__(
        self,
        findings: Sequence[Finding],
        decisions: Mapping[str, FindingDecision],
        message: str = "Parts of the draft may endanger somebody. Decide on each of them before publishing.",
    ) -> None:
        super().__init__(message)
        self.findings = tuple(findings)
        self.decisions = decisions


def without(draft: Draft, findings: Iterable[Finding], title: str | None = None) -> dict[str, Any]:
    """Return the changes that take the findings out of the draft; one in the title puts `title` in its place."""
    by_field: dict[str, list[Finding]] = {}
    for finding in findings:
        by_field.setdefault(finding.field, []).append(finding)
    changes: dict[str, Any] = {}
    for field, of_field in by_field.items():
        if field == "title":
            changes[field] = title
        elif field == "story":
            changes[field] = _cut(draft.story or "", of_field, OMISSION)
        elif field == "breakdown":
            lines = [
                _cut(line, [finding for finding in of_field if finding.line == index], OMISSION)
                for index, line in enumerate(draft.breakdown)
            ]
            changes[field] = tuple(line for line in lines if line is not None)
        else:
            changes[field] = _cut(getattr(draft, field) or "", of_field, "")
    return changes


def _cut(text: str, findings: Sequence[Finding], omission: str) -> str | None:
    """Return the text without the findings, or None if nothing is left of it."""
    for finding in sorted(findings, key=lambda finding: finding.start, reverse=True):
        before, after = text[: finding.start], text[finding.end :]
        if finding.kind in _SENTENCES:
            text = before.rstrip(" ") + (" " if before.strip() and after.strip() else "") + after.lstrip(" ")
        else:
            text = before + omission + after
    text = re.sub(r"\n\s*\n(?:\s*\n)+", "\n\n", text)
    text = text.strip() if omission else re.sub(r" {2,}", " ", text).strip(_LOOSE_ENDS)
    return text if text.replace(omission or "\0", "").strip(_LOOSE_ENDS + ".") else None
