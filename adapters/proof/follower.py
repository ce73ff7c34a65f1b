"""Keeps the tree up with the history, and signs it now and then."""

from __future__ import annotations

import threading

import psycopg
import structlog
from psycopg import Connection
from psycopg.rows import TupleRow

from adapters.database import AWAY, Opened, connect
from adapters.proof import checkpoints, tiles
from adapters.proof.checkpoints import Signer

# Nobody waits for a proof, and events that are taken together cost less.
POLL_SECONDS = 1.0
PAUSE_SECONDS = 30.0

logger = structlog.get_logger()


class ProofFollower:
    """Runs in a thread of its own between `start` and `stop`; any number may run on any number of machines."""

    def __init__(self, url: str, signer: Signer, opened: Opened | None = None) -> None:
        self._url = url
        self._opened = opened
        self._signer = signer
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="proof", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with connect(self._url, name="storyledger proof", opened=self._opened) as connection:
                    self._follow(connection)
            except AWAY:
                self._stopping.wait(POLL_SECONDS)
            except (psycopg.Error, tiles.BrokenProofError):
                # A history that somebody altered is no reason to stop everything else.
                logger.exception("the proof of the history cannot be kept")
                self._stopping.wait(PAUSE_SECONDS)

    def _follow(self, connection: Connection[TupleRow]) -> None:
        while not self._stopping.is_set():
            if not tiles.grow(connection):
                checkpoints.sign_tree(connection, self._signer)
                self._stopping.wait(POLL_SECONDS)
