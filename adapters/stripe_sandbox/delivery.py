"""Delivers events at least once, also after a crash, with growing pauses until the receiver answers 2xx."""

import http.client
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from urllib.parse import urlsplit

from adapters.payments.webhooks import sign
from adapters.postgres.background import BackgroundLoop
from adapters.stripe_sandbox.store import Store

POST_SECONDS = 10.0
# Longer than one POST may take, so that a delivery is repeated only if its process died.
LEASE_SECONDS = 15.0
LONGEST_PAUSE_SECONDS = 60.0
POLL_SECONDS = 1.0


class WebhookSender(BackgroundLoop):
    """Posts due events to one URL in a thread of its own.

    If a step or a delivery is due, it calls `run_due_steps` before it claims deliveries.
    """

    def __init__(
        self,
        transaction: Callable[[], AbstractContextManager[Store]],
        url: str,
        secret: str,
        clock: Callable[[], float],
        run_due_steps: Callable[[], None],
        first_pause_seconds: float,
    ) -> None:
        super().__init__("sandbox webhook sender", self._deliver_due)
        self._transaction = transaction
        self._url = urlsplit(url)
        self._secret = secret
        self._clock = clock
        self._run_due_steps = run_due_steps
        self._first_pause_seconds = first_pause_seconds

    def _deliver_due(self) -> float:
        with self._transaction() as store:
            is_due = store.something_is_due(self._clock())
        if is_due:
            self._run_due_steps()
            while not self.stopping and self._deliver_one():
                pass
        return POLL_SECONDS

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
