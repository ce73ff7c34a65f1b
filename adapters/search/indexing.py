"""Makes tickets found that were opened before search existed, and renews hashes that were made with older peppers."""

from collections.abc import Callable, Iterator
from uuid import UUID

from adapters.encryption.keyring import DecryptionError
from adapters.postgres.database import Database
from adapters.search import ticket_search
from adapters.search.ticket_search import TicketSearch
from domain.commands.desk import Desks
from domain.errors import NotFoundError
from domain.ports import Tickets

BATCH = 500
# A run of the chores indexes no more tickets than this, about a minute of work.
MOST_IN_A_CHORE = 5_000

_OLD = """
SELECT ticket_id FROM (
    SELECT ticket_id FROM read.desk_tickets t
     WHERE NOT EXISTS (SELECT FROM ticket_search s WHERE s.ticket_id = t.ticket_id AND part = 'words')
    UNION
    SELECT ticket_id FROM ticket_search WHERE pepper <> %(current)s
) old
 WHERE %(after)s::uuid IS NULL OR ticket_id > %(after)s
 ORDER BY ticket_id LIMIT %(limit)s
"""


class SearchIndexing:
    """May be interrupted and repeated at any time; a ticket that changes meanwhile keeps its newer hashes."""

    def __init__(self, database: Database, tickets: Tickets, desks: Desks, search: TicketSearch) -> None:
        self._database = database
        self._tickets = tickets
        self._desks = desks
        self._search = search

    def run(self) -> None:
        """Index some tickets that need it; called by a chore of the worker."""
        self.index(MOST_IN_A_CHORE)

    def index(self, limit: int, progress: Callable[[int], None] = lambda _: None) -> int:
        """Index up to so many tickets, and return how many; those that cannot be read are left out."""
        done = 0
        for ticket_id in self._old():
            if done == limit:
                break
            try:
                self._index(ticket_id)
            except (NotFoundError, DecryptionError):
                continue
            done += 1
            progress(done)
        return done

    def left(self) -> int:
        """Return the number of tickets that are not found with the newest pepper."""
        return sum(1 for _ in self._old())

    def _old(self) -> Iterator[UUID]:
        after: UUID | None = None
        while True:
            params = {"current": self._search.hashes.current, "after": after, "limit": BATCH}
            rows = self._database.rows(_OLD.encode(), params)
            yield from (ticket_id for (ticket_id,) in rows)
            if len(rows) < BATCH:
                return
            after = rows[-1][0]

    def _index(self, ticket_id: UUID) -> None:
        ticket, desk = self._tickets.get(ticket_id), self._desks.get(ticket_id)
        with self._database.transaction() as cursor:
            if ticket.erased:
                ticket_search.delete(cursor, ticket_id)
                return
            self._search.keep_ticket(cursor, ticket)
            if desk is not None and desk.labels:
                self._search.keep_desk(cursor, desk)
