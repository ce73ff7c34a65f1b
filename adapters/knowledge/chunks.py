"""Chunks of a text that can be found and read on their own: whole paragraphs if they fit, else whole sentences."""

import re
from collections.abc import Iterator

# In characters. A chunk begins with the last sentences of the chunk before it, so that a search also finds text across
# the border of two chunks.
LONGEST = 1_200
OVERLAP = 200

_PARAGRAPH = re.compile(r"\n[^\S\n]*\n\s*")
_SENTENCE = re.compile(r"(?<=[.!?…。！？])[\"'”’)\]]*\s+|\n\s*")

# The start and end of a piece in the text.
Span = tuple[int, int]


def chunks(text: str) -> list[str]:
    """Return the text's chunks in order."""
    return [text[start:end] for start, end in spans(text)]


def spans(text: str) -> list[Span]:
    """Return the spans of the chunks, none longer than LONGEST; together they cover all but white space."""
    pieces: list[Span] = []
    ends: set[int] = set()
    for start, end in _split(text, 0, len(text), _PARAGRAPH):
        for sentence in _split(text, start, end, _SENTENCE):
            pieces += _cut(text, *sentence)
        ends.add(len(pieces) - 1)
    return [(pieces[first][0], pieces[last][1]) for first, last in _packed(pieces, ends)]


def _packed(pieces: list[Span], ends: set[int]) -> Iterator[Span]:
    """Yield the first and last piece of each chunk; `ends` are the pieces that end a paragraph."""
    first, reached = 0, -1
    while reached < len(pieces) - 1:
        last = _last(pieces, first, LONGEST)
        if last <= reached:
            # Nothing new fits beside the overlap.
            first = reached + 1
            last = _last(pieces, first, LONGEST)
        if last < len(pieces) - 1:
            last = _at_a_paragraph(pieces, ends, first, last, reached)
        yield first, last
        first, reached = _overlapping(pieces, first, last), last


def _last(pieces: list[Span], first: int, most: int) -> int:
    """Return the last piece that fits into `most` characters with the first one, or the first piece itself."""
    last = first
    while last + 1 < len(pieces) and pieces[last + 1][1] - pieces[first][0] <= most:
        last += 1
    return last


def _at_a_paragraph(pieces: list[Span], ends: set[int], first: int, last: int, reached: int) -> int:
    """Return the last piece up to `last` that ends a paragraph and leaves at least half a chunk, else `last`."""
    for end in range(last, max(first, reached + 1) - 1, -1):
        if pieces[end][1] - pieces[first][0] < LONGEST // 2:
            break
        if end in ends:
            return end
    return last


def _overlapping(pieces: list[Span], first: int, last: int) -> int:
    """Return the first piece of the next chunk, which repeats as many whole pieces as fit into OVERLAP."""
    start = last + 1
    while start - 1 > first and pieces[last][1] - pieces[start - 1][0] <= OVERLAP:
        start -= 1
    return start


def _split(text: str, start: int, end: int, border: re.Pattern[str]) -> Iterator[Span]:
    """Yield the spans between the borders, without surrounding white space."""
    for match in border.finditer(text, start, end):
        yield from _trimmed(text, start, match.start() + len(match.group().rstrip()))
        start = match.end()
    yield from _trimmed(text, start, end)


def _trimmed(text: str, start: int, end: int) -> Iterator[Span]:
    inside = text[start:end]
    if kept := inside.strip():
        start += len(inside) - len(inside.lstrip())
        yield start, start + len(kept)


def _cut(text: str, start: int, end: int) -> Iterator[Span]:
    """Yield the parts of a piece that is too long for a chunk with its overlap, cut between words if possible."""
    most = LONGEST - OVERLAP
    while end - start > most:
        space = max(text.rfind(space, start + most // 2, start + most) for space in " \t")
        yield from _trimmed(text, start, cut := start + most if space < 0 else space)
        start = cut
    yield from _trimmed(text, start, end)
