"""Who is calling, who comes back, and what is on record about those who do."""

from __future__ import annotations

from adapters.encryption.keyring import Keyring
from adapters.encryption.service_key import SERVICE_KEYRING
from adapters.identity.access_log import AccessLog
from adapters.identity.contacts import ContactIndex
from adapters.identity.credentials import Credentials
from adapters.identity.idempotency import IdempotencyKeys
from adapters.identity.login_codes import LoginCodes
from domain.values import Role
from entrypoints.composition.foundation import Foundation
from entrypoints.composition.history import History
from entrypoints.composition.mail import MailDelivery

REQUESTS_RING = "access requests"


class Access:
    """Credentials, the index of contacts, the log of acts, and answers kept for who asks twice."""

    def __init__(self, ground: Foundation, history: History, mails: MailDelivery) -> None:
        database, master, peppers = ground.database, ground.secrets.master, ground.secrets.peppers
        self._admin_key = ground.secrets.admin_key
        self.credentials = Credentials(database)
        self.log = AccessLog(database)
        self.contact_index = ContactIndex(peppers)
        self.idempotency = IdempotencyKeys(database, Keyring(master, SERVICE_KEYRING), history.keys)
        self.login_codes = LoginCodes(
            database, Keyring(master, REQUESTS_RING), self.contact_index, mails.outbox, peppers
        )

    def admit(self) -> None:
        """Make the data folder's own admin key one that is known, where it has one."""
        if self._admin_key is not None:
            self.credentials.create(Role.ADMIN, key=self._admin_key)
