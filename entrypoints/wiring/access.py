"""Who is calling, who comes back, and what is on record about those who do."""

from __future__ import annotations

from adapters.access import Credentials
from adapters.access_log import AccessLog
from adapters.contacts import ContactIndex
from adapters.idempotency import IdempotencyKeys
from adapters.returning import Returning
from adapters.sealing import SERVICE_RING, Keyring
from domain.values import Role
from entrypoints.wiring.ground import Ground
from entrypoints.wiring.history import History
from entrypoints.wiring.mail import Mails

REQUESTS_RING = "access requests"


class Access:
    """Credentials, the index of contacts, the log of acts, and answers kept for who asks twice."""

    def __init__(self, ground: Ground, history: History, mails: Mails) -> None:
        database, master, peppers = ground.database, ground.secrets.master, ground.secrets.peppers
        self._admin_key = ground.secrets.admin_key
        self.credentials = Credentials(database, history.fresh)
        self.log = AccessLog(database)
        self.contact_index = ContactIndex(peppers)
        self.idempotency = IdempotencyKeys(database, Keyring(master, SERVICE_RING), history.keys)
        self.returning = Returning(database, Keyring(master, REQUESTS_RING), self.contact_index, mails.outbox, peppers)

    def admit(self) -> None:
        """Make the data folder's own admin key one that is known, where it has one."""
        if self._admin_key is not None:
            self.credentials.create(Role.ADMIN, key=self._admin_key)
