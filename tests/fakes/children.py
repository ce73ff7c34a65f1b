"""Finds running child processes of the speech package under Linux."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

DECODER, RECOGNISER = b"adapters.confined.child_main", b"adapters.speech.recognizer_main"


def speech_children(parent: int, program: bytes = DECODER) -> list[int]:
    """Return the ids of a process's children that decode a recording, or that hold the model."""
    child_ids = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # the process has ended meanwhile
            parent_id = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent_id == parent and program in (folder / "cmdline").read_bytes():
                child_ids.append(int(folder.name))
    return child_ids
