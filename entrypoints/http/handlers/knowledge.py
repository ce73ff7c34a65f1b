"""The knowledge base: an admin adds texts to it, and searches them when somebody asks for help."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from adapters import ids
from adapters.knowledge import repository
from adapters.knowledge.repository import Match, MatchKey, Source, SourceType
from domain.errors import NotFoundError
from entrypoints.http import paging
from entrypoints.http.bodies import Body, Line, Text
from entrypoints.http.operations import Answer, Call
from entrypoints.http.problems import invalid
from entrypoints.presentation import views

LONGEST_SEARCH = 200


class NewSource(Body):
    type: SourceType
    title: Annotated[Line, Field(max_length=200)]
    content: Annotated[Text, Field(max_length=200_000, description="Plain text or Markdown; no address in it is read.")]


def add(call: Call) -> Answer:
    added: NewSource = call.body
    repository.check(added.title, added.content)
    id = call.seed.id("knowledge source")
    with call.service.database.transaction() as cursor:
        count = repository.add(cursor, id, added.type, added.title, added.content)
    return Answer({"id": str(id), "chunkCount": count}, 201)


def list_sources(call: Call) -> Answer:
    page = paging.asked(call)
    after = page.after_time_and_id()
    found = call.reads.ask(lambda cursor: repository.sources(cursor, page.limit + 1, after))
    if len(found) > page.limit:
        last, _ = found[page.limit - 1]
        page.more_after(last.created_at.isoformat(), str(last.id))
    listed = [_source(source) | {"chunkCount": count} for source, count in found[: page.limit]]
    return page.answer({"sources": listed})


def remove(call: Call) -> Answer:
    id = ids.parse(call.path["source_id"])
    if id is not None:
        with call.service.database.transaction() as cursor:
            if repository.remove(cursor, id):
                return Answer(None, 204)
    raise NotFoundError("There is no such source.")


def search(call: Call) -> Answer:
    text = call.query.get("q", "").strip()
    if not 1 <= len(text) <= LONGEST_SEARCH or not text.isprintable():
        raise invalid("/q", f"say what to search for, in 1 to {LONGEST_SEARCH} characters of one line")
    page = paging.asked(call)
    after = _after(page)
    found = call.reads.ask(lambda cursor: repository.search(cursor, text, page.limit + 1, after))
    if len(found) > page.limit:
        last = found[page.limit - 1]
        page.more_after(last.rank, str(last.source.id), last.number)
    return page.answer({"chunks": [_chunk(chunk) for chunk in found[: page.limit]]})


def _after(page: paging.Page) -> MatchKey | None:
    if page.after is None:
        return None
    try:
        rank, source, number = page.after
        if type(rank) is not float or type(number) is not int or not 0 < number < 2**31:
            raise ValueError
        return rank, UUID(source), number
    except (ValueError, TypeError, AttributeError):
        raise invalid("/cursor", "is not a cursor of this list") from None


def _source(source: Source) -> dict[str, Any]:
    return {
        "id": str(source.id),
        "type": source.type,
        "title": source.title,
        "createdAt": views.time(source.created_at),
    }


def _chunk(found: Match) -> dict[str, Any]:
    return {
        "source": _source(found.source),
        "number": found.number,
        "text": found.text,
        "snippet": found.snippet,
        "rank": round(found.rank, 6),
    }
