"""What proves the history: the Merkle tree, checkpoints signed in this service's name, exports for strangers."""

from __future__ import annotations

from adapters.proof.checkpoints import Checkpoints
from adapters.proof.export import Exporter
from adapters.proof.follower import ProofFollower
from entrypoints.wiring.ground import Ground, Parts
from entrypoints.wiring.secrets import signer


class Proof:
    """`follower` only where this process runs the projections."""

    def __init__(self, ground: Ground) -> None:
        self.signer = signer(ground.settings)
        self.checkpoints = Checkpoints(ground.database, self.signer)
        self.exporter = Exporter(ground.database, self.signer)
        self.follower: ProofFollower | None = None
        if Parts.PROJECTIONS in ground.parts:
            self.follower = ProofFollower(ground.url, self.signer, ground.opened)
