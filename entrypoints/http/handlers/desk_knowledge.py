"""Handlers for the page of the knowledge base, which the operators of the installation look after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from adapters.knowledge import secrets
from adapters.knowledge.repository import MARK, SourceType
from domain.errors import FaultCode, InvalidError
from entrypoints.http.bodies import typed_fields, validated
from entrypoints.http.desk import DESK, Desk, ask_for, chosen_filters, next_page
from entrypoints.http.handlers.knowledge import LONGEST_CONTENT, MAX_SEARCH_LENGTH, KnowledgeHandlers, NewSource
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import see_other
from entrypoints.http.problems import Problem, problem_of
from entrypoints.presentation.knowledge import ChunkPage, SourcePage
from entrypoints.presentation.problems import InvalidField

KNOWLEDGE = f"{DESK}/knowledge"
FIELDS = ("type", "title", "content")


@dataclass(frozen=True)
class DeskKnowledgeHandlers:
    knowledge: KnowledgeHandlers
    desk: Desk

    def show(
        self,
        call: Call,
        faults: Sequence[InvalidField] = (),
        typed: Mapping[str, str] | None = None,
    ) -> Answer[bytes]:
        """Show the newest texts, or the best passages for the words that are searched."""
        chosen, done = chosen_filters(call, ["q"]), call.query.get("done")
        ask_for(call, chosen)
        sources, passages = SourcePage([], None), ChunkPage([], None)
        try:
            if chosen:
                passages = self.knowledge.search(call).body
            else:
                sources = self.knowledge.list_sources(call).body
        except (Problem, InvalidError) as error:
            faults = [*faults, *problem_of(error).errors]
        secret_fields = {fault.pointer.removeprefix("/") for fault in faults if fault.code == FaultCode.SECRET_FOUND}
        typed = typed or {}
        return self.desk.page(
            call,
            "knowledge.html",
            422 if faults else 200,
            words=chosen.get("q", ""),
            passages=[(passage, _pieces(passage.snippet)) for passage in passages.chunks],
            sources=sources.sources,
            types=tuple(SourceType),
            typed={name: "" if name in secret_fields else typed.get(name, "") for name in FIELDS},
            faults=[fault.pointer.removeprefix("/") for fault in faults],
            secret_lines={name: _secret_lines(typed[name]) for name in secret_fields},
            longest=LONGEST_CONTENT,
            longest_search=MAX_SEARCH_LENGTH,
            done=done,
            next_url=next_page(KNOWLEDGE, passages.next_cursor or sources.next_cursor, chosen),
        )

    def add(self, call: Call) -> Answer[bytes] | Answer[None]:
        """Add the typed text. A field with a secret is not sent back to the browser either."""
        form = typed_fields(call.raw_body)
        typed = {name: form.get(name, "") for name in FIELDS}
        try:
            self.knowledge.add(call, validated(NewSource, typed))
        except Problem as problem:
            return self.show(call, problem.errors, typed)
        return see_other(f"{KNOWLEDGE}?done=added")

    def remove(self, call: Call) -> Answer[None]:
        self.knowledge.remove(call)
        return see_other(f"{KNOWLEDGE}?done=removed")


def _pieces(snippet: str) -> list[tuple[str, str]]:
    """Return the snippet in pieces: plain text, and the matching words that follow it."""
    parts = snippet.split(MARK)
    return list(zip_longest(parts[::2], parts[1::2], fillvalue=""))


def _secret_lines(text: str) -> list[int]:
    return sorted({finding.line for finding in secrets.findings(text)})
