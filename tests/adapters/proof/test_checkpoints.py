"""Checkpoints are signed at intervals, stored, and served with proofs of their consistency."""

from __future__ import annotations

import json
import threading
from contextlib import nullcontext
from pathlib import Path

import pytest

from adapters.identity.access_log import AccessLog, AccessRecord
from adapters.postgres.database import Database, connect
from adapters.proof import checkpoints
from adapters.proof.checker import EMPTY_ROOT, AccessLogHead, Refused, check_paper, checkpoint_of
from adapters.proof.checkpoints import Checkpoints, Signer
from adapters.proof.follower import ProofFollower
from adapters.proof.published import PublishedCheckpoints
from adapters.storage.files import FileStorage
from tests.adapters.proof.growing import SIGNER, Unpublished, append, grow, sign
from tests.client import eventually

ROOT = bytes(range(32))


def signed(url: str, interval_seconds: float, signer: Signer = SIGNER) -> bool:
    grow(url)
    with connect(url) as connection:
        return checkpoints.sign_tree(connection, signer, Unpublished(), interval_seconds)


def test_no_checkpoint_is_signed_for_an_empty_history(migrated_url: str):
    assert not signed(migrated_url, 0)


def test_a_checkpoint_is_signed_only_for_new_events_and_not_before_the_interval_has_passed(database: Database):
    append(database, [3])
    assert signed(database.url, 60)
    assert not signed(database.url, 0)
    append(database, [1])
    assert not signed(database.url, 60)
    assert signed(database.url, 0)
    note = Checkpoints(database, SIGNER).latest()
    assert note is not None
    assert SIGNER.read(note).size == 4


def test_a_checkpoint_is_also_signed_when_only_the_access_log_has_grown(database: Database):
    append(database, [3])
    assert signed(database.url, 0)
    log_an_act(database)
    assert not signed(database.url, 60)
    assert signed(database.url, 0)
    assert not signed(database.url, 0)
    note = Checkpoints(database, SIGNER).latest()
    assert note is not None
    checkpoint = SIGNER.read(note)
    assert checkpoint.access_log is not None
    assert (checkpoint.size, checkpoint.access_log.entries) == (3, 1)


def log_an_act(database: Database) -> None:
    AccessLog(database).append(AccessRecord("admin:1", "keys create", "", "done", "r1"))


def test_a_new_key_signs_at_once(database: Database):
    append(database, [3])
    assert signed(database.url, 60)
    rotated = Signer(("n" * 40, "s" * 40), SIGNER.origin)
    assert signed(database.url, 60, rotated)
    note = Checkpoints(database, rotated).latest()
    assert note is not None
    assert checkpoint_of(note, rotated.keys[:1])[0].size == 3


def test_concurrent_processes_sign_one_checkpoint(database: Database):
    append(database, [30])
    grow(database.url)
    signed_by_thread: list[bool] = []
    threads = [threading.Thread(target=lambda: signed_by_thread.append(signed(database.url, 60))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(signed_by_thread) == [False, False, False, True]


def test_the_follower_extends_signs_and_publishes_the_tree(database: Database, tmp_path: Path):
    published = PublishedCheckpoints(FileStorage(tmp_path), SIGNER.read)
    follower = ProofFollower(database.url, SIGNER, published)
    follower.start()
    try:
        append(database, [20])
        checkpoints = Checkpoints(database, SIGNER)
        assert SIGNER.read(eventually(checkpoints.latest)) == published.newest()
        assert published.newest().size == 20
    finally:
        follower.stop()


def paper_and_answer(database: Database, *, signer: Signer = SIGNER) -> tuple[str, dict[str, object]]:
    append(database, [100])
    paper = sign(database.url)
    append(database, [300])
    sign(database.url, signer)
    proved = Checkpoints(database, signer).consistency_proof(100)
    assert proved is not None
    return paper, {"key": str(signer.keys[0]), "checkpoint": proved[0], "proof": proved[1]}


def test_the_current_log_continues_an_older_checkpoint(database: Database):
    paper, answer = paper_and_answer(database)
    old, new, key = check_paper(paper, json.dumps(answer), SIGNER.keys)
    assert (old.size, new.size, key) == (100, 400, SIGNER.keys[0])


def test_a_checkpoint_from_before_the_log_was_renamed_is_valid(database: Database):
    paper, answer = paper_and_answer(database, signer=Signer(("s" * 40,), "new.example"))
    old, new, _ = check_paper(paper, json.dumps(answer))
    assert (old.origin, new.origin) == (SIGNER.origin, "new.example")


def test_an_older_checkpoint_contradicts_a_rewritten_log(database: Database):
    paper, answer = paper_and_answer(database)
    forged = SIGNER.checkpoint(400, EMPTY_ROOT)
    with pytest.raises(Refused, match="does not continue"):
        check_paper(paper, json.dumps(answer | {"checkpoint": forged}))
    shorter = SIGNER.checkpoint(99, EMPTY_ROOT)
    with pytest.raises(Refused, match="fewer"):
        check_paper(paper, json.dumps(answer | {"checkpoint": shorter}))
    other = Signer(("o" * 40,), SIGNER.origin)
    with pytest.raises(Refused, match="another key"):
        check_paper(paper, json.dumps(answer), other.keys)
    with pytest.raises(Refused):
        check_paper(other.checkpoint(100, EMPTY_ROOT), json.dumps(answer))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (AccessLogHead(2, ROOT), AccessLogHead(1, ROOT), "1 entries, fewer than before"),
        (AccessLogHead(2, ROOT), None, "no entries, fewer than before"),
        (AccessLogHead(2, ROOT), AccessLogHead(2, bytes(32)), "does not continue the older one"),
        (AccessLogHead(2, ROOT), AccessLogHead(2, ROOT), None),
        (AccessLogHead(2, ROOT), AccessLogHead(3, bytes(32)), None),
        (None, AccessLogHead(1, ROOT), None),
    ],
)
def test_paper_contradicts_an_access_log_that_was_cut_or_rewritten(
    old: AccessLogHead | None, new: AccessLogHead | None, message: str | None
):
    answer = {"key": str(SIGNER.keys[0]), "checkpoint": SIGNER.checkpoint(5, ROOT, new), "proof": []}
    with nullcontext() if message is None else pytest.raises(Refused, match=message):
        check_paper(SIGNER.checkpoint(5, ROOT, old), json.dumps(answer), SIGNER.keys)


def test_there_is_no_consistency_proof_without_a_large_enough_checkpoint(database: Database):
    assert Checkpoints(database, SIGNER).consistency_proof(0) is None
    append(database, [3])
    sign(database.url)
    assert Checkpoints(database, SIGNER).consistency_proof(4) is None
    proved = Checkpoints(database, SIGNER).consistency_proof(0)
    assert proved is not None
    assert proved[1] == []
