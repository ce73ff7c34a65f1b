"""The read model of documents."""

from __future__ import annotations

from uuid import UUID, uuid4

from adapters.postgres.database import Database
from domain.events import DocumentGenerated, Erased, TicketEvent
from domain.values import DocumentFormat, DocumentType
from projections import documents
from tests.domain.facts import HOLDER, WORDS
from tests.fakes.events import make_event
from tests.projections.conftest import RecordAndFold, opened


def document(ticket: UUID, version: int, number: int) -> TicketEvent:
    return make_event(
        DocumentGenerated,
        ticket,
        version,
        actor=HOLDER,
        document_id=UUID(int=number),
        type=DocumentType.OTHER,
        format=DocumentFormat.PDF,
        content=WORDS,
    )


def listed(database: Database, ticket: UUID) -> list[int]:
    with database.transaction() as cursor:
        return [row["document_id"].int for row in documents.documents(cursor, ticket)]


def test_documents_are_listed_newest_first(database: Database, record_and_fold: RecordAndFold):
    ada, grace = uuid4(), uuid4()
    record_and_fold(
        opened(ada, "a"), opened(grace, "g"), document(ada, 2, 1), document(grace, 2, 9), document(ada, 3, 2)
    )
    assert listed(database, ada) == [2, 1]
    with database.transaction() as cursor:
        row = documents.document(cursor, ada, UUID(int=1))
        assert row is not None
        assert (row["sha256"], row["size_bytes"], row["format"]) == (WORDS.sha256, WORDS.size_bytes, "pdf")
        assert documents.document(cursor, grace, UUID(int=1)) is None


def test_all_documents_of_an_erased_ticket_are_removed(database: Database, record_and_fold: RecordAndFold):
    ada, grace = uuid4(), uuid4()
    record_and_fold(opened(ada, "a"), opened(grace, "g"), document(ada, 2, 1), document(grace, 2, 9))
    record_and_fold(document(ada, 3, 2), make_event(Erased, ada, 4, actor=HOLDER))
    assert (listed(database, ada), listed(database, grace)) == ([], [9])
