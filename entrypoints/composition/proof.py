"""Merkle tree, signed checkpoints and exports."""

from adapters.proof.checkpoints import Checkpoints
from adapters.proof.export import Exporter
from adapters.proof.follower import ProofFollower
from adapters.proof.published import PublishedCheckpoints
from adapters.storage.protocol import Storage
from entrypoints.composition.foundation import Foundation, Parts
from entrypoints.composition.secrets import signer


class Proof:
    """`follower` exists with the projections part."""

    def __init__(self, foundation: Foundation, storage: Storage) -> None:
        self.signer = signer(foundation.settings)
        self.checkpoints = Checkpoints(foundation.database, self.signer)
        published = PublishedCheckpoints(storage, self.signer.read)
        self.exporter = Exporter(foundation.database, self.signer, published)
        self.follower: ProofFollower | None = None
        if Parts.PROJECTIONS in foundation.parts:
            self.follower = ProofFollower(foundation.url, self.signer, published, foundation.registry)
