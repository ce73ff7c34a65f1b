"""The handlers of the operations: a class for each area, whose fields are the collaborators that it uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from entrypoints.http.handlers.proofs import ProofHandlers

if TYPE_CHECKING:
    from entrypoints.composition.service import Service


def handlers(service: Service) -> list[object]:
    """Build the handlers of every area for this process."""
    return [
        ProofHandlers(service.checkpoints, service.signer, service.exporter),
    ]
