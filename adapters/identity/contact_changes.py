"""A holder's wish for a new contact: it is confirmed with a code that was sent to the new address or number.

The code opens nothing: it only proves that the new contact is the holder's.
"""

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from adapters.contacts import ContactIndex
from adapters.encryption.keyed_hashes import KeyedHashes
from adapters.mail.limits import UnverifiedMailLimits
from adapters.mail.outbox import Outbox
from adapters.postgres.database import Database
from domain.ports import Mail, TextMessage
from domain.values import Contact, ContactType

CODE_MINUTES = 10
MAX_ATTEMPTS = 5
CODE_DIGITS = 8
# Of one ticket in a day, so that nobody can send many mails from it.
MAX_CHANGES = 5


@dataclass(frozen=True)
class ContactChanges:
    """Sends codes to new contacts, and checks them."""

    database: Database
    outbox: Outbox
    limits: UnverifiedMailLimits
    index: ContactIndex
    codes: KeyedHashes

    def request(self, id: UUID, ticket_id: UUID, contact: Contact, language: str) -> bool:
        """Send a code to the new contact; return False if too many codes were sent already."""
        with self.database.transaction() as cursor:
            cursor.execute("DELETE FROM contact_changes WHERE created_at < now() - interval '1 day'")
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (str(ticket_id),))
            cursor.execute("SELECT count(*) FROM contact_changes WHERE ticket_id = %s", (ticket_id,))
            if cursor.fetchall()[0][0] >= MAX_CHANGES:
                return False
            asker, is_mail = self.limits.asker(), contact.type is ContactType.EMAIL
            if is_mail and not self.limits.allow(cursor.connection, contact.value, asker):
                return False
            cursor.execute(
                "INSERT INTO contact_changes (id, ticket_id, contact_hash) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                (id, ticket_id, self.index.of(contact)),
            )
            digits = self._digits(id)[0]
            values = {
                "code": f"{digits[:4]} {digits[4:]}",
                "expires": f"{datetime.now(UTC) + timedelta(minutes=CODE_MINUTES):%H:%M} UTC",
                "language": language,
            }
            kind = Mail if is_mail else TextMessage
            message = kind("contact_code", contact.value, values, f"contact-code:{id}", ticket_id)
            return self.outbox.queue(cursor.connection, message, asker)

    def confirm(self, id: UUID, ticket_id: UUID, contact: Contact, code: str) -> bool:
        """Return True if the code is the one that was sent to this contact for this ticket; it works once."""
        with self.database.transaction() as cursor:
            cursor.execute(
                "UPDATE contact_changes SET attempts = attempts + 1 WHERE id = %s AND ticket_id = %s AND attempts < %s"
                " AND created_at > now() - make_interval(mins => %s) AND contact_hash = ANY(%s) RETURNING id",
                (id, ticket_id, MAX_ATTEMPTS, CODE_MINUTES, self.index.all_of(contact)),
            )
            typed = "".join(c for c in code if c not in " -").encode()
            is_right = any(hmac.compare_digest(typed, digits.encode()) for digits in self._digits(id))
            if cursor.fetchone() is None or not is_right:
                return False
            cursor.execute("UPDATE contact_changes SET attempts = %s WHERE id = %s", (MAX_ATTEMPTS, id))
            return True

    def _digits(self, id: UUID) -> list[str]:
        digests = dict.fromkeys(hashed.rpartition(":")[2] for hashed in self.codes.all_of(str(id)))
        return [f"{int(digest, 16) % 10**CODE_DIGITS:0{CODE_DIGITS}}" for digest in digests]
