"""Unsubscribing from optional messages: from all, or from some kinds of news.

Only the kinds in OPTIONAL_KINDS are optional. All others are transactional and are sent to everybody: codes and tokens
on request, receipts and refunds of the recipient's own money, and warnings about the recipient's own ticket.
"""

import hmac
import re
from collections.abc import Collection, Mapping
from enum import StrEnum
from types import MappingProxyType

from psycopg import Connection
from psycopg.rows import TupleRow

from adapters import contacts
from adapters.encryption.keyed_hashes import KeyedHashes
from adapters.postgres.database import Database
from domain.errors import NotFoundError
from domain.values import ContactType


class News(StrEnum):
    """The kinds of news that a person may subscribe to. The values are stored."""

    DRAFT = "draft"
    QUESTIONS = "questions"
    PUBLICATION = "publication"
    FIRST_GIFT = "first_gift"
    WEEKLY_GIFTS = "weekly_gifts"
    GOAL = "goal"
    THANKS = "thanks"
    DISPUTES = "disputes"


OPTIONAL_KINDS: Mapping[str, News] = MappingProxyType(
    {
        "draft_ready": News.DRAFT,
        "recording_failed": News.DRAFT,
        "draft_questions": News.QUESTIONS,
        "published": News.PUBLICATION,
        "approved": News.PUBLICATION,
        "first_gift": News.FIRST_GIFT,
        "weekly_gifts": News.WEEKLY_GIFTS,
        "goal_reached": News.GOAL,
        "thanks": News.THANKS,
        "dispute_due": News.DISPUTES,
    }
)
# Donors get thanks, the staff reminders of disputes, and the holder of a ticket all others.
NEWS_OF_HOLDERS = tuple(news for news in News if news not in (News.THANKS, News.DISPUTES))
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
        """Unsubscribe the address from everything optional; NotFoundError if the token is not ours."""
        self._unsubscribe(self.check(token))

    def opt_out(self, address: str) -> None:
        """Unsubscribe the address, which may be a phone number, from everything optional."""
        self._unsubscribe(self._addresses.of(_normal(address)))

    def _unsubscribe(self, hashed: str) -> None:
        self._database.execute(
            "INSERT INTO unsubscribed (address_hash) VALUES (%s) ON CONFLICT (address_hash) DO NOTHING", (hashed,)
        )

    def is_unsubscribed(self, connection: Connection[TupleRow], address: str) -> bool:
        """Return True if the address is unsubscribed from everything optional."""
        return _is_unsubscribed(connection, self._addresses.all_of(_normal(address)))

    def is_unwanted(self, connection: Connection[TupleRow], address: str, kind: str) -> bool:
        """Return True if the address wants no messages of this optional kind."""
        return OPTIONAL_KINDS[kind] in _unwanted(connection, self._addresses.all_of(_normal(address)))

    def unwanted_by_link(self, token: str) -> Collection[News]:
        """Return the news that the address of the token does not want; NotFoundError if the token is not ours."""
        with self._database.connection() as connection:
            return _unwanted(connection, [self.check(token)])

    def unwanted(self, address: str) -> Collection[News]:
        """Return the news that the address does not want."""
        with self._database.connection() as connection:
            return _unwanted(connection, self._addresses.all_of(_normal(address)))

    def choose_by_link(self, token: str, wanted: Collection[str]) -> None:
        """Send the address of the token these news to holders, and no others; NotFoundError if it is not ours."""
        self._choose([self.check(token)], wanted)

    def choose(self, address: str, wanted: Collection[str]) -> None:
        """Send the address these news to holders, and no others."""
        self._choose(self._addresses.all_of(_normal(address)), wanted)

    def _choose(self, hashes: list[str], wanted: Collection[str]) -> None:
        with self._database.transaction() as cursor:
            for table in ("unsubscribed", "unwanted_news"):
                cursor.execute(f"DELETE FROM {table} WHERE address_hash = ANY(%s)".encode(), (hashes,))  # noqa: S608
            cursor.executemany(
                "INSERT INTO unwanted_news (address_hash, news) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                [(hashes[0], news.value) for news in NEWS_OF_HOLDERS if news.value not in wanted],
            )


def _is_unsubscribed(connection: Connection[TupleRow], hashes: list[str]) -> bool:
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM unsubscribed WHERE address_hash = ANY(%s))", (hashes,)
    ).fetchone()
    return row == (True,)


def _unwanted(connection: Connection[TupleRow], hashes: list[str]) -> Collection[News]:
    if _is_unsubscribed(connection, hashes):
        return tuple(News)
    rows = connection.execute("SELECT news FROM unwanted_news WHERE address_hash = ANY(%s)", (hashes,)).fetchall()
    return [News(news) for (news,) in rows]


def _normal(address: str) -> str:
    """Return the normal form of a mail address or phone number."""
    type = ContactType.EMAIL if "@" in address else ContactType.PHONE
    return contacts.normalize_contact(type, address).value.lower()
