"""The tree agrees with known vectors of RFC 6962 and obeys laws that hold for every tree."""

from __future__ import annotations

import hashlib
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.proof import tree
from adapters.proof.checker import EMPTY_ROOT, Refused, check_consistency, leaf_hash, node_hash, root_above
from adapters.proof.tiles import expanded

# The leaves and roots with which implementations of RFC 6962 are tested (Certificate Transparency, `merkletree`).
LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
# Paths from the same source: (leaf, size) and (old size, size).
PATHS = {
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
}
CONTINUATIONS = {
    (1, 1): [],
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}

LARGEST = 300


def nodes_over(leaves: list[bytes]) -> tree.Node:
    levels = expanded([leaf_hash(leaf) for leaf in leaves])
    return lambda level, index: levels[level][index]


@cache
def leaf(index: int) -> bytes:
    return hashlib.sha256(index.to_bytes(8)).digest()


ALL_NODES = nodes_over([leaf(index) for index in range(LARGEST)])


@cache
def root(size: int) -> bytes:
    return tree.root(ALL_NODES, size)


def by_definition(leaves: list[bytes]) -> bytes:
    """Compute MTH literally as the RFC defines it."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + by_definition(leaves[:k]) + by_definition(leaves[k:])).digest()


def test_known_trees_have_their_known_roots():
    roots = [tree.root(nodes_over(LEAVES[:size]), size).hex() for size in range(1, 9)]
    assert roots == ROOTS
    assert tree.root(nodes_over([]), 0) == EMPTY_ROOT


@pytest.mark.parametrize(("index", "size"), PATHS)
def test_known_leaves_have_their_known_paths(index: int, size: int):
    path = tree.inclusion(nodes_over(LEAVES[:size]), index, size)
    assert [node.hex() for node in path] == PATHS[index, size]
    assert root_above(leaf_hash(LEAVES[index]), index, size, path).hex() == ROOTS[size - 1]


@pytest.mark.parametrize(("old", "size"), CONTINUATIONS)
def test_known_continuations_have_their_known_paths(old: int, size: int):
    path = tree.consistency(nodes_over(LEAVES), old, size)
    assert [node.hex() for node in path] == CONTINUATIONS[old, size]
    check_consistency(old, bytes.fromhex(ROOTS[old - 1]), size, bytes.fromhex(ROOTS[size - 1]), path)


@given(st.integers(0, LARGEST))
def test_a_root_equals_the_one_computed_by_definition(size: int):
    assert root(size) == by_definition([leaf(index) for index in range(size)])


def test_every_leaf_of_every_small_tree_is_proved():
    for size in range(1, 40):
        for index in range(size):
            path = tree.inclusion(ALL_NODES, index, size)
            assert root_above(leaf_hash(leaf(index)), index, size, path) == root(size)


def test_every_small_tree_is_consistent_with_every_smaller_one():
    for size in range(70):
        for old in range(size + 1):
            check_consistency(old, root(old), size, root(size), tree.consistency(ALL_NODES, old, size))


SIZES = st.integers(1, LARGEST)
INSIDE = SIZES.flatmap(lambda size: st.tuples(st.integers(0, size - 1), st.just(size)))


def spoiled(data: st.DataObject, path: list[bytes]) -> list[bytes]:
    """Return a wrong path: with a flipped bit, a missing node, an extra node or two swapped nodes."""
    kind = data.draw(st.sampled_from(["more", "bit", "less", "order"] if path else ["more"]))
    place = data.draw(st.integers(0, len(path) - 1)) if path else 0
    match kind:
        case "bit":
            bit = data.draw(st.integers(0, 255))
            turned = (int.from_bytes(path[place]) ^ 1 << bit).to_bytes(32)
            return [*path[:place], turned, *path[place + 1 :]]
        case "less":
            return path[:place] + path[place + 1 :]
        case "order" if place:
            return [*path[: place - 1], path[place], path[place - 1], *path[place + 1 :]]
        case _:
            return [*path[:place], data.draw(st.sampled_from([*path, leaf(0), root(7)])), *path[place:]]


def proves(index: int, size: int, path: list[bytes], of: bytes, hash_: bytes) -> bool:
    try:
        return root_above(hash_, index, size, path) == of
    except Refused:
        return False


def continues(old: int, size: int, path: list[bytes], old_root: bytes, new_root: bytes) -> bool:
    try:
        check_consistency(old, old_root, size, new_root, path)
    except Refused:
        return False
    return True


@given(INSIDE, st.data())
def test_a_path_proves_only_its_leaf_at_its_index(place: tuple[int, int], data: st.DataObject):
    index, size = place
    path, hash_ = tree.inclusion(ALL_NODES, index, size), leaf_hash(leaf(index))
    assert proves(index, size, path, root(size), hash_)
    assert not proves(index, size, spoiled(data, path), root(size), hash_)
    other = data.draw(st.integers(0, LARGEST - 1).filter(lambda candidate: candidate != index))
    assert not proves(index, size, path, root(size), leaf_hash(leaf(other)))
    if other < size:
        assert not proves(other, size, path, root(size), hash_)
    assert not proves(index, size, path, root(size % LARGEST + 1), hash_)


@given(SIZES.flatmap(lambda size: st.tuples(st.integers(0, size), st.just(size))), st.data())
def test_consistency_is_proved_only_by_its_own_path(sizes: tuple[int, int], data: st.DataObject):
    old, size = sizes
    path = tree.consistency(ALL_NODES, old, size)
    assert continues(old, size, path, root(old), root(size))
    assert not continues(old, size, spoiled(data, path), root(old), root(size))
    other = data.draw(st.integers(0, LARGEST).filter(lambda candidate: candidate != old))
    assert not continues(old, size, path, root(other), root(size))
    if old:
        assert not continues(old, size, path, root(old), root(size % LARGEST + 1))
    assert not continues(size + 1, size, path, root(old), root(size))


def test_an_inner_node_cannot_pass_for_a_leaf():
    """Leaves and nodes are hashed differently, which prevents second preimages."""
    left, right = leaf_hash(leaf(0)), leaf_hash(leaf(1))
    assert leaf_hash(left + right) != node_hash(left, right)


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_a_leaf_outside_the_tree_has_no_path(index: int, size: int):
    with pytest.raises(ValueError, match="outside"):
        tree.inclusion(ALL_NODES, index, size)
    with pytest.raises(Refused):
        root_above(leaf(0), index, size, [])
    with pytest.raises(ValueError, match="larger"):
        tree.consistency(ALL_NODES, size + 1, size)
