"""Reviews the texts of a draft that become public."""

import re
from collections.abc import Iterator, Sequence

from adapters.drafting.language import language_of
from adapters.drafting.names import speaker_in
from adapters.drafting.utterance import Utterance, fold
from adapters.drafting.vocabulary import TABLES
from adapters.safety import rules
from adapters.safety.rules import WORD_LISTS, Span, Text
from domain.safety import Finding, SafetyReview
from domain.values import Draft, FindingKind

# Where findings overlap, the first of these is reported.
_ORDER = (
    FindingKind.EMAIL, FindingKind.PHONE, FindingKind.ADDRESS, FindingKind.MINOR, FindingKind.NAME,
    FindingKind.VIOLENCE, FindingKind.HIDING_PLACE,
)  # fmt: skip
_SENTENCES = (FindingKind.VIOLENCE, FindingKind.HIDING_PLACE)
# What is left of a title such as "Help Maria Garcia with car repairs" without the name.
_PURPOSE_LEFT = re.compile(r"(?:Help(?: with| get| pay for)|(?P<ayuda>Ayuda(?: para)? ?:)) (?P<purpose>\w.*)")
_NAMING_FIELDS = ("title", "story", "beneficiary", "breakdown")


class LocalSafetyReviewer:
    """Implements ports.SafetyReviewer for English and Spanish. The same draft gives the same review."""

    def review(self, draft: Draft, display_name: str | None) -> SafetyReview:
        return _Review(draft, display_name).result()

    def load(self) -> None:
        """Import the libraries, so that the first review does not wait for them."""
        rules.load()


class _Review:
    """One review: the texts of the draft, and the names in them."""

    def __init__(self, draft: Draft, display_name: str | None) -> None:
        self.draft = draft
        fields = {name: getattr(draft, name) for name in ("title", "story", "beneficiary", "location")}
        self.texts: list[tuple[str, int | None, Text]] = [
            (name, None, Text(text)) for name, text in fields.items() if text
        ]
        self.texts += [("breakdown", line, Text(text)) for line, text in enumerate(draft.breakdown)]
        own_names = {display_name, speaker_in(Utterance.of(draft.story or "", None))} - {None}
        # Who wrote down whom the page is for has decided to name them; a drafter decides nothing.
        if not own_names or any(source.field == "beneficiary" and source.author for source in draft.sources):
            own_names.add(draft.beneficiary)
        self.own_names = [frozenset(_words(name)) for name in own_names if name]
        words = [token for _, _, text in self.texts for token in text.tokens]
        self.usual_words = frozenset(token.folded for token in words if token.text[0].islower())
        self.usual_words |= frozenset(_words(draft.location or ""))
        self.names = self._names()

    def result(self) -> SafetyReview:
        findings = tuple(self._findings())
        in_title = any(finding.field == "title" for finding in findings)
        names_somebody = in_title or any(field == "title" for field, *_ in self.names)
        return SafetyReview(findings, self._neutral_title(findings) if names_somebody else None)

    def _names(self) -> list[tuple[str, int | None, int, int, tuple[str, ...]]]:
        return [
            (field, line, start, end, words)
            for field, line, text in self.texts
            if field in _NAMING_FIELDS
            for start, end, words in rules.names_in(text, self.usual_words)
        ]

    def _findings(self) -> Iterator[Finding]:
        minors = self._minors()
        for field, line, text in self.texts:
            spans = [*rules.contacts_in(text), *rules.sentences_in(text), *rules.minor_speaking_in(text)]
            for name_field, name_line, start, end, words in self.names:
                if (name_field, name_line) != (field, line):
                    continue
                if minors & set(words[:1]):
                    spans.append(Span(FindingKind.MINOR, start, end))
                elif len(words) > 1 and not self._is_own(words):
                    spans.append(Span(FindingKind.NAME, start, end))
            for kind, start, end in _apart(spans):
                content = getattr(self.draft, field) if line is None else self.draft.breakdown[line]
                yield Finding(kind, field, start, end, content[start:end], line)

    def _minors(self) -> frozenset[str]:
        """Return the first names of those that some text says to be under 18."""
        texts = {(field, line): text for field, line, text in self.texts}
        minors, adults = set(), set()
        for field, line, start, end, words in self.names:
            text = texts[field, line]
            if rules.is_minor(text, start, end):
                minors.add(words[0])
            if rules.is_adult(text, end):
                adults.add(words[0])
        return frozenset(minors - adults)

    def _is_own(self, words: tuple[str, ...]) -> bool:
        return any(own <= set(words) or set(words) <= own for own in self.own_names)

    def _neutral_title(self, findings: Sequence[Finding]) -> str:
        """Return the title without the names if a purpose is left, or a title of the category."""
        title = self.draft.title or ""
        names = [(start, end) for field, _, start, end, _ in self.names if field == "title"]
        if all((finding.start, finding.end) in names for finding in findings if finding.field == "title"):
            for start, end in reversed(names):
                title = title[:start] + title[end:]
            if purpose := _PURPOSE_LEFT.fullmatch(" ".join(title.split())):
                return f"{'Ayuda:' if purpose['ayuda'] else 'Help with'} {purpose['purpose']}"
        text = " ".join(text.text for _, _, text in self.texts if text.text)
        language = "es" if language_of(text, None) == "es" else "en"
        purpose = TABLES["purposes"][language].get(self.draft.category or "")
        titles = WORD_LISTS["titles"]
        return f"{titles[language]} {purpose}" if purpose else titles[f"{language}_nobody"]


def _words(text: str) -> Iterator[str]:
    return (fold(word).removesuffix("'s").strip(".,") for word in text.split())


def _apart(spans: list[Span]) -> list[Span]:
    """Return the spans in their order; of those that overlap within a sentence only the first in `_ORDER`."""
    chosen: list[Span] = []
    for span in sorted(set(spans), key=lambda span: (_ORDER.index(span.kind), span.start - span.end)):
        overlapping = (other for other in chosen if span.start < other.end and other.start < span.end)
        if span.kind in _SENTENCES or not any(overlapping):
            chosen.append(span)
    return sorted(chosen, key=lambda span: (span.start, span.end, span.kind))
