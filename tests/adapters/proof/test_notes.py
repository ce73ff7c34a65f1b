"""Signed notes, keys and checkpoints follow the C2SP specifications signed-note and tlog-checkpoint."""

from __future__ import annotations

import base64

import pytest

from adapters.documents.qr import MAX_BYTES
from adapters.proof import checker
from adapters.proof.checker import AccessLogHead, Checkpoint, Key, Refused
from adapters.proof.checkpoints import LONGEST_ORIGIN, Signer, origin_of

# The example in the documentation of Go's package golang.org/x/mod/sumdb/note.
KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NOTE = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
SIGNER = Signer(("s" * 40,), "stories.example")
ROOT = bytes(range(32))


def refused(note: str, *keys: Key) -> bool:
    try:
        checker.signed_text(note, keys or SIGNER.keys)
    except Refused:
        return True
    return False


def test_a_note_that_another_program_signed_is_read():
    key = Key.parse(KEY)
    text, signer = checker.signed_text(NOTE, [key])
    assert signer == key
    assert text.endswith("what your problem is.\n")
    assert str(key) == KEY


def test_a_checkpoint_is_written_as_the_format_says():
    note = SIGNER.checkpoint(1234, ROOT)
    text, blank, signature = note.partition("\n\n")
    assert text.split("\n") == ["stories.example", "1234", base64.b64encode(ROOT).decode()]
    dash, name, code = signature.split(" ")
    assert (blank, dash, name) == ("\n\n", "—", "stories.example")
    assert len(base64.b64decode(code)) == 4 + 64
    assert base64.b64decode(code)[:4] == SIGNER.keys[0].id
    assert SIGNER.read(note) == Checkpoint("stories.example", 1234, ROOT)


def test_every_change_of_one_byte_is_refused():
    note = SIGNER.checkpoint(1234, ROOT)
    data = note.encode()
    for place in range(len(data)):
        for turned in (data[place] ^ 1, data[place] ^ 0x20, 0x0A, 0x20):
            if turned != data[place]:
                changed = data[:place] + bytes([turned]) + data[place + 1 :]
                assert refused(changed.decode("utf-8", "replace")), (place, turned)


@pytest.mark.parametrize("drop", [1, 2, 50, 100])
def test_a_truncated_note_is_refused(drop: int):
    assert refused(SIGNER.checkpoint(1234, ROOT)[:-drop])


def test_an_additional_signature_is_accepted_and_a_wrong_one_is_refused():
    note = SIGNER.checkpoint(1234, ROOT)
    other = Signer(("o" * 40,), "witness.example")
    both = note + other.sign(Checkpoint("stories.example", 1234, ROOT).text).rpartition("\n\n")[2]
    assert not refused(both)
    assert not refused(both, *other.keys)
    line = note.rpartition("\n\n")[2]
    assert refused(SIGNER.checkpoint(1235, ROOT).rpartition("\n\n")[0] + "\n\n" + line)


def test_a_note_is_valid_only_with_a_signature_of_its_key():
    note = SIGNER.checkpoint(1234, ROOT)
    assert refused(note, *Signer(("o" * 40,), "stories.example").keys)
    assert refused(note, *Signer(("s" * 40,), "other.example").keys)


def test_a_checkpoint_in_the_name_of_another_log_is_refused():
    note = SIGNER.sign(Checkpoint("other.example", 1, ROOT).text)
    with pytest.raises(Refused, match="another log"):
        SIGNER.read(note)


@pytest.mark.parametrize(
    "text",
    [
        "stories.example\n1234\n",
        "stories.example\n01\n" + base64.b64encode(ROOT).decode() + "\n",
        "stories.example\n-1\n" + base64.b64encode(ROOT).decode() + "\n",
        "stories.example\n1\n" + base64.b64encode(ROOT[:31]).decode() + "\n",
        "stories.example\n1\n" + base64.b64encode(ROOT).decode().rstrip("=") + "\n",
        "stories.example\n1\n" + base64.b64encode(ROOT).decode() + "\n\n",
        checker.statement("stories.example", "a ticket", 1, 2),
        "",
        "\n",
    ],
)
def test_a_signed_text_that_is_no_checkpoint_is_refused(text: str):
    with pytest.raises(Refused):
        SIGNER.read(SIGNER.sign(text))


def test_additional_lines_of_a_checkpoint_are_ignored():
    note = SIGNER.sign(Checkpoint("stories.example", 7, ROOT).text + "time 2031\n")
    assert SIGNER.read(note).size == 7


@pytest.mark.parametrize("entries", [0, 12_345])
def test_a_checkpoint_holds_the_head_of_the_access_log(entries: int):
    head = AccessLogHead(entries, ROOT)
    assert SIGNER.read(SIGNER.checkpoint(7, ROOT, head)).access_log == head
    assert SIGNER.read(SIGNER.checkpoint(7, ROOT)).access_log is None


@pytest.mark.parametrize("line", ["", " 5", " 05 {}", " -5 {}", " 5 {} ", " 5 AAAA", " 5 {}\naccess-log 5 {}"])
def test_a_line_about_the_access_log_that_cannot_be_read_is_refused(line: str):
    text = Checkpoint("stories.example", 7, ROOT).text
    with pytest.raises(Refused):
        SIGNER.read(SIGNER.sign(f"{text}access-log{line}\n".replace("{}", base64.b64encode(ROOT).decode())))


def test_a_replaced_key_stays_valid_and_the_new_one_signs():
    rotated = Signer(("n" * 40, "s" * 40), "stories.example")
    assert rotated.read(SIGNER.checkpoint(5, ROOT)).size == 5
    assert not refused(rotated.checkpoint(5, ROOT), rotated.keys[0])
    assert rotated.keys[1:] == SIGNER.keys


def test_a_renamed_log_recognizes_its_own_signature():
    moved = Signer(("s" * 40,), "new.example")
    assert moved.read(SIGNER.checkpoint(5, ROOT)).origin == "stories.example"


@pytest.mark.parametrize("place", range(len(KEY)))
def test_a_key_with_one_letter_changed_is_refused(place: int):
    changed = KEY[:place] + ("B" if KEY[place] != "B" else "C") + KEY[place + 1 :]
    with pytest.raises(Refused):
        Key.parse(changed)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://stories.example", "stories.example"),
        ("http://127.0.0.1:3003", "127.0.0.1:3003"),
        ("https://user:secret@stories.example/fund/", "stories.example/fund"),
    ],
)
def test_a_log_is_named_after_its_address(url: str, origin: str):
    assert origin_of(url) == origin


def test_a_note_always_fits_into_a_qr_code():
    for host in ("a" * 63 + ".example", "a" * LONGEST_ORIGIN, "a" * 250):
        signer = Signer(("s" * 40,), origin_of(f"https://{host}"))
        assert len(signer.checkpoint(10**18, ROOT, AccessLogHead(10**18, ROOT)).encode()) <= MAX_BYTES
        assert signer.read(signer.checkpoint(1, ROOT)).size == 1


def test_a_note_without_its_last_newline_is_read():
    note = SIGNER.checkpoint(1234, ROOT)
    for read in (note.rstrip("\n"), note.replace("\n", "\r\n"), f"\n{note}\n\n"):
        assert SIGNER.read(checker.normalized_note(read)).size == 1234
