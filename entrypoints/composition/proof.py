"""What proves the history: the Merkle tree, checkpoints signed in this service's name, exports for strangers."""

from __future__ import annotations

from adapters.proof.checkpoints import Checkpoints
from adapters.proof.export import Exporter
from adapters.proof.follower import ProofFollower
from entrypoints.composition.foundation import Foundation, Parts
from entrypoints.composition.secrets import signer


class Proof:
    """`follower` only where this process runs the projections."""

    def __init__(self, ground: Foundation) -> None:
        self.signer = signer(ground.settings)
        self.checkpoints = Checkpoints(ground.database, self.signer)
        self.exporter = Exporter(ground.database, self.signer)
        self.follower: ProofFollower | None = None
        if Parts.PROJECTIONS in ground.parts:
            self.follower = ProofFollower(ground.url, self.signer, ground.registry)
