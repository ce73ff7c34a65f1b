"""Delivers the events: at least once, whatever is killed, and with growing pauses until somebody answers 2xx."""

from __future__ import annotations

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
# Longer than one post may take, so that a delivery comes back only if its process is gone.
LEASE_SECONDS = 15.0
LONGEST_PAUSE_SECONDS = 60.0
POLL_SECONDS = 0.25

logger = logging.getLogger(__name__)


class WebhookSender(threading.Thread):
    """A thread that posts what is due to one address; `work` is called before every look at the queue."""

    def __init__(
        self,
        transaction: Callable[[], AbstractContextManager[Store]],
        url: str,
        secret: str,
        clock: Callable[[], float],
        work: Callable[[], None],
        first_pause_seconds: float,
    ) -> None:
        super().__init__(name="sandbox-postman", daemon=True)
        self._transaction = transaction
        self._url = urlsplit(url)
        self._secret = secret
        self._clock = clock
        self._work = work
        self._first_pause_seconds = first_pause_seconds
        self._news = threading.Event()
        self._leaving = False

    def wake(self) -> None:
        """There is something to deliver."""
        self._news.set()

    def leave(self) -> None:
        """Stop after the delivery under way, and return when stopped."""
        self._leaving = True
        self._news.set()
        if self.is_alive():
            self.join(POST_SECONDS + 1)

    def run(self) -> None:
        pause = POLL_SECONDS
        while not self._leaving:
            self._news.clear()
            try:
                self._work()
                while not self._leaving and self._deliver_one():
                    pass
                pause = POLL_SECONDS
            except Exception as error:
                # Whatever it is (the database away, as a rule), the queue is kept and tried again.
                logger.warning("sandbox deliveries are stuck: %s", type(error).__name__)
                pause = min(pause * 2, 5.0)
                time.sleep(pause)
            self._news.wait(pause)

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
                store.delivered(delivery, status)
            else:
                pause = self._first_pause_seconds * 2 ** min(attempts - 1, 20)
                store.postpone(delivery, status, min(pause, LONGEST_PAUSE_SECONDS))
        return True

    def _post(self, body: bytes) -> int | None:
        """The answer's status; None if there was no answer."""
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
