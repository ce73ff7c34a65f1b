"""The groups of the self-test that are about help: asked for, and given from what is known."""

from __future__ import annotations

from adapters.ids import uuid7
from adapters.knowledge import repository
from adapters.observability.self_test.context import SelfTestContext, expect
from domain.support import SupportTicket
from domain.values import SYSTEM, Contact, ContactType, SupportCategory
from projections import support

MESSAGE = "This message was written by the self-test."


def support_ticket(stage: SelfTestContext) -> None:
    """Somebody asks for help, is read and seen to; their words are sealed where they are stored."""
    support_id = uuid7()
    asked = SupportTicket.open(
        SYSTEM,
        support_id,
        ticket_id=support_id,
        category=SupportCategory.OTHER,
        message=MESSAGE,
        about=None,
        contact=Contact(ContactType.EMAIL, "self-test@example.com"),
        contact_index=f"self-test {support_id.hex}",
    )
    stage.support.add(asked)
    stage.support.change(support_id, lambda ticket: ticket.resolve(SYSTEM))
    expect(stage.support.get(support_id).resolved, "a support ticket, resolved")
    stored = stage.log.stream(support_id)
    expect(all(MESSAGE.encode() not in entry.state for entry in stored), "words that are sealed where they are stored")
    stage.show(support_id)
    with stage.database.reading() as cursor:
        row = support.support_ticket(cursor, support_id)
    expect(row is not None and row["status"] == "RESOLVED", "the support ticket among all others")


def knowledge_base(stage: SelfTestContext) -> None:
    """A text is kept, found by the stem of a word in it, and taken away with all of its chunks."""
    source, word = uuid7(), f"word{uuid7().hex}"
    with stage.database.transaction() as cursor:
        chunks = repository.add(
            cursor, source, repository.SourceType.NOTE, "Self-test", f"{MESSAGE}\n\nIt speaks of {word}."
        )
        found = repository.search(cursor, word, 10)
        expect((chunks, [one.source.id for one in found]) == (1, [source]), "the text that a word is in")
        expect(repository.remove(cursor, source), "a text that can be taken away")
        expect(repository.search(cursor, word, 10) == [], "nothing of a text that was taken away")
