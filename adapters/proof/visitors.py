"""Checks proofs for people who have no checker of their own: a ticket's history as it is now, or what they bring."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from uuid import UUID

from adapters.proof.checker import (
    Checkpoint,
    Finding,
    Refused,
    check,
    check_paper,
    checkpoint_of,
    keys_under_signed_names,
    normalized_note,
)
from adapters.proof.checkpoints import Checkpoints, RewrittenHistoryError, Signer
from adapters.proof.export import Exporter
from adapters.proof.tiles import BrokenProofError

# A check of so many events takes about two seconds of one processor. Longer histories are exported and checked offline.
MAX_CHECKED_EVENTS = 5_000


@dataclass(frozen=True)
class ProvedPaper:
    """The checkpoint of a printed page, and the newest one, whose log begins with that of the page."""

    old: Checkpoint
    new: Checkpoint


Proved = Finding | ProvedPaper


class ProofChecks:
    """Runs `checker` with the keys of this log; safe to use from several threads. Nothing that is checked is kept."""

    def __init__(self, checkpoints: Checkpoints, signer: Signer, exporter: Exporter) -> None:
        self._checkpoints = checkpoints
        self._signer = signer
        self._exporter = exporter

    def ticket(self, ticket: UUID) -> Finding:
        """Check the history of a ticket as `audit export` and the checker do; Refused says what is wrong with it."""
        try:
            return check(_lines(self._exporter.export(ticket)), self._signer.keys)
        except (BrokenProofError, RewrittenHistoryError) as error:
            raise Refused(str(error)) from None

    def text(self, text: str) -> Proved:
        """Check an export or the code of a printed page, and return what it proves; Refused says why it does not."""
        if text.lstrip().startswith("{"):
            return check(StringIO(text.lstrip(), newline="\n"), self._signer.keys)
        return self._paper(text)

    def _paper(self, text: str) -> ProvedPaper:
        note = normalized_note(text)
        old, _ = checkpoint_of(note, keys_under_signed_names(note, self._signer.keys))
        newest_and_proof = self._checkpoints.consistency_proof(old.size)
        if newest_and_proof is None:
            raise Refused(f"the log has fewer events today than the {old.size} of the page")
        newest, path = newest_and_proof
        # With the name under which the newest one was signed, which may be older than the name of today.
        [key] = keys_under_signed_names(newest, self._signer.keys[:1])
        answer = json.dumps({"key": str(key), "checkpoint": newest, "proof": path})
        old, new, _ = check_paper(note, answer, [*keys_under_signed_names(note, self._signer.keys), key])
        return ProvedPaper(old, new)


def _lines(parts: Iterator[bytes]) -> Iterator[str]:
    """Yield the lines of a file that comes in parts of any length."""
    rest = b""
    for part in parts:
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            yield f"{line.decode()}\n"
    if rest:
        yield rest.decode()
