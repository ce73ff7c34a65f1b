"""Limits of text messages: each costs money, and a number may belong to a stranger.

A number is verified once a code that was sent to it opened a session.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from psycopg import Connection
from psycopg.rows import TupleRow

from adapters.contacts import ContactIndex
from adapters.postgres.database import Database
from domain.values import Contact, ContactType

# To a verified number in a day.
MAX_TO_VERIFIED = 30
# Of one asker to one unverified number in a day.
MAX_OF_ASKER_TO_NUMBER = 3
# Of the messages to an unverified number in a day, so many are for codes alone.
RESERVED_FOR_CODES = 2
# After this pause a number gets a code also above its own limit, so that strangers cannot keep its owner out.
PAUSE_HOURS = 4

_COUNTS = """
SELECT EXISTS (SELECT FROM contact_hashes WHERE hash = ANY(%(hashes)s) AND verified_at IS NOT NULL),
       count(*) FILTER (WHERE number_hash = ANY(%(hashes)s) AND asker = %(asker)s),
       count(*) FILTER (WHERE number_hash = ANY(%(hashes)s)),
       count(*) FILTER (WHERE asker = %(asker)s),
       count(*),
       coalesce(max(created_at) FILTER (WHERE number_hash = ANY(%(hashes)s)), '-infinity')
           < now() - make_interval(hours => %(pause)s)
  FROM counted_texts WHERE created_at > now() - interval '1 day'
"""

logger = structlog.get_logger()


@dataclass(frozen=True)
class TextQuota:
    """How many text messages may be sent in a day, and to which countries: prefixes of numbers such as +34.

    Without prefixes every country is allowed.
    """

    to_number: int = 5
    of_asker: int = 20
    in_all: int = 500
    countries: Sequence[str] = ()


class TextLimits:
    """Counts the text messages, and refuses those above the limits."""

    def __init__(self, database: Database, contact_index: ContactIndex, quota: TextQuota) -> None:
        self._database = database
        self._contact_index = contact_index
        self._quota = quota

    def allow(self, connection: Connection[TupleRow], number: str, asker: str | None, *, is_code: bool = True) -> bool:
        """Count a message to this number in the connection's transaction; return False if it must not be sent.

        All other messages leave room for codes, so that news never keep a person out.
        """
        if not self.may_reach(number):
            return False
        hashes = self._contact_index.all_of(Contact(ContactType.PHONE, number))
        values = {"hashes": hashes, "asker": asker, "pause": PAUSE_HOURS}
        [row] = connection.execute(_COUNTS, values).fetchall()
        is_verified, of_asker_to_number, to_number, of_asker, in_all, after_pause = row
        if in_all >= self._quota.in_all:
            logger.warning("text not sent", reason="TEXT_LIMIT_DAY is reached")
            return False
        if is_verified and to_number >= MAX_TO_VERIFIED:
            return False
        if not is_verified:
            if of_asker_to_number >= MAX_OF_ASKER_TO_NUMBER or of_asker >= self._quota.of_asker:
                return False
            to_number_at_most = self._quota.to_number - (0 if is_code else RESERVED_FOR_CODES)
            if to_number >= to_number_at_most and not after_pause:
                return False
        connection.execute("INSERT INTO counted_texts (number_hash, asker) VALUES (%s, %s)", (hashes[0], asker))
        return True

    def may_reach(self, number: str) -> bool:
        """Return True if the number is in an allowed country, and calling it is not charged at a premium."""
        import phonenumbers

        if self._quota.countries and not number.startswith(tuple(self._quota.countries)):
            return False
        try:
            type = phonenumbers.number_type(phonenumbers.parse(number))
        except phonenumbers.NumberParseException:
            return False
        charged = phonenumbers.PhoneNumberType
        return type not in (charged.PREMIUM_RATE, charged.SHARED_COST, charged.UAN, charged.PAGER, charged.VOICEMAIL)

    def purge(self) -> None:
        """Delete what was counted more than a day ago."""
        self._database.execute("DELETE FROM counted_texts WHERE created_at < now() - interval '1 day'", ())
