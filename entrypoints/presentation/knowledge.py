"""The knowledge base as responses."""

from __future__ import annotations

from typing import Self
from uuid import UUID

from adapters.knowledge import repository
from adapters.knowledge.repository import SourceType
from entrypoints.presentation.responses import ResponseBody, Time, utc


class AddedSource(ResponseBody):
    """A new text of the knowledge base, and the number of chunks that it was split into."""

    id: UUID
    chunk_count: int


class Source(ResponseBody):
    """A text of the knowledge base."""

    id: UUID
    type: SourceType
    title: str
    created_at: Time

    @classmethod
    def of(cls, source: repository.Source, **subclass_fields: object) -> Self:
        return cls(source.id, source.type, source.title, utc(source.created_at), **subclass_fields)


class ListedSource(Source):
    """A text of the knowledge base with its number of chunks."""

    chunk_count: int


class SourcePage(ResponseBody):
    """A result page of texts, newest first; `nextCursor` is null on the last one."""

    sources: list[ListedSource]
    next_cursor: str | None


class Chunk(ResponseBody):
    """A part of a text that matches a search; a higher rank is a better match."""

    source: Source
    number: int
    text: str
    snippet: str
    rank: float

    @classmethod
    def of(cls, match: repository.Match) -> Chunk:
        return cls(Source.of(match.source), match.number, match.text, match.snippet, round(match.rank, 6))


class ChunkPage(ResponseBody):
    """A result page of chunks, best match first; `nextCursor` is null on the last one."""

    chunks: list[Chunk]
    next_cursor: str | None
