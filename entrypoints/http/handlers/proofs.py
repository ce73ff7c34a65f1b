"""Handlers for proofs of the history: checkpoints, their keys, consistency proofs and a ticket's audit export."""

from dataclasses import dataclass
from pathlib import Path

from adapters.proof import checker
from adapters.proof.checkpoints import Checkpoints, Signer
from adapters.proof.export import Exporter
from domain.errors import NotFoundError
from entrypoints.http.operations import Answer, Call, JsonStream
from entrypoints.http.problems import invalid
from entrypoints.http.query import parse_integer
from entrypoints.presentation.proofs import AuditExport, ConsistencyProof

TEXT = "text/plain; charset=utf-8"
# A checkpoint stays valid, but a newer one may follow within seconds.
CHECKPOINT_CACHING = {"Cache-Control": "public, max-age=10"}
STATIC_CACHING = {"Cache-Control": "public, max-age=3600"}


@dataclass(frozen=True)
class ProofHandlers:
    checkpoints: Checkpoints
    signer: Signer
    exporter: Exporter

    def checkpoint(self, _: Call) -> Answer[bytes]:
        latest_checkpoint = self.checkpoints.latest()
        if latest_checkpoint is None:
            raise _no_checkpoint()
        return Answer(latest_checkpoint.encode(), 200, dict(CHECKPOINT_CACHING), TEXT)

    def key(self, _: Call) -> Answer[bytes]:
        keys = "".join(f"{key}\n" for key in self.signer.keys)
        return Answer(keys.encode(), 200, dict(STATIC_CACHING), TEXT)

    def checker_program(self, _: Call) -> Answer[bytes]:
        headers = {**STATIC_CACHING, "Content-Disposition": 'attachment; filename="checker.py"'}
        return Answer(Path(checker.__file__).read_bytes(), 200, headers, TEXT)

    def consistency(self, call: Call) -> Answer[ConsistencyProof]:
        older_size = parse_integer(call.query.get("from", ""))
        if older_size is None:
            raise invalid("/from", "must be the size of an older checkpoint")
        checkpoint_and_proof = self.checkpoints.consistency_proof(older_size)
        if checkpoint_and_proof is None:
            raise _no_checkpoint()
        body = ConsistencyProof(str(self.signer.keys[0]), *checkpoint_and_proof)
        return Answer(body, 200, dict(CHECKPOINT_CACHING))

    def export(self, call: Call) -> Answer[JsonStream[AuditExport]]:
        headers = {"Content-Disposition": f'attachment; filename="audit-{call.ticket_id}.json"'}
        return Answer(JsonStream(self.exporter.export(call.ticket_id)), 200, headers)


def _no_checkpoint() -> NotFoundError:
    return NotFoundError("No such checkpoint has been signed yet.")
