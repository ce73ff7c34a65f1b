"""Encrypted content is decrypted to exactly what was encrypted, or refused."""

from __future__ import annotations

import io
import tracemalloc
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.encryption.content_cipher import (
    CHUNK_BYTES,
    HEADER_BYTES,
    TAG_BYTES,
    TamperedError,
    seal,
    unseal,
    unseal_range,
    unsealed_file,
)
from domain.errors import DomainError

KEY = bytes(range(32))
CONTEXT = b"tickets/1"
SEALED_CHUNK = CHUNK_BYTES + TAG_BYTES

sizes_around_borders = st.builds(
    lambda chunks, offset: max(0, chunks * CHUNK_BYTES + offset), st.integers(0, 4), st.integers(-2, 2)
)


def content(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def sealed(plain: bytes, key: bytes = KEY, context: bytes = CONTEXT) -> bytes:
    return b"".join(seal(io.BytesIO(plain), key, context))


def sealed_size(plain_bytes: int) -> int:
    chunks = max(1, -(-plain_bytes // CHUNK_BYTES))
    return HEADER_BYTES + plain_bytes + chunks * TAG_BYTES


def opened(stored: bytes, key: bytes = KEY, context: bytes = CONTEXT) -> bytes:
    return b"".join(unseal(io.BytesIO(stored), key, context))


def chunks_of(stored: bytes) -> list[bytes]:
    return [stored[start : start + SEALED_CHUNK] for start in range(HEADER_BYTES, len(stored), SEALED_CHUNK)]


class Trickle(io.RawIOBase):
    """A source that returns fewer bytes than it is asked for."""

    def __init__(self, data: bytes, step: int) -> None:
        self._rest = data
        self._step = step

    def read(self, size: int = -1) -> bytes:
        chunk, self._rest = self._rest[: min(size, self._step)], self._rest[min(size, self._step) :]
        return chunk


@given(size=sizes_around_borders)
@settings(max_examples=40, deadline=None)
def test_content_of_any_size_opens_as_it_was_sealed(size: int) -> None:
    stored = sealed(content(size))
    assert opened(stored) == content(size)
    assert len(stored) == sealed_size(size)


@given(size=sizes_around_borders, step=st.integers(1000, 200_000))
@settings(max_examples=20, deadline=None)
def test_a_source_that_returns_few_bytes_at_a_time_gives_the_same_content(size: int, step: int) -> None:
    stored = b"".join(seal(Trickle(content(size), step), KEY, CONTEXT))  # type: ignore[arg-type]
    assert b"".join(unseal(Trickle(stored, step), KEY, CONTEXT)) == content(size)  # type: ignore[arg-type]


@given(data=st.data(), size=sizes_around_borders)
@settings(max_examples=60, deadline=None)
def test_a_flipped_bit_anywhere_is_refused(data: st.DataObject, size: int) -> None:
    stored = bytearray(sealed(content(size)))
    place = data.draw(st.integers(0, len(stored) - 1))
    stored[place] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(TamperedError):
        opened(bytes(stored))


@given(data=st.data(), size=sizes_around_borders)
@settings(max_examples=60, deadline=None)
def test_content_cut_anywhere_is_refused(data: st.DataObject, size: int) -> None:
    stored = sealed(content(size))
    border = st.integers(0, 5).map(lambda chunk: HEADER_BYTES + chunk * SEALED_CHUNK)
    cut = data.draw(st.integers(0, len(stored) - 1) | border.filter(lambda place: place < len(stored)))
    with pytest.raises(TamperedError):
        opened(stored[:cut])


@given(size=sizes_around_borders, tail=st.binary(min_size=1, max_size=40) | st.just(bytes(SEALED_CHUNK)))
@settings(max_examples=40, deadline=None)
def test_content_with_something_added_is_refused(size: int, tail: bytes) -> None:
    with pytest.raises(TamperedError):
        opened(sealed(content(size)) + tail)


@given(places=st.lists(st.integers(0, 3), min_size=2, max_size=2, unique=True))
@settings(deadline=None)
def test_swapped_chunks_are_refused(places: list[int]) -> None:
    stored = sealed(content(4 * CHUNK_BYTES))
    chunks = chunks_of(stored)
    first, second = places
    chunks[first], chunks[second] = chunks[second], chunks[first]
    with pytest.raises(TamperedError):
        opened(stored[:HEADER_BYTES] + b"".join(chunks))


@pytest.mark.parametrize("missing", range(4))
def test_a_missing_chunk_is_refused(missing: int) -> None:
    stored = sealed(content(4 * CHUNK_BYTES))
    chunks = chunks_of(stored)
    del chunks[missing]
    with pytest.raises(TamperedError):
        opened(stored[:HEADER_BYTES] + b"".join(chunks))


def test_a_repeated_chunk_is_refused() -> None:
    stored = sealed(content(2 * CHUNK_BYTES))
    with pytest.raises(TamperedError):
        opened(stored + chunks_of(stored)[-1])


def test_a_chunk_of_another_content_is_refused_even_under_the_same_key() -> None:
    first, other = sealed(content(2 * CHUNK_BYTES)), sealed(content(2 * CHUNK_BYTES))
    with pytest.raises(TamperedError):
        opened(first[: HEADER_BYTES + SEALED_CHUNK] + chunks_of(other)[1])


@given(key=st.binary(min_size=32, max_size=32).filter(lambda key: key != KEY))
@settings(max_examples=20, deadline=None)
def test_another_key_opens_nothing(key: bytes) -> None:
    with pytest.raises(TamperedError):
        opened(sealed(b"a story"), key=key)


@given(context=st.binary().filter(lambda context: context != CONTEXT))
@settings(max_examples=20, deadline=None)
def test_another_context_opens_nothing(context: bytes) -> None:
    with pytest.raises(TamperedError):
        opened(sealed(b"a story"), context=context)


@given(noise=st.binary(max_size=200))
@settings(deadline=None)
def test_bytes_that_were_never_sealed_are_refused(noise: bytes) -> None:
    with pytest.raises(TamperedError):
        opened(noise)


def test_sealing_the_same_content_twice_gives_different_bytes() -> None:
    assert sealed(b"a story") != sealed(b"a story")
    assert b"a story" not in sealed(b"a story")


def test_the_bytes_before_a_damaged_chunk_are_authentic() -> None:
    plain = content(3 * CHUNK_BYTES)
    stored = bytearray(sealed(plain))
    stored[HEADER_BYTES + 2 * SEALED_CHUNK + 5] ^= 1
    yielded: list[bytes] = []
    with pytest.raises(TamperedError):
        yielded.extend(unseal(io.BytesIO(stored), KEY, CONTEXT))
    assert b"".join(yielded) == plain[: 2 * CHUNK_BYTES]


def test_a_short_key_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        list(seal(io.BytesIO(b""), b"short", CONTEXT))


def test_an_unsealed_file_is_at_its_beginning_and_seekable() -> None:
    plain = content(CHUNK_BYTES + 1)
    with unsealed_file(io.BytesIO(sealed(plain)), KEY, CONTEXT) as file:
        assert file.fileno() > 0
        assert file.read() == plain
        assert file.seek(1) == 1


def test_damaged_content_is_not_opened_as_a_file() -> None:
    with pytest.raises(DomainError):
        unsealed_file(io.BytesIO(sealed(b"a story")[:-1]), KEY, CONTEXT)


class Endless(io.RawIOBase):
    """A source of many bytes that are never in memory at the same time."""

    def __init__(self, size: int) -> None:
        self._left = size

    def read(self, size: int = -1) -> bytes:
        length = min(size, self._left)
        self._left -= length
        return bytes(length)


def test_memory_stays_small_for_large_content() -> None:
    source: BinaryIO = Endless(50_000_000)  # type: ignore[assignment]
    tracemalloc.start()
    try:
        assert sum(map(len, seal(source, KEY, CONTEXT))) == sealed_size(50_000_000)
        assert tracemalloc.get_traced_memory()[1] < 10 * CHUNK_BYTES
    finally:
        tracemalloc.stop()


# Ranges.


def opened_range(stored: bytes, size: int, start: int, stop: int) -> bytes:
    return b"".join(unseal_range(io.BytesIO(stored), KEY, CONTEXT, size, start, stop))


@given(sizes_around_borders, st.data())
def test_every_range_is_the_slice_of_the_content(size: int, data: st.DataObject):
    plain = content(size)
    start = data.draw(st.integers(0, size))
    stop = data.draw(st.integers(start, size))
    assert opened_range(sealed(plain), size, start, stop) == plain[start:stop]


def test_a_range_of_changed_or_shortened_content_is_refused():
    plain = content(3 * CHUNK_BYTES)
    stored = sealed(plain)
    changed = stored[:-1] + bytes([stored[-1] ^ 1])
    assert opened_range(changed, len(plain), 0, 10) == plain[:10]
    for damaged in (changed, stored[:-SEALED_CHUNK]):
        with pytest.raises(TamperedError):
            opened_range(damaged, len(plain), 0, len(plain))
