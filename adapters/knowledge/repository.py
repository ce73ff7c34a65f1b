"""The knowledge base in PostgreSQL: sources cut into chunks, found by full-text search.

Every function works in its caller's transaction.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import psycopg
from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.knowledge import secrets
from adapters.knowledge.chunks import chunks
from domain.errors import FaultCode, InvalidError

# Surrounds each matching word in a snippet.
MARK = "**"

# The rank, source and number of the last match on a result page.
MatchKey = tuple[float, UUID, int]


class SourceType(StrEnum):
    """The origin of a text; a URL is stored and never fetched."""

    DOC = "DOC"
    URL = "URL"
    NOTE = "NOTE"
    IMPORT = "IMPORT"


@dataclass(frozen=True)
class Source:
    id: UUID
    type: SourceType
    title: str
    created_at: datetime


@dataclass(frozen=True)
class Match:
    """A chunk that matches a search; `rank` orders the matches of one search, `number` counts from 1."""

    source: Source
    number: int
    text: str
    snippet: str
    rank: float


def faults(title: str, content: str) -> list[InvalidError]:
    """Return an error for each of title and content that holds a secret; it names the line and never the secret."""
    return [
        InvalidError("; ".join(map(str, findings)), pointer, FaultCode.SECRET_FOUND)
        for pointer, text in (("/title", title), ("/content", content))
        if (findings := secrets.findings(text))
    ]


def add(cursor: Cursor[TupleRow], id: UUID, type: SourceType, title: str, content: str) -> int:
    """Store a checked text and return its number of chunks; adding the same id again changes nothing."""
    parts = chunks(content)
    cursor.execute(
        "INSERT INTO knowledge_sources (id, type, title) VALUES (%s, %s, %s) ON CONFLICT (id) DO NOTHING",
        (id, type.value, title),
    )
    if cursor.rowcount:
        # The title counts for every chunk, but less than the chunk's own text.
        cursor.execute(
            "INSERT INTO knowledge_chunks (source_id, number, content, english, simple)"
            " SELECT %(id)s, number, content,"
            "  setweight(to_tsvector('english', %(title)s), 'C') || setweight(to_tsvector('english', content), 'A'),"
            "  setweight(to_tsvector('simple', %(title)s), 'C') || setweight(to_tsvector('simple', content), 'A')"
            " FROM unnest(%(parts)s::text[]) WITH ORDINALITY AS part (content, number)",
            {"id": id, "title": title, "parts": parts},
        )
    return len(parts)


def remove(cursor: Cursor[TupleRow], id: UUID) -> bool:
    """Delete a source with its chunks; return False if it does not exist."""
    cursor.execute("DELETE FROM knowledge_sources WHERE id = %s", (id,))
    return bool(cursor.rowcount)


def sources(
    cursor: Cursor[TupleRow], limit: int, before: tuple[datetime, UUID] | None = None
) -> list[tuple[Source, int]]:
    """Return sources, newest first, each with its number of chunks; `before` is the last one of the previous page."""
    at, id = before or (None, None)
    cursor.execute(
        "SELECT s.id, s.type, s.title, s.created_at,"
        "  (SELECT count(*) FROM knowledge_chunks c WHERE c.source_id = s.id)"
        " FROM knowledge_sources s"
        " WHERE %(at)s::timestamptz IS NULL OR (s.created_at, s.id) < (%(at)s, %(id)s::uuid)"
        " ORDER BY s.created_at DESC, s.id DESC LIMIT %(limit)s",
        {"at": at, "id": id, "limit": limit},
    )
    return [(_source(row), row[4]) for row in cursor.fetchall()]


# A query matches stems or exact words. One with an exclusion matches stems only, so that `-cats` excludes `cat` too.
_SEARCH = """
WITH query AS (
    SELECT websearch_to_tsquery('english', %(q)s) AS stems, websearch_to_tsquery('simple', %(q)s) AS words
), matches AS (
    SELECT c.source_id, c.number, c.content, stems, words, c.english @@ stems AS by_stem,
           (ts_rank(c.english, stems, 1) + ts_rank(c.simple, words, 1))::float8 AS rank
      FROM knowledge_chunks c, query
     WHERE c.english @@ stems OR (c.simple @@ words AND (numnode(stems) = 0 OR strpos(stems::text, '!') = 0))
), page AS (
    SELECT * FROM matches
     WHERE %(rank)s::float8 IS NULL OR rank < %(rank)s
        OR (rank = %(rank)s AND (source_id, number) > (%(source)s::uuid, %(number)s::integer))
     ORDER BY rank DESC, source_id, number LIMIT %(limit)s
)
SELECT s.id, s.type, s.title, s.created_at, p.number, p.content,
       CASE WHEN p.by_stem THEN ts_headline('english', p.content, p.stems, %(headline)s)
            ELSE ts_headline('simple', p.content, p.words, %(headline)s) END,
       p.rank
  FROM page p JOIN knowledge_sources s ON s.id = p.source_id
 ORDER BY p.rank DESC, p.source_id, p.number
"""
_HEADLINE = f'StartSel="{MARK}", StopSel="{MARK}", MaxWords=40, MinWords=20'


def search(cursor: Cursor[TupleRow], text: str, limit: int, after: MatchKey | None = None) -> list[Match]:
    """Return the matching chunks, best first; the text may hold words, "a phrase", `or` and `-not`.

    Raise InvalidError for a query that PostgreSQL cannot parse.
    """
    rank, source, number = after or (None, None, None)
    parameters: dict[str, Any] = {
        "q": text,
        "rank": rank,
        "source": source,
        "number": number,
        "limit": limit,
        "headline": _HEADLINE,
    }
    try:
        cursor.execute(_SEARCH, parameters)
    except psycopg.errors.InternalError_:
        # `websearch_to_tsquery` accepts any text except dozens of minus signs without a word between them.
        raise InvalidError("has too many minus signs in a row", "/q") from None
    return [Match(_source(row), *row[4:]) for row in cursor.fetchall()]


def _source(row: TupleRow) -> Source:
    return Source(row[0], SourceType(row[1]), row[2], row[3])
