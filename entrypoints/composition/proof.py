"""Merkle tree, signed checkpoints and exports."""

from adapters.proof.checkpoints import Checkpoints
from adapters.proof.export import Exporter
from adapters.proof.follower import ProofFollower
from entrypoints.composition.foundation import Foundation, Parts
from entrypoints.composition.secrets import signer


class Proof:
    """`follower` exists with the projections part."""

    def __init__(self, foundation: Foundation) -> None:
        self.signer = signer(foundation.settings)
        self.checkpoints = Checkpoints(foundation.database, self.signer)
        self.exporter = Exporter(foundation.database, self.signer)
        self.follower: ProofFollower | None = None
        if Parts.PROJECTIONS in foundation.parts:
            self.follower = ProofFollower(foundation.url, self.signer, foundation.registry)
