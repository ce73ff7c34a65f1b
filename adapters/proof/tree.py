"""Proofs over a Merkle tree (RFC 6962, section 2.1) from the hashes of its complete subtrees.

`node(level, index)` returns the hash of the complete subtree over `1 << level` leaves from leaf `index << level` on.
Each root or proof calls it O(log n) times.
"""

from collections.abc import Callable

from adapters.proof.checker import EMPTY_ROOT, node_hash

Node = Callable[[int, int], bytes]


def root(node: Node, size: int) -> bytes:
    """Return the root over the first `size` leaves."""
    return _root(node, 0, size) if size else EMPTY_ROOT


def inclusion(node: Node, index: int, size: int) -> list[bytes]:
    """Return the path from a leaf to the root over the first `size` leaves: PATH(index, D[size])."""
    if not 0 <= index < size:
        raise ValueError("the leaf is outside the tree")
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
    """Return the proof that the tree over `size` leaves begins with the one over `old`: PROOF(old, D[size])."""
    if not 0 <= old <= size:
        raise ValueError("the older tree is larger than the newer one")
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
    """Return the number of leaves under the left child: the largest power of two below their number."""
    return 1 << (leaves - 1).bit_length() - 1


def _root(node: Node, start: int, end: int) -> bytes:
    """Return the hash over a range of leaves that begins a subtree, folded from complete subtrees."""
    complete = []
    while start < end:
        level = (end - start).bit_length() - 1
        complete.append(node(level, start >> level))
        start += 1 << level
    folded = complete.pop()
    while complete:
        folded = node_hash(complete.pop(), folded)
    return folded
