"""The inbox seals and stores webhooks outside the event loop."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime

from adapters.encryption.keyring import Keyring
from adapters.encryption.ticket_keys import TicketKeys
from adapters.payments.inbox import Inbox
from adapters.payments.webhooks import SignedEvent
from adapters.postgres.database import Database
from tests.client import WAIT_SECONDS


class BlockingKeyring(Keyring):
    """A keyring that seals only once the test allows it, like one that waits for the database."""

    def __init__(self) -> None:
        super().__init__(("m" * 40,), "stripe inbox")
        self.began, self.may_seal = threading.Event(), threading.Event()

    def seal(self, plain: bytes, context: bytes) -> bytes:
        self.began.set()
        assert self.may_seal.wait(WAIT_SECONDS), "the event loop was blocked"
        return super().seal(plain, context)


def test_the_event_loop_answers_while_sealing_a_webhook_blocks(database: Database):
    keyring = BlockingKeyring()
    inbox = Inbox(database, keyring, TicketKeys(database, keyring))
    event = SignedEvent("evt_1", "charge.succeeded", datetime.now(UTC), False, b'{"id": "evt_1"}')

    async def run() -> bool:
        accepted = asyncio.create_task(inbox.accept_async(event))
        assert await asyncio.to_thread(keyring.began.wait, WAIT_SECONDS)
        # Only the event loop allows the sealing to go on.
        keyring.may_seal.set()
        return await accepted

    assert asyncio.run(run())
    [(sealed,)] = database.rows("SELECT body FROM stripe_inbox WHERE event_id = 'evt_1'")
    assert inbox.open_body("evt_1", bytes(sealed)) == event.body
