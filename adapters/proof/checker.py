#!/usr/bin/env python3
"""Checks proofs of a Storyledger history offline. It needs Python 3.9 or newer and the library `cryptography`.

    python checker.py FILE --key KEY                   check a ticket's events, exported by `storyledger audit export`
    python checker.py --paper OLD FILE --key KEY       check that the log continues an older checkpoint: OLD is the
                                                       text of a printed QR code, FILE is the answer to
                                                       GET /checkpoint/consistency?from=SIZE_OF_THE_OLD_CHECKPOINT

The first command proves that the log signed by KEY holds these events, at these positions and with these bytes. The
second proves that the log of the older checkpoint is the beginning of the log of today. Get the key from the owner of
the log (GET /checkpoint/key of the service), and not from the file, which anybody can make with a key of their own.
The program exits 0 if the file is proved, 1 if it is refused, and 2 if arguments are wrong or missing.

Hashes and signatures:

- An event's link is SHA-256(the link before it, or 32 zero bytes | position, int64 | stream, 16 bytes | version, int32
  | ticket, 16 bytes | microseconds since 2000-01-01 UTC, int64 | bytes of the topic, int32 | topic | state), integers
  signed and big-endian.
- Links are the data of the leaves of a Merkle tree (RFC 6962, section 2.1); leaf 0 is position 1.
- A checkpoint is the tree's size and root in a signed note (C2SP tlog-checkpoint and signed-note, Ed25519). A further
  line, "access-log ENTRIES HEAD", holds the size and the last link of the log of what administrators did. --paper
  refuses an access log that is shorter than before; `storyledger audit verify --since OLD` recomputes all its links.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import json
import re
import struct
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FORMAT = "storyledger audit 1"
STATEMENT = "storyledger ticket history"
ACCESS_LOG = "access-log"
EMPTY_ROOT = hashlib.sha256(b"").digest()
ED25519 = b"\x01"
SIGNATURE_LINE = "\u2014 "
LONGEST_NOTE = 64 * 1024
EPOCH = datetime(2000, 1, 1, tzinfo=timezone.utc)  # noqa: UP017 (Python 3.9 has no other name for it)
MICROSECOND = timedelta(microseconds=1)

_CONTROL_CHARACTER = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
_NAME = re.compile(r"[^\s+\x00-\x1f\x7f]{1,255}")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


class Refused(Exception):
    """The input does not prove the claim; the message gives the reason."""


# The tree.


def leaf_hash(data: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_above(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """Return the root of the tree of `size` leaves that the leaf's path leads to (RFC 9162, section 2.1.3.2)."""
    if not 0 <= index < size:
        raise Refused("the leaf is outside the tree")
    here, last, root = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise Refused("the path is longer than the height of the tree")
        if here & 1 or here == last:
            root = node_hash(sibling, root)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            root = node_hash(root, sibling)
        here, last = here >> 1, last >> 1
    if last:
        raise Refused("the path is shorter than the height of the tree")
    return root


def check_consistency(old_size: int, old_root: bytes, size: int, root: bytes, path: Sequence[bytes]) -> None:
    """Raise Refused unless the path proves that the new tree begins with the old one (RFC 9162, section 2.1.4.2)."""
    if not 0 <= old_size <= size:
        raise Refused(f"the log has {size} events, fewer than before ({old_size})")
    if old_size in (0, size):
        if path or old_root != (root if old_size else EMPTY_ROOT):
            raise Refused("the log does not continue the older log")
        return
    nodes = list(path) if old_size & (old_size - 1) else [old_root, *path]
    if not nodes:
        raise Refused("the proof has no nodes")
    here, last = old_size - 1, size - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    before = after = nodes[0]
    for node in nodes[1:]:
        if last == 0:
            raise Refused("the proof is longer than the height of the tree")
        if here & 1 or here == last:
            before, after = node_hash(node, before), node_hash(node, after)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            after = node_hash(after, node)
        here, last = here >> 1, last >> 1
    if last or before != old_root or after != root:
        raise Refused("the log does not continue the older log")


# Notes, keys and checkpoints.


