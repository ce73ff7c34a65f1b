"""The sentences of a story."""

import re

_SENTENCE_END = re.compile(r"(?<![.!?…])[.!?…]++[\"'”’»)\]]*+(?=\s)|[。！？]++[\"'”’」』]*+")
_ABBREVIATION = re.compile(r"(?<!\w)(?:dr|mrs?|ms|st|jr|sra?|srta|prof|rev|sgt|lt|mt|ft|vs|[a-hj-z])\.\Z", re.I)
_SEVERAL_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n){2,}")


def sentences(text: str) -> tuple[str, ...]:
    """Return the sentences of a story. Stored sources count them, so their bounds never change."""
    sentences: list[str] = []
    for line in text.splitlines():
        start = 0
        for end in (*(match.end() for match in _SENTENCE_END.finditer(line)), len(line)):
            if end < len(line) and _ABBREVIATION.search(line[max(start, end - 6) : end]):
                continue
            if sentence := line[start:end].strip():
                sentences.append(sentence)
            start = end
    return tuple(sentences)


def without_sentence(text: str, number: int) -> str:
    """Return the text without its sentence of this number, which counts from 1; the other lines stay as they are."""
    lines: list[str] = []
    count = 0
    for line in text.splitlines():
        own = sentences(line)
        kept = [sentence for place, sentence in enumerate(own, count + 1) if place != number]
        count += len(own)
        if len(kept) == len(own):
            lines.append(line)
        elif kept:
            lines.append(" ".join(kept))
    return _SEVERAL_BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()
