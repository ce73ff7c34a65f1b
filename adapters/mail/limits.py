"""Limits of mails that visitors cause to addresses that nobody has verified: they may be those of other people.

An address is verified once a login code that was sent to it opened a session.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from psycopg import Connection
from psycopg.rows import TupleRow

from adapters.contacts import ContactIndex
from adapters.encryption.keyed_hashes import KeyedHashes
from adapters.postgres.database import Database
from domain.values import Contact, ContactType

# In a day: of one asker to one address, of all askers to one address, and of one asker to all addresses.
MAX_OF_ASKER_TO_ADDRESS = 6
MAX_TO_ADDRESS = 10
MAX_OF_ASKER = 100
# After this pause an address gets a mail also above its own limit, so that strangers cannot keep mails from its owner.
PAUSE_HOURS = 4

_COUNTS = """
SELECT EXISTS (SELECT FROM contact_hashes WHERE hash = ANY(%(hashes)s) AND verified_at IS NOT NULL),
       count(*) FILTER (WHERE address_hash = ANY(%(hashes)s) AND asker = %(asker)s),
       count(*) FILTER (WHERE address_hash = ANY(%(hashes)s)),
       count(*) FILTER (WHERE asker = %(asker)s),
       coalesce(max(created_at) FILTER (WHERE address_hash = ANY(%(hashes)s)), '-infinity')
           < now() - make_interval(hours => %(pause)s)
  FROM unverified_mails
 WHERE (address_hash = ANY(%(hashes)s) OR asker = %(asker)s) AND created_at > now() - interval '1 day'
"""

_asker: ContextVar[str | None] = ContextVar("asker", default=None)


@contextmanager
def requested_from(address: str | None) -> Iterator[None]:
    """Count mails that the block causes against this network address; None is for API keys, which nobody shares."""
    token = _asker.set(address)
    try:
        yield
    finally:
        _asker.reset(token)


class UnverifiedMailLimits:
    """Counts the mails to unverified addresses, and refuses those above the limits."""

    def __init__(self, database: Database, contact_index: ContactIndex, peppers: tuple[str, ...]) -> None:
        self._database = database
        self._contact_index = contact_index
        self._askers = KeyedHashes(peppers, "asker")

    def asker(self) -> str | None:
        """Return a name of the address that the present request comes from, which does not reveal it."""
        address = _asker.get()
        return None if address is None else self._askers.of(address)

    def allow(self, connection: Connection[TupleRow], address: str, asker: str | None) -> bool:
        """Count a mail to this address in the connection's transaction; return False if it must not be sent."""
        hashes = self._contact_index.all_of(Contact(ContactType.EMAIL, address))
        values = {"hashes": hashes, "asker": asker, "pause": PAUSE_HOURS}
        [row] = connection.execute(_COUNTS, values).fetchall()
        is_verified, of_asker_to_address, to_address, of_asker, after_pause = row
        if is_verified:
            return True
        if of_asker_to_address >= MAX_OF_ASKER_TO_ADDRESS or of_asker >= MAX_OF_ASKER:
            return False
        if to_address >= MAX_TO_ADDRESS and not after_pause:
            return False
        connection.execute("INSERT INTO unverified_mails (address_hash, asker) VALUES (%s, %s)", (hashes[0], asker))
        return True

    def purge(self) -> None:
        """Delete what was counted more than a day ago."""
        self._database.execute("DELETE FROM unverified_mails WHERE created_at < now() - interval '1 day'", ())
