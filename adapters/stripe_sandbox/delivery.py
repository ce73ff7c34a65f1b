"""Delivers events at least once, also after a crash, with growing pauses until the receiver answers 2xx."""

import http.client
import json
import logging
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from urllib.parse import urlsplit

from adapters.payments.webhooks import sign
from adapters.stripe_sandbox.store import Store

POST_SECONDS = 10.0
# Longer than one POST may take, so that a delivery is repeated only if its process died.
LEASE_SECONDS = 15.0
LONGEST_PAUSE_SECONDS = 60.0
POLL_SECONDS = 1.0

logger = logging.getLogger(__name__)


class WebhookSender(threading.Thread):
    """A thread that posts due events to one URL; it calls `run_due_steps` before every look at the queue."""

    def __init__(
        self,
        transaction: Callable[[], AbstractContextManager[Store]],
        url: str,
        secret: str,
        clock: Callable[[], float],
        run_due_steps: Callable[[], None],
        first_pause_seconds: float,
    ) -> None:
        super().__init__(name="sandbox webhook sender", daemon=True)
        self._transaction = transaction
        self._url = urlsplit(url)
        self._secret = secret
        self._clock = clock
        self._run_due_steps = run_due_steps
        self._first_pause_seconds = first_pause_seconds
        self._wake_event = threading.Event()
        self._stopping = False

    def wake(self) -> None:
        """Look at the queue now."""
        self._wake_event.set()

    def stop(self) -> None:
        """Stop after the present delivery, and wait for the thread's end."""
        self._stopping = True
        self._wake_event.set()
        if self.is_alive():
            self.join(POST_SECONDS + 1)

    def run(self) -> None:
        pause = POLL_SECONDS
        while not self._stopping:
            self._wake_event.clear()
            try:
                self._run_due_steps()
                while not self._stopping and self._deliver_one():
                    pass
                pause = POLL_SECONDS
            except Exception as error:
                # Usually the database is unavailable. The queue is kept, and tried again.
                logger.warning("sandbox deliveries failed: %s", type(error).__name__)
                pause = min(pause * 2, 5.0)
                time.sleep(pause)
            self._wake_event.wait(pause)

    def _deliver_one(self) -> bool:
        with self._transaction() as store:
            claimed = store.claim(LEASE_SECONDS)
        if claimed is None:
            return False
        delivery, attempts, event = claimed
        body = json.dumps(event, indent=2, ensure_ascii=False).encode()
        status = self._post(body)
        with self._transaction() as store:
            if status is not None and 200 <= status < 300:
                store.mark_delivered(delivery, status)
            else:
                pause = self._first_pause_seconds * 2 ** min(attempts - 1, 20)
                store.postpone(delivery, status, min(pause, LONGEST_PAUSE_SECONDS))
        return True

    def _post(self, body: bytes) -> int | None:
        """Return the status of the answer, or None if there was no answer."""
        secure = self._url.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(self._url.hostname or "", self._url.port, timeout=POST_SECONDS)
        try:
            connection.request(
                "POST",
                self._url.path or "/",
                body,
                {
                    "Content-Type": "application/json; charset=utf-8",
                    "Stripe-Signature": sign(body, self._secret, self._clock()),
                    "User-Agent": "Stripe/1.0 (sandbox)",
                },
            )
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