def _decoded(text: str, what: str, size: int | None = None) -> bytes:
    """Decode canonical Base64."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refused(f"{what} is not Base64") from None
    if base64.b64encode(data).decode() != text or (size is not None and len(data) != size):
        raise Refused(f"{what} has the wrong length or is not canonical Base64")
    return data


def key_id(name: str, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + ED25519 + public).digest()[:4]


@dataclass(frozen=True)
class Key:
    """A signer's name and Ed25519 public key; as text NAME+ID+KEY (C2SP signed-note, "vkey")."""

    name: str
    public: bytes

    @classmethod
    def parse(cls, text: str) -> Key:
        name, plus, rest = text.strip().partition("+")
        id_, plus2, code = rest.partition("+")
        if not plus or not plus2 or not _NAME.fullmatch(name):
            raise Refused("a key must have the form NAME+ID+KEY")
        data = _decoded(code, "the key", 33)
        if data[:1] != ED25519 or key_id(name, data[1:]).hex() != id_:
            raise Refused("the key does not match its id")
        return cls(name, data[1:])

    @property
    def id(self) -> bytes:
        return key_id(self.name, self.public)

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(ED25519 + self.public).decode()}"


def signatures(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    """Return a note's text with its final newline, and each signer's name with the key id and signature."""
    text, blank, signed = note.rpartition("\n\n")
    if not blank or not signed.endswith("\n") or len(note) > LONGEST_NOTE:
        raise Refused("this is not a signed note")
    if _CONTROL_CHARACTER.search(note):
        raise Refused("the note contains control characters")
    signers = []
    for line in signed[:-1].split("\n"):
        name, space, code = line.removeprefix(SIGNATURE_LINE).partition(" ")
        if not line.startswith(SIGNATURE_LINE) or not space or not _NAME.fullmatch(name):
            raise Refused("this is not a signed note")
        data = _decoded(code, "a signature")
        if len(data) < 5:
            raise Refused("a signature is too short")
        signers.append((name, data))
    return text + "\n", signers


def signed_text(note: str, keys: Iterable[Key]) -> tuple[str, Key]:
    """Return the note's text and the first of the keys that signed it; Refused if none did or a signature is wrong."""
    keys_by_id = {(key.name, key.id): key for key in keys}
    text, signers = signatures(note)
    signer = None
    for name, data in signers:
        key = keys_by_id.get((name, data[:4]))
        if key is None:
            continue
        try:
            Ed25519PublicKey.from_public_bytes(key.public).verify(data[4:], text.encode())
        except InvalidSignature:
            raise Refused(f"the signature of {name} is wrong") from None
        signer = signer or key
    if signer is None:
        raise Refused("the note is not signed by any of the given keys")
    return text, signer


@dataclass(frozen=True)
class AccessLogHead:
    """The number of entries of the access log, and its last link, or 32 zero bytes."""

    entries: int
    link: bytes


@dataclass(frozen=True)
class Checkpoint:
    """The size of a log and the root of the tree over all of it, and the head of the access log beside it."""

    origin: str
    size: int
    root: bytes
    access_log: AccessLogHead | None = None

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Parse the text of a note; unknown lines after the first three are ignored."""
        lines = text.split("\n")
        if len(lines) < 4 or lines[-1] or not all(lines[:-1]) or not _NUMBER.fullmatch(lines[1]):
            raise Refused("this is not a checkpoint")
        return cls(lines[0], int(lines[1]), _decoded(lines[2], "the root", 32), _access_log(lines[3:-1]))

    @property
    def text(self) -> str:
        log = self.access_log
        access_log = "" if log is None else f"{ACCESS_LOG} {log.entries} {base64.b64encode(log.link).decode()}\n"
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n{access_log}"


def _access_log(lines: Sequence[str]) -> AccessLogHead | None:
    """Return the head of the access log; the first checkpoints had none."""
    heads = [line.split(" ") for line in lines if line.split(" ")[0] == ACCESS_LOG]
    if not heads:
        return None
    if len(heads) > 1 or len(heads[0]) != 3 or not _NUMBER.fullmatch(heads[0][1]):
        raise Refused("the checkpoint's line about the access log cannot be read")
    return AccessLogHead(int(heads[0][1]), _decoded(heads[0][2], "the access log's head", 32))


def normalized_note(note: str) -> str:
    """Return the note with the line ends that a scanner or an editor may have changed."""
    return note.replace("\r\n", "\n").strip() + "\n"


def checkpoint_of(note: str, keys: Iterable[Key]) -> tuple[Checkpoint, Key]:
    """Return the checkpoint of a signed note and its signer, whose name must be that of the log."""
    text, key = signed_text(note, keys)
    checkpoint = Checkpoint.parse(text)
    if checkpoint.origin != key.name:
        raise Refused("the checkpoint is of another log")
    return checkpoint, key


def keys_under_signed_names(note: str, keys: Iterable[Key]) -> list[Key]:
    """Return the keys under every name in the note's signatures: a log that moved has a new name and the same key."""
    names = {name for name, _ in signatures(note)[1]}
    return [Key(name, key.public) for key in keys for name in sorted(names)]


def statement(origin: str, ticket: str, events: int, size: int) -> str:
    """Return the statement that the operator signs: the number of the ticket's events among the first `size`."""
    return f"{STATEMENT}\n{origin}\n{ticket}\n{events}\n{size}\n"


# Events.


def covered(position: int, stream: UUID, version: int, ticket: UUID, micros: int, topic: bytes, state: bytes) -> bytes:
    """Return the bytes of an event that its link covers."""
    return b"".join(
        (
            struct.pack(">q", position), stream.bytes, struct.pack(">i", version), ticket.bytes,
            struct.pack(">q", micros), struct.pack(">i", len(topic)), topic, state,
        )
    )  # fmt: skip


def canonical_json(value: Any) -> str:
    """Return the value as JSON in the only form that an export may have."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _link(event: dict[str, Any]) -> bytes:
    try:
        moment = event["recordedAt"]
        micros = (datetime.fromisoformat(moment.removesuffix("Z") + "+00:00") - EPOCH) // MICROSECOND
        stream, ticket = UUID(event["stream"]), UUID(event["ticket"])
        if (str(stream), str(ticket)) != (event["stream"], event["ticket"]) or not _MOMENT.fullmatch(moment):
            raise ValueError
        topic, state = event["topic"].encode(), event["state"].encode()
        data = covered(event["position"], stream, event["version"], ticket, micros, topic, state)
    except (KeyError, TypeError, ValueError, AttributeError, struct.error):
        raise Refused("the event cannot be parsed") from None
    return hashlib.sha256(_decoded(event["previous"], "a link", 32) + data).digest()


@dataclass
class Finding:
    """The result of a check: these events of the ticket are in the log that `key` signs, in this order."""

    ticket: str
    checkpoint: Checkpoint
    key: Key
    pinned: bool
    events: int = 0
    streams: dict[str, int] = field(default_factory=dict)
    first: str | None = None
    last: str | None = None


# The first line of the file leaves these brackets open, and the last line closes them.
CLOSING = "]}"
SPACE = " \t\r\n"
HEADER = ["format", "ticket", "key", "checkpoint", "statement", "events"]
EVENT = ["position", "stream", "version", "topic", "ticket", "recordedAt", "state", "previous", "proof"]


def _read(text: str) -> Any:
    """Parse canonical JSON: any other form might be read in two ways."""
    try:
        value = json.loads(text)
        if canonical_json(value) == text:
            return value
    except (ValueError, RecursionError):
        pass
    raise Refused("the line does not have the form of an export")


def check(lines: Iterable[str], keys: Sequence[Key] = ()) -> Finding:
    """Check an exported file line by line and return what it proves; Refused names the line that is wrong.

    Without `keys`, the key in the file is used.
    """
    number = 0

    def counted() -> Iterator[str]:
        nonlocal number
        for number, line in enumerate(lines, 1):  # noqa: B007 (used in the error)
            yield line

    try:
        return _checked(counted(), keys)
    except Refused as refused:
        raise Refused(f"line {number}: {refused}") from None


def _checked(lines: Iterator[str], keys: Sequence[Key]) -> Finding:
    header = _read(next(lines, "").strip(SPACE) + CLOSING)
    if not isinstance(header, dict) or list(header) != HEADER or header["format"] != FORMAT or header["events"]:
        raise Refused("this is not an export of a ticket's history")
    if not all(isinstance(header[name], str) for name in HEADER[:-1]):
        raise Refused("this is not an export of a ticket's history")
    file_key = Key.parse(header["key"])
    if keys and file_key not in keys:
        raise Refused("the file is signed with another key than the one that you trust")
    checkpoint, key = checkpoint_of(header["checkpoint"], [file_key])
    signed_statement, _ = signed_text(header["statement"], [file_key])
    finding = Finding(header["ticket"], checkpoint, key, pinned=bool(keys))
    position, comma = 0, ","
    for line in lines:
        text = line.strip(SPACE)
        if text == CLOSING:
            break
        if not comma:
            raise Refused("the line does not have the form of an export")
        comma = "," if text.endswith(",") else ""
        event = _read(text.removesuffix(","))
        if not isinstance(event, dict) or list(event) != EVENT:
            raise Refused("the event cannot be parsed")
        _check_event(event, finding, position)
        position = event["position"]
    else:
        raise Refused("the file ends too early")
    if comma or any(line.strip(SPACE) for line in lines):
        raise Refused("the line does not have the form of an export")
    if signed_statement != statement(checkpoint.origin, finding.ticket, finding.events, checkpoint.size):
        raise Refused(f"the file has {finding.events} events, but the signed statement about the ticket says otherwise")
    return finding


def _check_event(event: dict[str, Any], finding: Finding, last: int) -> None:
    position, version, proof = event["position"], event["version"], event["proof"]
    if type(position) is not int or type(version) is not int or position <= last:
        raise Refused("the events are out of order")
    if not isinstance(proof, list) or not all(isinstance(node, str) for node in proof):
        raise Refused("the event cannot be parsed")
    path = [_decoded(node, "a node", 32) for node in proof]
    size = finding.checkpoint.size
    if root_above(leaf_hash(_link(event)), position - 1, size, path) != finding.checkpoint.root:
        raise Refused(f"event {position} is not in the log with these contents")
    if event["ticket"] != finding.ticket:
        raise Refused(f"event {position} belongs to another ticket")
    if version != finding.streams.get(event["stream"], 0) + 1:
        raise Refused(f"an event of the same stream is missing before event {position}")
    finding.streams[event["stream"]] = version
    finding.events += 1
    finding.first = finding.first or event["recordedAt"]
    finding.last = event["recordedAt"]


def check_paper(paper: str, answer: str, keys: Sequence[Key] = ()) -> tuple[Checkpoint, Checkpoint, Key]:
    """Return the old and the new checkpoint and the key; Refused unless the new log begins with the old one."""
    try:
        fields = json.loads(answer)
        key, note = Key.parse(fields["key"]), str(fields["checkpoint"])
        path = [_decoded(node, "a node", 32) for node in fields["proof"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Refused("this is not an answer of /checkpoint/consistency") from None
    if keys and key not in keys:
        raise Refused("the file is signed with another key than the one that you trust")
    new, _ = checkpoint_of(note, [key])
    paper = normalized_note(paper)
    old, _ = checkpoint_of(paper, keys_under_signed_names(paper, [key, *keys]))
    check_consistency(old.size, old.root, new.size, new.root, path)
    _check_access_log(old.access_log, new.access_log)
    return old, new, key


def _check_access_log(old: AccessLogHead | None, new: AccessLogHead | None) -> None:
    if old is None:
        return
    if new is None or new.entries < old.entries:
        now = "no" if new is None else new.entries
        raise Refused(f"the access log has {now} entries, fewer than before ({old.entries})")
    if new.entries == old.entries and new.link != old.link:
        raise Refused("the access log does not continue the older one")


UNKNOWN_OWNER = "the key in the file, which does not show whose log this is"


def described(finding: Finding) -> str:
    """Return a description of what the file proves and what it does not."""
    log = finding.checkpoint
    counts = ((finding.events, "event"), (len(finding.streams), "stream"))
    events, streams = (f"{n} {noun}{'' if n == 1 else 's'}" for n, noun in counts)
    return (
        f"Ticket     {finding.ticket}\n"
        f"Log        {log.origin}, at {log.size} events\n"
        f"Signed by  {finding.key} ({'the key that you gave' if finding.pinned else UNKNOWN_OWNER})\n"
        f"Proved     {events} in {streams}, from {finding.first} to {finding.last}:\n"
        "           they are in the log, unaltered and in this order, and no stream has a gap.\n"
        "Stated     The signer states that the ticket had no other events then. Later events are not in this file.\n"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Check proofs of a Storyledger history offline.")
    parser.add_argument("file", help="the export of a ticket, or the answer of /checkpoint/consistency")
    parser.add_argument("--key", action="append", default=[], help="the key that you trust, as NAME+ID+KEY")
    parser.add_argument("--paper", help="a file with the text of a printed QR code")
    arguments = parser.parse_args()
    if not arguments.key:
        parser.error(
            "without --key this program does not know whose log this is: anybody can sign a log of their own."
            " Get the key from the owner of the log (GET /checkpoint/key of the service)"
        )
    try:
        keys = [Key.parse(text) for text in arguments.key]
    except Refused as refused:
        parser.error(f"--key: {refused}")
    try:
        with open(arguments.file, encoding="utf-8", newline="\n") as file:  # noqa: PTH123
            if arguments.paper is None:
                sys.stdout.write(described(check(file, keys)))
                return 0
            with open(arguments.paper, encoding="utf-8") as paper:  # noqa: PTH123
                old, new, key = check_paper(paper.read(LONGEST_NOTE), file.read(LONGEST_NOTE), keys)
        sys.stdout.write(
            f"The log of {new.size} events, signed by {key}, begins with the older log of {old.size} events.\n"
        )
    except (Refused, OSError, UnicodeDecodeError) as error:
        sys.stderr.write(f"refused: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
