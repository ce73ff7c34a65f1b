"""Storage in a folder and in a bucket: an object is stored completely or not at all, and never elsewhere."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import resource
import secrets
import shutil
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import obstore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.storage.factory import open_storage
from adapters.storage.files import FileStorage
from adapters.storage.protocol import KEY, Storage
from adapters.storage.s3 import FIRST_WINDOW_BYTES, S3Storage
from domain.errors import NotFoundError, UnavailableError
from tests.client import free_port
from tests.fakes.s3.server import CREDENTIALS, LISTED_AT_ONCE, S3Server, s3_server

A_KEY = "tickets/6f9b/aa11"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "storage"


@pytest.fixture(params=["folder", "bucket"])
def storage(request: pytest.FixtureRequest) -> Storage:
    """Return each implementation of the storage in turn."""
    implementation: Storage = request.getfixturevalue(request.param)
    return implementation


@pytest.fixture
def folder(root: Path) -> FileStorage:
    return FileStorage(root)


@pytest.fixture
def bucket(s3: S3Server) -> S3Storage:
    s3.make_bucket(name := f"b{secrets.token_hex(8)}")
    return S3Storage(name, "below/here", endpoint=s3.url)


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with pytest.MonkeyPatch.context() as environment, s3_server() as server:
        for name, value in CREDENTIALS.items():
            environment.setenv(name, value)
        yield server


def files_below(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


def read(storage: Storage, key: str) -> bytes:
    with storage.open(key) as file:
        return file.read()


def test_a_stored_object_can_be_read(storage: Storage) -> None:
    storage.put(A_KEY, io.BytesIO(b"spoken"))
    assert read(storage, A_KEY) == b"spoken"
    assert storage.exists(A_KEY)


def test_an_object_is_stored_from_several_chunks(storage: Storage) -> None:
    storage.put(A_KEY, (piece for piece in (b"spo", b"", b"ken")))
    assert read(storage, A_KEY) == b"spoken"


def test_an_object_may_be_empty(storage: Storage) -> None:
    storage.put(A_KEY, [])
    assert read(storage, A_KEY) == b""


def test_putting_a_key_again_replaces_it(storage: Storage) -> None:
    storage.put(A_KEY, [b"first"])
    storage.put(A_KEY, [b"second"])
    assert read(storage, A_KEY) == b"second"
    assert len(list(storage.keys())) == 1


def test_an_open_object_can_be_read_to_its_end_after_it_was_deleted(storage: Storage) -> None:
    storage.put(A_KEY, [b"spoken"])
    with storage.open(A_KEY) as file:
        storage.delete(A_KEY)
        assert file.read() == b"spoken"


CONTENT = secrets.token_bytes(3 * 2**20 + 7)


def test_parts_of_an_object_are_read_wherever_they_are(storage: Storage) -> None:
    storage.put(A_KEY, [CONTENT])
    with storage.open_parts(A_KEY) as file:
        for start, size in ((2**21, 10), (0, 40), (40, 2**17), (len(CONTENT) - 3, 10), (len(CONTENT) + 5, 10)):
            file.seek(start)
            assert b"".join(iter(lambda size=size: file.read(size), b""))[:size] == CONTENT[start : start + size]
        file.seek(0)
        assert file.read() == CONTENT


def test_parts_of_an_empty_object_are_empty(storage: Storage) -> None:
    storage.put(A_KEY, [])
    with storage.open_parts(A_KEY) as file:
        assert file.read(10) == b""


def test_little_more_is_fetched_of_an_object_in_a_bucket_than_is_read(
    bucket: S3Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put(A_KEY, [CONTENT])
    fetched, get = [], obstore.get

    def counting(*place: Any, options: Any) -> Any:
        answer = get(*place, options=options)
        fetched.append(answer.range[1] - answer.range[0])
        return answer

    monkeypatch.setattr(obstore, "get", counting)
    with bucket.open_parts(A_KEY) as file:
        file.read(40)
        file.seek(2**21)
        assert file.read(100) == CONTENT[2**21 : 2**21 + 100]
    assert fetched == [FIRST_WINDOW_BYTES] * 2


def test_parts_of_two_objects_are_never_mixed(bucket: S3Storage) -> None:
    bucket.put(A_KEY, [CONTENT])
    with bucket.open_parts(A_KEY) as file:
        bucket.put(A_KEY, [CONTENT[::-1]])
        file.seek(2**21)
        with pytest.raises(UnavailableError):
            file.read(10)


def test_a_part_of_a_deleted_object_is_not_found(bucket: S3Storage) -> None:
    bucket.put(A_KEY, [CONTENT])
    with bucket.open_parts(A_KEY) as file:
        bucket.delete(A_KEY)
        file.seek(2**21)
        with pytest.raises(NotFoundError):
            file.read(10)


@pytest.mark.parametrize("key", ["tickets/none", "tickets", A_KEY + "/below"])
def test_an_absent_object_is_not_found(storage: Storage, key: str) -> None:
    storage.put(A_KEY, [b"spoken"])
    assert not storage.exists(key)
    for open_object in (storage.open, storage.open_parts):
        with pytest.raises(NotFoundError):
            open_object(key)


def test_deleting_an_absent_object_is_not_an_error(storage: Storage) -> None:
    storage.delete(A_KEY)
    storage.delete_prefix("tickets")
    storage.put(A_KEY, [b"spoken"])
    storage.delete("tickets")
    assert storage.exists(A_KEY)


def test_a_deleted_object_leaves_nothing(folder: FileStorage, root: Path) -> None:
    folder.put(A_KEY, [b"spoken"])
    folder.delete(A_KEY)
    assert not folder.exists(A_KEY)
    assert sorted(path.name for path in root.rglob("*")) == ["objects", "unfinished"]


def test_a_prefix_stands_for_everything_below_it_and_nothing_beside_it(storage: Storage) -> None:
    for key in ("tickets/a/1", "tickets/a/2", "tickets/a/deep/3", "tickets/ab/4"):
        storage.put(key, [b"x"])
    assert sorted(storage.keys("tickets/a")) == ["tickets/a/1", "tickets/a/2", "tickets/a/deep/3"]
    storage.delete_prefix("tickets/a")
    assert list(storage.keys()) == ["tickets/ab/4"]
    assert len(list(storage.keys())) == 1


def test_a_key_is_a_prefix_of_itself(storage: Storage) -> None:
    storage.put(A_KEY, [b"x"])
    assert list(storage.keys(A_KEY)) == [A_KEY]
    storage.delete_prefix(A_KEY)
    assert list(storage.keys()) == []


def test_the_empty_prefix_stands_for_everything(storage: Storage) -> None:
    storage.put(A_KEY, [b"x"])
    storage.put("single", [b"y"])
    storage.delete_prefix("")
    assert list(storage.keys()) == []
    storage.put(A_KEY, [b"again"])
    assert list(storage.keys("")) == [A_KEY]


HOSTILE_KEYS = [
    "",
    "/",
    "/etc/passwd",
    "..",
    "../outside",
    "a/../../outside",
    "a//b",
    "a/",
    "./a",
    "a/.hidden",
    "a\\b",
    "a\x00b",
    "a\n",
    "ä",
    "a b",
    "a" * 200,
    "/".join("a" * 20),
    "~root",
]


@pytest.mark.parametrize("key", HOSTILE_KEYS)
def test_an_invalid_key_is_refused(storage: Storage, key: str) -> None:
    for attempt in (storage.open, storage.exists, storage.delete, lambda key: storage.put(key, [b"x"])):
        with pytest.raises(ValueError, match="not a storage key"):
            attempt(key)
    assert list(storage.keys()) == []


@given(key=st.from_regex(KEY, fullmatch=True) | st.text(alphabet="./a\\\x00~", max_size=12))
def test_no_key_leads_out_of_the_folder(key: str) -> None:
    if KEY.fullmatch(key):
        assert Path(os.path.normpath(f"/root/{key}")).is_relative_to("/root")
        assert os.path.normpath(f"/root/{key}") == f"/root/{key}"
        assert len(f"/root/{key}") < 1100


def test_other_accounts_cannot_read_the_folder(folder: FileStorage, root: Path) -> None:
    before = os.umask(0)
    try:
        folder.put(A_KEY, [b"spoken"])
    finally:
        os.umask(before)
    for path in (root, *root.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


class SourceGone(Exception):
    pass


def test_a_failing_source_leaves_nothing_and_raises_its_own_error(folder: FileStorage, root: Path) -> None:
    def source() -> Iterator[bytes]:
        yield b"x" * 100_000
        raise SourceGone

    folder.put(A_KEY, [b"before"])
    with pytest.raises(SourceGone):
        folder.put(A_KEY, source())
    assert read(folder, A_KEY) == b"before"
    assert len(files_below(root)) == 1


def test_a_full_disk_is_unavailable_and_leaves_nothing(folder: FileStorage, root: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limits[1]))
    try:
        with pytest.raises(UnavailableError) as refusal:
            folder.put(A_KEY, io.BytesIO(bytes(2_000_000)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert A_KEY not in str(refusal.value)
    assert not folder.exists(A_KEY)
    assert files_below(root) == []


def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UnavailableError):
        FileStorage(tmp_path / "file" / "storage")


PUT_AND_HANG = """
import sys, time
from pathlib import Path
from adapters.storage.files import FileStorage

