"""What proves the history to anybody: checkpoints, the key they are signed with, and a ticket's events with proofs."""

from __future__ import annotations

from pathlib import Path

from adapters.proof import checker
from entrypoints.http.operations import Answer, Call
from entrypoints.http.problems import Problem, invalid

TEXT = "text/plain; charset=utf-8"
# A checkpoint is true for ever, and there is a newer one soon.
FRESH = {"Cache-Control": "public, max-age=10"}
LASTING = {"Cache-Control": "public, max-age=3600"}


def checkpoint(call: Call) -> Answer:
    note = call.service.checkpoints.latest()
    if note is None:
        raise _nothing_yet()
    return Answer(note.encode(), 200, dict(FRESH), TEXT)


def key(call: Call) -> Answer:
    keys = "".join(f"{one}\n" for one in call.service.signer.keys)
    return Answer(keys.encode(), 200, dict(LASTING), TEXT)


def check_program(_: Call) -> Answer:
    headers = {**LASTING, "Content-Disposition": 'attachment; filename="checker.py"'}
    return Answer(Path(checker.__file__).read_bytes(), 200, headers, TEXT)


def consistency(call: Call) -> Answer:
    text = call.query.get("from", "")
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise invalid("/from", "must be the size of an older checkpoint")
    proved = call.service.checkpoints.continuing(int(text))
    if proved is None:
        raise _nothing_yet()
    note, path = proved
    return Answer({"key": str(call.service.signer.keys[0]), "checkpoint": note, "proof": path}, 200, dict(FRESH))


def _nothing_yet() -> Problem:
    return Problem("not-found", "No checkpoint of that many events has been signed yet.")


def export(call: Call) -> Answer:
    headers = {"Content-Disposition": f'attachment; filename="audit-{call.ticket_id}.json"'}
    return Answer(call.service.exporter.export(call.ticket_id), 200, headers)
