"""Contents are stored under their hash, and readable with their ticket's key until it is destroyed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.encryption.keyring import Keyring
from adapters.encryption.ticket_keys import TICKET_KEYRING, TicketKeys
from adapters.postgres.database import Database
from adapters.storage.contents import JsonTranscripts, SealedContents
from adapters.storage.files import FileStorage
from domain.errors import DomainError, NotFoundError
from domain.ports import Contents
from domain.values import Content, Segment, Transcript, Word
from tests.fakes.stores import MemoryContents

SOUND = b"a recording of somebody" * 100


@pytest.fixture
def storage(tmp_path: Path) -> FileStorage:
    return FileStorage(tmp_path / "storage")


@pytest.fixture
def keys(database: Database) -> TicketKeys:
    return TicketKeys(database, Keyring(("m" * 40,), TICKET_KEYRING))


@pytest.fixture
def sealed(storage: FileStorage, keys: TicketKeys) -> SealedContents:
    return SealedContents(storage, keys)


@pytest.fixture
def new_ticket(request: pytest.FixtureRequest) -> Callable[[], UUID]:
    """Return a function that makes tickets with a key."""

    def make() -> UUID:
        ticket = uuid4()
        request.getfixturevalue("keys").get(ticket, create=True)
        return ticket

    return make


@pytest.fixture(params=["in memory", "sealed in files"])
def contents(request: pytest.FixtureRequest) -> Contents:
    if request.param == "in memory":
        return MemoryContents()
    sealed_contents: SealedContents = request.getfixturevalue("sealed")
    return sealed_contents


def read(contents: Contents, ticket: UUID, content: Content) -> bytes:
    with contents.open(ticket, content) as stored:
        return stored.read()


# The contract, which the fake keeps as well.


@pytest.mark.parametrize("data", [b"", b"x", SOUND])
def test_stored_content_can_be_read(contents: Contents, new_ticket: Callable[[], UUID], data: bytes):
    ticket = new_ticket()
    content = contents.keep(ticket, BytesIO(data))
    assert content == Content(hashlib.sha256(data).hexdigest(), len(data))
    assert read(contents, ticket, content) == data


def test_content_is_read_from_its_beginning_and_storing_it_again_changes_nothing(
    contents: Contents, new_ticket: Callable[[], UUID]
):
    ticket, source = new_ticket(), BytesIO(SOUND)
    source.seek(50)
    first = contents.keep(ticket, source)
    assert contents.keep(ticket, BytesIO(SOUND)) == first
    assert read(contents, ticket, first) == SOUND


def test_opened_content_is_seekable(contents: Contents, new_ticket: Callable[[], UUID]):
    ticket = new_ticket()
    with contents.open(ticket, contents.keep(ticket, BytesIO(SOUND))) as stored:
        stored.seek(-8, 2)
        assert stored.read() == SOUND[-8:]
        stored.seek(0)
        assert stored.read(1) == SOUND[:1]


def test_a_ticket_has_only_its_own_content(contents: Contents, new_ticket: Callable[[], UUID]):
    content = contents.keep(new_ticket(), BytesIO(SOUND))
    with pytest.raises(NotFoundError):
        read(contents, new_ticket(), content)


def test_an_erased_ticket_has_no_content_and_accepts_none(contents: Contents, new_ticket: Callable[[], UUID]):
    ada, grace = new_ticket(), new_ticket()
    content = contents.keep(ada, BytesIO(SOUND))
    contents.keep(grace, BytesIO(SOUND))
    for _ in range(2):
        contents.erase(ada)
    with pytest.raises(NotFoundError):
        read(contents, ada, content)
    with pytest.raises(NotFoundError):
        contents.keep(ada, BytesIO(SOUND))
    assert read(contents, grace, content) == SOUND


@given(st.data())
def test_a_range_of_content_is_the_slice_of_its_bytes(
    contents: Contents, new_ticket: Callable[[], UUID], data: st.DataObject
):
    ticket = new_ticket()
    content = contents.keep(ticket, BytesIO(SOUND))
    start = data.draw(st.integers(0, len(SOUND)))
    stop = data.draw(st.integers(start, len(SOUND)))
    assert b"".join(contents.read(ticket, content, start, stop)) == SOUND[start:stop]


def test_a_range_of_content_that_is_not_there_is_refused_before_it_is_read(
    contents: Contents, new_ticket: Callable[[], UUID]
):
    ticket = new_ticket()
    with pytest.raises(NotFoundError):
        contents.read(ticket, Content("0" * 64, 1), 0, 1)
    content = contents.keep(ticket, BytesIO(SOUND))
    contents.erase(ticket)
    with pytest.raises(NotFoundError):
        contents.read(ticket, content, 0, 1)


# Encrypted files.


def stored_bytes(storage: FileStorage) -> Iterator[bytes]:
    for key in storage.keys():  # noqa: SIM118 - it is no mapping
        with storage.open(key) as file:
            yield file.read()


def test_content_is_unreadable_in_storage(storage: FileStorage, sealed: SealedContents, new_ticket: Callable[[], UUID]):
    sealed.keep(new_ticket(), BytesIO(SOUND))
    [stored] = stored_bytes(storage)
    assert SOUND[:23] not in stored


def test_content_moved_to_another_ticket_cannot_be_opened(
    storage: FileStorage, sealed: SealedContents, new_ticket: Callable[[], UUID]
):
    ada, grace = new_ticket(), new_ticket()
    content = sealed.keep(ada, BytesIO(SOUND))
    with storage.open(f"tickets/{ada}/{content.sha256}") as stored:
        storage.put(f"tickets/{grace}/{content.sha256}", stored)
    with pytest.raises(DomainError):
        read(sealed, grace, content)


def test_erasure_leaves_no_file_behind(storage: FileStorage, sealed: SealedContents, new_ticket: Callable[[], UUID]):
    ticket = new_ticket()
    for data in (b"one", b"two"):
        sealed.keep(ticket, BytesIO(data))
    sealed.erase(ticket)
    assert list(storage.keys()) == []


def test_a_failing_source_leaves_no_content_behind(
    storage: FileStorage, sealed: SealedContents, new_ticket: Callable[[], UUID]
):
    class Broken(BytesIO):
        reads = 0

        def read(self, size: int | None = -1, /) -> bytes:
            self.reads += 1
            if self.reads > 3:
                raise OSError("the disk is gone")
            return super().read(size)

    source: BinaryIO = Broken(SOUND)
    with pytest.raises(OSError, match="the disk is gone"):
        sealed.keep(new_ticket(), source)
    assert list(storage.keys()) == []


# Transcripts.

words = st.text(st.characters(codec="utf-8"), max_size=10)
moments = st.integers(0, 10**9)
transcripts = st.builds(
    Transcript,
    words,
    st.none() | st.just("en"),
    st.just("fake"),
    st.none() | st.lists(st.builds(Segment, words, moments, moments, st.none() | words), max_size=3).map(tuple),
    st.none() | st.lists(st.builds(Word, words, moments, moments, st.none() | st.floats(0, 1)), max_size=3).map(tuple),
)


@given(transcripts)
def test_a_transcript_is_loaded_as_it_was_dumped(transcript: Transcript):
    store = JsonTranscripts()
    assert store.load(store.dump(transcript)) == transcript


def test_a_transcript_is_plain_json():
    assert (
        JsonTranscripts().dump(Transcript("Hello.", None, "fake"))
        == b'{"text":"Hello.","language":null,"engine":"fake"}'
    )