def source():
    yield b"half"
    print("writing", flush=True)
    time.sleep(60)

FileStorage(Path(sys.argv[1])).put("tickets/a/1", source())
"""


def test_unfinished_files_of_a_killed_process_are_removed_a_day_later(folder: FileStorage, root: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", PUT_AND_HANG, str(root)], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"writing\n"
    writer.kill()
    writer.communicate()
    assert list(folder.keys()) == []
    [unfinished] = files_below(root)

    FileStorage(root)
    assert unfinished.exists(), "a young file may still be written"

    yesterday = time.time() - 25 * 60 * 60
    os.utime(unfinished, (yesterday, yesterday))
    FileStorage(root)
    assert files_below(root) == []


def test_the_check_of_a_working_storage_leaves_nothing_behind(storage: Storage) -> None:
    storage.check()
    assert list(storage.keys()) == []


def test_a_folder_that_cannot_be_written_fails_its_check(folder: FileStorage, root: Path) -> None:
    shutil.rmtree(root)
    root.write_text("in the way")
    with pytest.raises(UnavailableError):
        folder.check()


# Buckets only.


def test_a_large_object_is_uploaded_in_parts_with_little_memory(s3: S3Server, bucket: S3Storage) -> None:
    size, digest = 50 * 2**20, hashlib.sha256()

    def source() -> Iterator[bytes]:
        for number in range(size // 2**20):
            chunk = bytes([number]) * 2**20
            digest.update(chunk)
            yield chunk

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    bucket.put(A_KEY, source())
    with bucket.open(A_KEY) as file:
        assert hashlib.file_digest(file, "sha256").digest() == digest.digest()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 * 1024


def test_a_failing_source_begins_no_upload(s3: S3Server) -> None:
    def source() -> Iterator[bytes]:
        yield b"x" * (6 * 2**20)
        raise SourceGone

    s3.make_bucket("unbegun")
    with pytest.raises(SourceGone):
        S3Storage("unbegun", endpoint=s3.url).put(A_KEY, source())
    assert "<Upload>" not in s3.uploads("unbegun")


def test_more_objects_than_one_listing_returns_are_listed_and_deleted(bucket: S3Storage) -> None:
    keys = {f"many/{number}" for number in range(2 * LISTED_AT_ONCE + 5)}
    for key in keys:
        bucket.put(key, [b"x"])
    assert set(bucket.keys("many")) == keys
    bucket.delete_prefix("many")
    assert list(bucket.keys()) == []


def test_two_prefixes_of_a_bucket_are_separate(s3: S3Server) -> None:
    s3.make_bucket("shared")
    first, second = S3Storage("shared", "one", endpoint=s3.url), S3Storage("shared", "other", endpoint=s3.url)
    first.put(A_KEY, [b"x"])
    second.delete_prefix("")
    assert (list(first.keys()), list(second.keys())) == ([A_KEY], [])


def test_a_missing_bucket_is_unavailable_and_not_named_in_the_error(s3: S3Server) -> None:
    storage = S3Storage("nowhere", endpoint=s3.url)
    for attempt in (
        lambda: storage.put(A_KEY, [b"x"]),
        lambda: storage.open(A_KEY),
        lambda: list(storage.keys()),
        storage.check,
    ):
        with pytest.raises(UnavailableError) as refusal:
            attempt()
        assert "nowhere" not in str(refusal.value)


def test_an_unreachable_store_is_unavailable_soon(s3: S3Server) -> None:
    storage = S3Storage("away", endpoint=f"http://127.0.0.1:{free_port()}")
    for attempt in (
        lambda: storage.put(A_KEY, [b"x"]),
        lambda: storage.open(A_KEY),
        lambda: storage.exists(A_KEY),
        lambda: storage.delete(A_KEY),
        lambda: storage.delete_prefix("tickets"),
        lambda: list(storage.keys()),
    ):
        started = time.monotonic()
        with pytest.raises(UnavailableError) as refusal:
            attempt()
        # By default the library retries for three minutes.
        assert time.monotonic() - started < 90
        assert A_KEY not in str(refusal.value)


def test_a_storage_is_opened_by_its_url(s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.make_bucket("named")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.url)
    for url in ((tmp_path / "a folder").as_uri(), "s3://named/some/where"):
        storage = open_storage(url)
        storage.put(A_KEY, [b"x"])
        assert read(storage, A_KEY) == b"x"
    assert (tmp_path / "a folder" / "objects" / A_KEY).exists()


def test_storing_succeeds_during_deletions_in_the_same_folder(storage: Storage) -> None:
    is_over = threading.Event()

    def delete() -> None:
        while not is_over.is_set():
            storage.delete("tickets/a/1")
            storage.delete_prefix("tickets")

    deleting = threading.Thread(target=delete)
    deleting.start()
    try:
        for number in range(20):
            storage.put(f"tickets/a/{number % 3}", [b"x"])
    finally:
        is_over.set()
        deleting.join()
    storage.put("tickets/a/0", [b"last"])
    assert read(storage, "tickets/a/0") == b"last"


def test_storing_succeeds_if_others_make_and_remove_the_folder_meanwhile(
    folder: FileStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, made_by_others = os.mkdir, ["tickets/a"]

    def mkdir(path: Path, mode: int) -> None:
        # Another thread makes the folder before us, and removes it before we look at it again.
        if made_by_others and str(path).endswith(made_by_others[-1]):
            raise FileExistsError(errno.EEXIST, made_by_others.pop())
        make(path, mode)

    monkeypatch.setattr(os, "mkdir", mkdir)
    folder.put("tickets/a/1", [b"x"])
    assert read(folder, "tickets/a/1") == b"x"
    assert not made_by_others


def test_a_folder_tells_its_free_space_and_a_bucket_has_no_size(folder: FileStorage, bucket: S3Storage) -> None:
    assert folder.free_bytes() > 0
    assert bucket.free_bytes() is None
