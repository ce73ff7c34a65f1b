"""Proofs over a Merkle tree (RFC 6962, section 2.1) from the hashes of its complete subtrees.

`node(level, index)` is the hash of the complete subtree over the leaves from `index << level` on, `1 << level` of
them; it is asked for O(log n) of them for each root or proof.
"""

from __future__ import annotations

from collections.abc import Callable

from adapters.proof.checker import EMPTY_ROOT, node_hash

Node = Callable[[int, int], bytes]


def root(node: Node, size: int) -> bytes:
    """The root over the first `size` leaves."""
    return _root(node, 0, size) if size else EMPTY_ROOT


def inclusion(node: Node, index: int, size: int) -> list[bytes]:
    """The path from a leaf up to the root over the first `size` leaves: PATH(index, D[size])."""
    if not 0 <= index < size:
        raise ValueError("a leaf outside the tree")
    path = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _left(end - start)
        if index < middle:
            path.append(_root(node, middle, end))
            end = middle
        else:
            path.append(_root(node, start, middle))
            start = middle
    return path[::-1]


def consistency(node: Node, old: int, size: int) -> list[bytes]:
    """What proves the tree over `old` leaves to be the beginning of the one over `size`: PROOF(old, D[size])."""
    if not 0 <= old <= size:
        raise ValueError("a tree larger than the one it should be the beginning of")
    if old in (0, size):
        return []
    path = []
    start, end = 0, size
    while end != old:
        middle = start + _left(end - start)
        if old <= middle:
            path.append(_root(node, middle, end))
            end = middle
        else:
            path.append(_root(node, start, middle))
            start = middle
    if start:
        path.append(_root(node, start, end))
    return path[::-1]


def _left(leaves: int) -> int:
    """How many of them are under the left child: the largest power of two smaller than their number."""
    return 1 << (leaves - 1).bit_length() - 1


def _root(node: Node, start: int, end: int) -> bytes:
    """The hash over some leaves, where `start` is where a subtree of the tree starts: folded from complete ones."""
    complete = []
    while start < end:
        level = (end - start).bit_length() - 1
        complete.append(node(level, start >> level))
        start += 1 << level
    found = complete.pop()
    while complete:
        found = node_hash(complete.pop(), found)
    return found
