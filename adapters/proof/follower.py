"""Adds new events to the tree, and signs and publishes checkpoints."""

import psycopg
import structlog

from adapters.observability.counters import checkpoint_refusals
from adapters.postgres.background import BackgroundLoop
from adapters.postgres.database import CONNECTION_ERRORS, ConnectionRegistry, connect
from adapters.proof import checkpoints, tiles
from adapters.proof.checkpoints import RewrittenHistoryError, Signer
from adapters.proof.published import PublishedCheckpoints

# Proofs are not urgent, and larger batches cost less per event.
POLL_SECONDS = 3.0
PAUSE_SECONDS = 30.0

logger = structlog.get_logger()


class ProofFollower(BackgroundLoop):
    """Runs in its own thread between `start` and `stop`; several processes may run one at the same time."""

    def __init__(
        self,
        url: str,
        signer: Signer,
        published: PublishedCheckpoints,
        registry: ConnectionRegistry | None = None,
    ) -> None:
        super().__init__("proof", self._keep_up)
        self._published = published
        self._url = url
        self._registry = registry
        self._signer = signer

    def _keep_up(self) -> float:
        try:
            with connect(self._url, name="storyledger proof", registry=self._registry) as connection:
                while not self.stopping:
                    if not tiles.grow(connection):
                        checkpoints.sign_tree(connection, self._signer, self._published)
                        self.pause(POLL_SECONDS)
        except CONNECTION_ERRORS:
            raise
        except RewrittenHistoryError as error:
            checkpoint_refusals.inc()
            logger.error("the history was not signed, because it does not continue the signed one", reason=str(error))
            return PAUSE_SECONDS
        except (psycopg.Error, tiles.BrokenProofError):
            # The rest of the service goes on although the history was altered.
            logger.exception("proof could not be extended")
            return PAUSE_SECONDS
        return 0.0
