"""The groups of the self-test for support tickets and the knowledge base."""

from adapters.health.self_test.context import SelfTestContext, expect
from adapters.ids import uuid7
from adapters.knowledge import repository
from domain.support import SupportTicket
from domain.values import SYSTEM, Contact, ContactType, SupportCategory
from projections import support

MESSAGE = "This message was written by the self-test."


def support_ticket(context: SelfTestContext) -> None:
    """A support ticket is opened, read and resolved, and its words are stored sealed."""
    support_id = uuid7()
    opened = SupportTicket.open(
        SYSTEM,
        support_id,
        ticket_id=support_id,
        category=SupportCategory.OTHER,
        message=MESSAGE,
        about=None,
        contact=Contact(ContactType.EMAIL, "self-test@example.com"),
        contact_index=f"self-test {support_id.hex}",
    )
    context.support.add(opened)
    context.support.change(support_id, lambda ticket: ticket.resolve(SYSTEM))
    expect(context.support.get(support_id).resolved, "a support ticket, resolved")
    stored = context.log.stream(support_id)
    expect(all(MESSAGE.encode() not in entry.state for entry in stored), "the words stored sealed")
    context.project(support_id)
    row = context.database.read(support.support_ticket, support_id)
    expect(row is not None and row["status"] == "RESOLVED", "the support ticket in the list")


def knowledge_base(context: SelfTestContext) -> None:
    """A text is stored, found by a word in it, and deleted with all of its chunks."""
    source, word = uuid7(), f"word{uuid7().hex}"
    with context.database.transaction() as cursor:
        chunks = repository.add(
            cursor, source, repository.SourceType.NOTE, "Self-test", f"{MESSAGE}\n\nIt speaks of {word}."
        )
        matches = repository.search(cursor, word, 10)
        expect((chunks, [match.source.id for match in matches]) == (1, [source]), "the text with the word")
        expect(repository.remove(cursor, source), "a text that can be deleted")
        expect(repository.search(cursor, word, 10) == [], "nothing of a deleted text")
