"""The columns that hold values sealed with the master key, which both kinds of key rotation work through."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from adapters.encryption.epochs import NAME_BYTES
from adapters.encryption.service_key import SERVICE_KEYRING
from adapters.encryption.ticket_keys import TICKET_KEYRING
from adapters.identity.login_codes import REQUEST_KEYRING
from adapters.mail.outbox import OUTBOX_KEY_PURPOSE
from adapters.payments.inbox import INBOX_KEY_PURPOSE


@dataclass(frozen=True)
class SealedColumn:
    """A column of sealed bytes; `key` is the table's key column, and `context` makes the seal's context from it."""

    name: str
    table: str
    key: str
    key_type: str
    column: str
    purpose: str
    context: Callable[[object], bytes]
    where: str
    names_key: bool = False

    @property
    def damaged(self) -> str:
        """Return the condition of a value that names an epoch whose key did not open it, when it was resealed.

        Only such a value names an epoch that its row does not refer to.
        """
        return (
            f"({self.where} AND {self.column} <> '' AND {self.table}.epoch IS NULL AND EXISTS"  # noqa: S608 (constants)
            f" (SELECT FROM epoch_keys k WHERE k.name = substring({self.column} FROM 1 FOR {NAME_BYTES})))"
        )


def _id(key: object) -> bytes:
    assert isinstance(key, UUID)
    return key.bytes


def _text(key: object) -> bytes:
    return str(key).encode()


TICKET_KEYS = SealedColumn(
    "ticketKeys", "ticket_keys", "ticket_id", "uuid", "wrapped", TICKET_KEYRING, _id, "true", names_key=True
)
SERVICE_KEYS = SealedColumn(
    "serviceKeys", "service_keys", "name", "text", "wrapped", SERVICE_KEYRING, _text, "true", names_key=True
)
INBOX = SealedColumn("inbox", "stripe_inbox", "event_id", "text", "body", INBOX_KEY_PURPOSE, _text, "ticket_id IS NULL")
OUTBOX = SealedColumn("outbox", "outbox", "id", "uuid", "sealed", OUTBOX_KEY_PURPOSE, _id, "ticket_id IS NULL")
ACCESS_REQUESTS = SealedColumn(
    "accessRequests", "access_requests", "id", "uuid", "sealed", REQUEST_KEYRING, _id, "true"
)

# A request for a login code is not worth resealing with a new master key: it is answered within minutes.
SEALED_WITH_MASTER_KEY = (TICKET_KEYS, SERVICE_KEYS, INBOX, OUTBOX)
SEALED_IN_EPOCH = (*SEALED_WITH_MASTER_KEY, ACCESS_REQUESTS)
