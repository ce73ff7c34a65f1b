"""Credentials, login codes, contact index, idempotency keys and access log."""

import structlog

from adapters.encryption.keyed_hashes import KeyedHashes
from adapters.encryption.service_key import SERVICE_KEYRING
from adapters.identity.access_log import AccessLog
from adapters.identity.contact_changes import ContactChanges
from adapters.identity.credentials import Credentials
from adapters.identity.idempotency import IdempotencyKeys
from adapters.identity.login_codes import REQUEST_KEYRING, LoginCodes
from adapters.identity.members import MemberSessions
from adapters.identity.recovery_links import RecoveryLinks
from domain.errors import UnavailableError
from domain.values import Role
from entrypoints.composition.foundation import Foundation
from entrypoints.composition.history import History
from entrypoints.composition.mail import MailDelivery

logger = structlog.get_logger()


class Access:
    """The stores behind authentication, idempotency and the access log."""

    def __init__(self, foundation: Foundation, history: History, mails: MailDelivery) -> None:
        database, peppers = foundation.database, foundation.secrets.peppers
        self._admin_key = foundation.secrets.admin_key
        self.credentials = Credentials(database)
        self.addresses, self.security_events = foundation.addresses, foundation.security_events
        self.log = AccessLog(database, self.addresses.seal)
        self.contact_index = mails.contact_index
        self.idempotency = IdempotencyKeys(database, foundation.keyring(SERVICE_KEYRING), history.keys)
        self.login_codes = LoginCodes(
            database,
            foundation.keyring(REQUEST_KEYRING),
            self.contact_index,
            mails.outbox,
            mails.limits,
            peppers,
            foundation.settings.public_url,
            history.cipher,
        )
        self.member_sessions = MemberSessions(database)
        self.recovery_links = RecoveryLinks(database, foundation.settings.public_url)
        self.contact_changes = ContactChanges(
            database, mails.outbox, mails.limits, self.contact_index, KeyedHashes(peppers, "contact change")
        )

    def admit(self) -> None:
        """Register the admin key of the data folder, if there is one."""
        if self._admin_key is not None:
            self.credentials.create(Role.ADMIN, key=self._admin_key)

    def load(self) -> None:
        """Read the key of network addresses, so that the first refused request costs no more than later ones."""
        try:
            self.addresses.load()
        except UnavailableError as error:
            # Nothing that people need is sealed with this key, so it keeps no process from starting.
            logger.error("the key of network addresses is not loaded", error=type(error).__name__)
