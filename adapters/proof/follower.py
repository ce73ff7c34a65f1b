"""Keeps the tree up with the history, and signs it now and then."""

from __future__ import annotations

import psycopg
import structlog

from adapters.postgres.background import BackgroundLoop
from adapters.postgres.database import CONNECTION_ERRORS, ConnectionRegistry, connect
from adapters.proof import checkpoints, tiles
from adapters.proof.checkpoints import Signer

# Nobody waits for a proof, and events that are taken together cost less.
POLL_SECONDS = 1.0
PAUSE_SECONDS = 30.0

logger = structlog.get_logger()


class ProofFollower(BackgroundLoop):
    """Runs in a thread of its own between `start` and `stop`; any number may run on any number of machines."""

    def __init__(self, url: str, signer: Signer, registry: ConnectionRegistry | None = None) -> None:
        super().__init__("proof", self._keep_up)
        self._url = url
        self._registry = registry
        self._signer = signer

    def _keep_up(self) -> float:
        try:
            with connect(self._url, name="storyledger proof", registry=self._registry) as connection:
                while not self.stopping:
                    if not tiles.grow(connection):
                        checkpoints.sign_tree(connection, self._signer)
                        self.pause(POLL_SECONDS)
        except CONNECTION_ERRORS:
            raise
        except (psycopg.Error, tiles.BrokenProofError):
            # A history that somebody altered is no reason to stop everything else.
            logger.exception("the proof of the history cannot be kept")
            return PAUSE_SECONDS
        return 0.0
