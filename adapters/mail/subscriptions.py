"""Who wants no more mails of us than they must get.

What can be left are the kinds in LEAVABLE. All others are transactional: codes and tokens that somebody asked for,
receipts and refunds of their own money, and warnings about what is theirs. Those are sent to everybody.
"""

from __future__ import annotations

import hmac
import re

from psycopg import Connection
from psycopg.rows import TupleRow

from adapters.encryption.keyed_hashes import KeyedHashes
from adapters.identity import contacts
from adapters.postgres.database import Database
from domain.errors import NotFoundError
from domain.values import ContactType

LEAVABLE = frozenset({"published"})
# 128 bits, in hex: nobody guesses these.
SIGNATURE_DIGITS = 32

_TOKEN = re.compile(r"([0-9a-f]{8})-([0-9a-f]{64})-([0-9a-f]{32})")


class Subscriptions:
    """Makes the links that are in mails, and takes them back; a link names no address."""

    def __init__(self, database: Database, peppers: tuple[str, ...], public_url: str) -> None:
        self._database = database
        self._addresses = KeyedHashes(peppers, "unsubscribe")
        self._signatures = KeyedHashes(peppers, "unsubscribe token")
        self._public_url = public_url

    def link(self, address: str) -> str:
        """Where whoever reads mail at this address says that they want no more of it."""
        hashed = self._addresses.of(_normal(address))
        signature = self._signatures.of(hashed).partition(":")[2][:SIGNATURE_DIGITS]
        return f"{self._public_url}/unsubscribe/{hashed.replace(':', '-')}-{signature}"

    def check(self, token: str) -> str:
        """The hash of the address that the token was made for; NotFoundError if it is none of ours."""
        found = _TOKEN.fullmatch(token)
        if found is not None:
            hashed = f"{found[1]}:{found[2]}"
            made = [one.rpartition(":")[2][:SIGNATURE_DIGITS] for one in self._signatures.all_of(hashed)]
            if any(hmac.compare_digest(one, found[3]) for one in made):
                return hashed
        raise NotFoundError("There is no such link.")

    def leave(self, token: str) -> None:
        """Note it; noting it again changes nothing. NotFoundError if the token is none of ours."""
        hashed = self.check(token)
        with self._database.connection() as connection:
            connection.execute(
                "INSERT INTO unsubscribed (address_hash) VALUES (%s) ON CONFLICT (address_hash) DO NOTHING", (hashed,)
            )

    def has_left(self, connection: Connection[TupleRow], address: str) -> bool:
        row = connection.execute(
            "SELECT EXISTS (SELECT FROM unsubscribed WHERE address_hash = ANY(%s))",
            (self._addresses.all_of(_normal(address)),),
        ).fetchone()
        return row == (True,)


def _normal(address: str) -> str:
    return contacts.normalize_contact(ContactType.EMAIL, address).value.lower()
