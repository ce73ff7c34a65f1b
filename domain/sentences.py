"""The sentences of a story."""

import re

_SENTENCE_END = re.compile(r"(?<![.!?…])[.!?…]++[\"'”’»)\]]*+(?=\s)|[。！？]++[\"'”’」』]*+")
_ABBREVIATION = re.compile(r"(?<!\w)(?:dr|mrs?|ms|st|jr|sra?|srta|prof|rev|sgt|lt|mt|ft|vs|[a-hj-z])\.\Z", re.I)


def sentences(text: str) -> tuple[str, ...]:
    """Return the sentences of a story. Stored sources count them, so their bounds never change."""
    found: list[str] = []
    for line in text.splitlines():
        start = 0
        for end in (*(match.end() for match in _SENTENCE_END.finditer(line)), len(line)):
            if end < len(line) and _ABBREVIATION.search(line[max(start, end - 6) : end]):
                continue
            if sentence := line[start:end].strip():
                found.append(sentence)
            start = end
    return tuple(found)
