"""Canaries in all personal data of one person, and a search for them in every encoding."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path

# Part of every canary. It is long and neither a word nor hexadecimal, so it occurs nowhere by chance.
STEM = "qzkanarix"
PHONE = "+14155552671"
# Personal data in the demonstration recording.
IN_RECORDING = ("David Miller", "small apartment")


class Canaries:
    """Makes canaries that are all different, and records the purpose of each."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self.planted: dict[str, str] = {}

    def __call__(self, purpose: str) -> str:
        letters = "".join(chr(ord("a") + int(digit)) for digit in str(next(self._numbers)))
        canary = f"{STEM}{letters}"
        self.planted[canary] = purpose
        return canary


def _in_base64(text: bytes) -> Iterator[bytes]:
    """Return the text in base64 at each of its three possible offsets."""
    for before in range(3):
        code = base64.b64encode(b"\0" * before + text)
        yield code[-(-before * 8 // 6) : (before + len(text)) * 8 // 6]


def _hidden(text: str) -> Iterator[bytes]:
    plain = text.encode()
    wide = [text.encode("utf-16-le"), text.encode("utf-16-be")]
    coded = [plain, *wide, *_in_base64(plain), *(code for encoded in wide for code in _in_base64(encoded))]
    yield from coded
    yield from (code.hex().encode() for code in coded)
    yield "".join(f"%{byte:02x}" for byte in plain).encode()
    yield "".join(f"\\u{ord(letter):04x}" for letter in text).encode()
    yield plain[::-1]


# In lower case, like the searched data, which is many times faster than one regular expression.
NEEDLES = sorted({code.lower() for text in (STEM, PHONE.removeprefix("+"), *IN_RECORDING) for code in _hidden(text)})


def found_in(data: bytes) -> list[str]:
    """Return each canary with the text around it."""
    lowered = data.lower()
    return [
        repr(data[max(0, start - 160) : start + len(needle) + 60].decode(errors="replace"))
        for needle in NEEDLES
        for start in _starts(lowered, needle)
    ]


def _starts(data: bytes, needle: bytes) -> Iterator[int]:
    start = data.find(needle)
    while start >= 0:
        yield start
        start = data.find(needle, start + 1)


def found_under(folder: Path) -> list[str]:
    """Return the same for the names and contents of all files below a folder."""
    hits = []
    for path in folder.rglob("*"):
        hits += [f"{path}: name"] if found_in(str(path.relative_to(folder)).encode()) else []
        if path.is_file():
            hits += [f"{path.relative_to(folder)}: {hit}" for hit in found_in(path.read_bytes())]
    return hits


class Watch:
    """Records the arguments of a process and its children for the duration of the block."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.seen: set[bytes] = set()

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.02):
            for pid in [self._pid, *_children(self._pid)]:
                try:
                    self.seen.add(Path(f"/proc/{pid}/cmdline").read_bytes())
                except OSError:
                    continue


def _children(pid: int) -> Iterator[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = {int(child) for task in tasks for child in (task / "children").read_text().split()}
    except OSError:
        return
    for child in children:
        yield child
        yield from _children(child)
