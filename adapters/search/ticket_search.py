"""The searchable keyed hashes of tickets, kept in the transactions of the events that hold the texts sealed.

Who has the database alone learns which tickets of one workspace have parts of words or labels in common, and how often
each part occurs there, but none of the parts.
"""

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from uuid import UUID

from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.encryption.keyed_hashes import KeyedHashes
from adapters.event_store.history import EventEffects
from adapters.search.words import searched_parts, stored_parts
from domain.desk import Desk, normalized_label
from domain.events import (
    DisplayNameChanged,
    DraftEdited,
    DraftProposed,
    Erased,
    LabelsChanged,
    TicketEvent,
    TicketOpened,
)
from domain.tickets import RecordingTicket

WORDS, LABELS = "words", "labels"
# Enough for a long name and a long title.
MOST_HASHES = 500
HASH_BYTES = 8


class SearchHashes:
    """64 bits of HMAC-SHA-256 for each part of a word and each label of one workspace."""

    def __init__(self, peppers: tuple[str, ...]) -> None:
        self._peppers = KeyedHashes(peppers, "ticket search")

    @property
    def current(self) -> str:
        """Return the name of the pepper that makes new hashes."""
        return self._peppers.current.rstrip(":")

    def of(self, workspace: str, part: str, texts: Iterable[str]) -> list[int]:
        """Return the hashes of the texts, made with the newest pepper."""
        return self._made_by(self._peppers.keys[0], workspace, part, texts)

    def all_of(self, workspace: str, part: str, texts: Iterable[str]) -> list[list[int]]:
        """Return the hashes of the texts once for each pepper with which they may have been made."""
        ticket_ids = list(texts)
        return [self._made_by(key, workspace, part, ticket_ids) for key in self._peppers.keys]

    def words(self, workspace: str, text: str) -> list[list[int]]:
        """Return, for each pepper, the hashes that a ticket has whose name or title has all words of the text."""
        parts = searched_parts(text)
        return self.all_of(workspace, WORDS, parts) if parts else []

    def label(self, workspace: str, label: str) -> list[list[int]]:
        """Return, for each pepper, the hash that a ticket with the label has."""
        return self.all_of(workspace, LABELS, [normalized_label(label).casefold()])

    @staticmethod
    def _made_by(key: bytes, workspace: str, part: str, texts: Iterable[str]) -> list[int]:
        scope = hmac.digest(key, f"{part}:{workspace}".encode(), hashlib.sha256)
        digests = (hmac.digest(scope, text.encode(), hashlib.sha256)[:HASH_BYTES] for text in texts)
        return sorted(int.from_bytes(digest, "big", signed=True) for digest in digests)


class TicketSearch:
    """Writes the hashes of tickets and their labels."""

    def __init__(self, hashes: SearchHashes) -> None:
        self.hashes = hashes
        # A draft is proposed or edited with other fields, too; the same hashes are then written again.
        words = (TicketOpened, DisplayNameChanged, DraftProposed, DraftEdited)
        self.effects: EventEffects = {
            **{kind: [self._keep_words] for kind in words},
            LabelsChanged: [self._keep_labels],
            Erased: [self._delete],
        }

    def keep_ticket(self, cursor: Cursor[TupleRow], ticket: RecordingTicket) -> None:
        """Make the ticket found by its present name and title."""
        texts = [text for text in (ticket.display_name, ticket.draft.title) if text]
        hashes = self.hashes.of(ticket.workspace, WORDS, stored_parts(texts))
        self._keep(cursor, ticket.id, WORDS, ticket.version, hashes)

    def keep_desk(self, cursor: Cursor[TupleRow], desk: Desk) -> None:
        """Make the ticket found by its present labels."""
        labels = [label.casefold() for label in desk.labels]
        hashes = self.hashes.of(desk.workspace, LABELS, labels)
        self._keep(cursor, desk.ticket_id, LABELS, desk.version, hashes)

    def _keep(self, cursor: Cursor[TupleRow], ticket_id: UUID, part: str, version: int, hashes: Sequence[int]) -> None:
        # A later version may have been written since the caller read this one.
        cursor.execute(
            "INSERT INTO ticket_search (ticket_id, part, version, pepper, hashes) VALUES (%s, %s, %s, %s, %s)"
            " ON CONFLICT (ticket_id, part) DO UPDATE"
            " SET version = EXCLUDED.version, pepper = EXCLUDED.pepper, hashes = EXCLUDED.hashes"
            " WHERE ticket_search.version <= EXCLUDED.version",
            (ticket_id, part, version, self.hashes.current, list(hashes[:MOST_HASHES])),
        )

    def _keep_words(self, cursor: Cursor[TupleRow], ticket: RecordingTicket, _: TicketEvent) -> None:
        self.keep_ticket(cursor, ticket)

    def _keep_labels(self, cursor: Cursor[TupleRow], desk: Desk, _: TicketEvent) -> None:
        self.keep_desk(cursor, desk)

    def _delete(self, cursor: Cursor[TupleRow], _: object, event: TicketEvent) -> None:
        delete(cursor, event.ticket)


def delete(cursor: Cursor[TupleRow], ticket_id: UUID) -> None:
    """Delete every hash of a ticket."""
    cursor.execute("DELETE FROM ticket_search WHERE ticket_id = %s", (ticket_id,))
