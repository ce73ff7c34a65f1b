"""Handlers for the knowledge base: add, list, remove and search texts."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from adapters import ids
from adapters.knowledge import repository
from adapters.knowledge.repository import MatchKey, SourceType
from adapters.postgres.database import Database
from domain.errors import NotFoundError
from entrypoints.http.bodies import Body, Line, Text
from entrypoints.http.operations import Answer, Call
from entrypoints.http.paging import parse_id, requested_page
from entrypoints.http.problems import invalid, invalid_fields
from entrypoints.presentation.knowledge import AddedSource, Chunk, ChunkPage, ListedSource, SourcePage
from entrypoints.presentation.problems import InvalidField

MAX_SEARCH_LENGTH = 200
LONGEST_CONTENT = 200_000


class NewSource(Body):
    type: SourceType
    title: Annotated[Line, Field(max_length=200)]
    content: Annotated[
        Text, Field(max_length=LONGEST_CONTENT, description="Plain text or Markdown; addresses in it are not fetched.")
    ]


@dataclass(frozen=True)
class KnowledgeHandlers:
    database: Database

    def add(self, call: Call, body: NewSource) -> AddedSource:
        # A text with a secret is refused.
        if faults := repository.faults(body.title, body.content):
            raise invalid_fields([InvalidField(fault.pointer, fault.code, fault.detail) for fault in faults])
        id = call.seed.id("knowledge source")
        with self.database.transaction() as cursor:
            count = repository.add(cursor, id, body.type, body.title, body.content)
        return AddedSource(id, count)

    def list_sources(self, call: Call) -> Answer[SourcePage]:
        page = requested_page(call)
        after = page.after_time_and_id()
        counted_sources = call.reads.ask(lambda cursor: repository.sources(cursor, page.limit + 1, after))
        on_page = page.cut(counted_sources, lambda counted: (counted[0].created_at.isoformat(), str(counted[0].id)))
        sources = [ListedSource.of(source, chunk_count=count) for source, count in on_page]
        return page.answer(SourcePage(sources, page.next_cursor))

    def remove(self, call: Call) -> None:
        id = ids.parse(call.path_params["source_id"])
        if id is not None:
            with self.database.transaction() as cursor:
                if repository.remove(cursor, id):
                    return
        raise NotFoundError("There is no such source.")

    def search(self, call: Call) -> Answer[ChunkPage]:
        text = call.query.get("q", "").strip()
        if not 1 <= len(text) <= MAX_SEARCH_LENGTH or not text.isprintable():
            raise invalid("/q", f"must be 1 to {MAX_SEARCH_LENGTH} characters in one line")
        page = requested_page(call)
        after = page.after_key(_parse_key)
        matches = call.reads.ask(lambda cursor: repository.search(cursor, text, page.limit + 1, after))
        on_page = page.cut(matches, lambda match: (match.rank, str(match.source.id), match.number))
        return page.answer(ChunkPage([Chunk.of(match) for match in on_page], page.next_cursor))


def _parse_key(rank: float, source_id: str, number: int) -> MatchKey:
    if type(rank) is not float or type(number) is not int or not 0 < number < 2**31:
        raise ValueError
    return rank, parse_id(source_id), number
