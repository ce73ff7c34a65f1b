"""Proofs of the event log as responses."""

from uuid import UUID

from entrypoints.presentation.responses import ResponseBody


class ConsistencyProof(ResponseBody):
    """A signed checkpoint, the key that signed it, and the proof that it continues an older checkpoint."""

    key: str
    checkpoint: str
    proof: list[str]


class ExportedEvent(ResponseBody):
    """A stored event, the previous link of the chain, and the event's inclusion proof."""

    position: int
    stream: UUID
    version: int
    topic: str
    ticket: UUID
    recorded_at: str
    state: str
    previous: str
    proof: list[str]


class AuditExport(ResponseBody):
    """A ticket's events with inclusion proofs, which the checker verifies offline."""

    format: str
    ticket: UUID
    key: str
    checkpoint: str
    statement: str
    events: list[ExportedEvent]
