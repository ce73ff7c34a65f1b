"""Unsubscribing from optional mails.

Only the kinds in OPTIONAL_KINDS are optional. All others are transactional and are sent to everybody: codes and tokens
on request, receipts and refunds of the recipient's own money, and warnings about the recipient's own ticket.
"""

import hmac
import re

from psycopg import Connection
from psycopg.rows import TupleRow

from adapters import contacts
from adapters.encryption.keyed_hashes import KeyedHashes
from adapters.postgres.database import Database
from domain.errors import NotFoundError
from domain.values import ContactType

OPTIONAL_KINDS = frozenset({"draft_questions", "draft_ready", "published", "recording_failed", "thanks"})
# 128 bits in hexadecimal digits.
SIGNATURE_DIGITS = 32

_TOKEN = re.compile(r"([0-9a-f]{8})-([0-9a-f]{64})-([0-9a-f]{32})")


class Subscriptions:
    """Makes the unsubscribe links of mails and checks them; a link contains no address."""

    def __init__(self, database: Database, peppers: tuple[str, ...], public_url: str) -> None:
        self._database = database
        self._addresses = KeyedHashes(peppers, "unsubscribe")
        self._signatures = KeyedHashes(peppers, "unsubscribe token")
        self._public_url = public_url

    def link(self, address: str) -> str:
        """Return the unsubscribe link for the address."""
        hashed = self._addresses.of(_normal(address))
        signature = self._signatures.of(hashed).partition(":")[2][:SIGNATURE_DIGITS]
        return f"{self._public_url}/unsubscribe/{hashed.replace(':', '-')}-{signature}"

    def check(self, token: str) -> str:
        """Return the hash of the address that the token was made for; NotFoundError if the token is not ours."""
        match = _TOKEN.fullmatch(token)
        if match is not None:
            hashed = f"{match[1]}:{match[2]}"
            signatures = [text.rpartition(":")[2][:SIGNATURE_DIGITS] for text in self._signatures.all_of(hashed)]
            if any(hmac.compare_digest(signature, match[3]) for signature in signatures):
                return hashed
        raise NotFoundError("There is no such link.")

    def unsubscribe(self, token: str) -> None:
        """Unsubscribe the address; repeating it changes nothing. NotFoundError if the token is not ours."""
        hashed = self.check(token)
        self._database.execute(
            "INSERT INTO unsubscribed (address_hash) VALUES (%s) ON CONFLICT (address_hash) DO NOTHING", (hashed,)
        )

    def is_unsubscribed(self, connection: Connection[TupleRow], address: str) -> bool:
        row = connection.execute(
            "SELECT EXISTS (SELECT FROM unsubscribed WHERE address_hash = ANY(%s))",
            (self._addresses.all_of(_normal(address)),),
        ).fetchone()
        return row == (True,)


def _normal(address: str) -> str:
    return contacts.normalize_contact(ContactType.EMAIL, address).value.lower()
