"""`storyledger audit …`: its output, the files it writes and its exit codes."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.postgres.database import connect
from adapters.proof.checker import Key, checkpoint_of
from adapters.proof.published import NEWEST, PublishedCheckpoints
from adapters.storage.files import FileStorage
from entrypoints.cli import main
from entrypoints.composition.generated_secrets import SECRETS_FILE, GeneratedSecrets
from entrypoints.composition.secrets import existing_signer
from entrypoints.composition.settings import SettingsError, load
from tests.adapters.proof.growing import grow, sign
from tests.benchmarks.world import write_history


class Ended(Exception):
    """Raised when a command exits with a code other than 0."""

    def __init__(self, code: int, out: str, err: str) -> None:
        super().__init__(code, err)
        self.code, self.out, self.err = code, out, err


Command = Callable[..., Any]


@pytest.fixture
def storyledger(
    migrated_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Command:
    """Run a command on this test's database and return its output, parsed with `--json`; raise Ended if it fails."""
    write_history(migrated_url, 10, tickets=2)
    GeneratedSecrets(tmp_path / "var")
    monkeypatch.setenv("DATABASE_URL", migrated_url)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "var"))

    def call(*words: str | Path) -> Any:
        monkeypatch.setattr(sys, "argv", ["storyledger", *map(str, words)])
        capfdbinary.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        read = capfdbinary.readouterr()
        out, err = read.out.decode(), read.err.decode()
        if ended.value.code:
            raise Ended(int(ended.value.code), out, err)
        return json.loads(out) if "--json" in words else out

    return call


def tamper(url: str, statement: str) -> Any:
    with connect(url) as connection:
        connection.execute("SET session_replication_role = replica")
        return connection.execute(statement.encode()).rowcount


def delete_published(data_dir: Path) -> None:
    """Delete the checkpoints in the storage, as somebody can who took over the service."""
    storage = FileStorage(data_dir / "storage")
    for key in list(storage.keys("checkpoints")):
        storage.delete(key)


def test_an_unaltered_history_is_verified_and_signed(storyledger: Command, tmp_path: Path):
    verdict = storyledger("audit", "verify", "--checkpoint", tmp_path / "now", "--json")
    assert (verdict["ok"], verdict["firstBad"]) == (True, None)
    assert verdict["events"] > 40
    assert (tmp_path / "now").read_text() == verdict["checkpoint"]
    keys = [Key.parse(text) for text in storyledger("audit", "key", "--json")["keys"]]
    assert checkpoint_of(verdict["checkpoint"], keys)[0].size == verdict["events"]
    assert "links hold" in storyledger("audit", "verify")
    assert storyledger("audit", "key").strip() == str(keys[0])


def test_an_altered_event_is_named_and_no_checkpoint_is_written(
    storyledger: Command, migrated_url: str, tmp_path: Path
):
    tamper(migrated_url, "UPDATE events SET version = 77 WHERE position = 9")
    with pytest.raises(Ended) as ended:
        storyledger("audit", "verify", "--checkpoint", tmp_path / "now", "--json")
    verdict = json.loads(ended.value.out)
    assert (verdict["ok"], verdict["events"], verdict["checkpoint"]) == (False, 8, None)
    assert verdict["firstBad"] == {"position": 9, "reason": "does not match its hash"}
    assert (ended.value.code, "event 9" in ended.value.err) == (1, True)
    assert not (tmp_path / "now").exists()


def test_an_altered_access_log_is_reported_although_the_history_is_intact(storyledger: Command, migrated_url: str):
    storyledger("keys", "create", "--role", "auditor", "--json")
    verdict = storyledger("audit", "verify", "--json")
    assert (verdict["ok"], verdict["accessLog"]) == (True, {"entries": 2, "firstBad": None})
    assert "2 entries of the access log" in storyledger("audit", "verify")
    # The first entry is altered last, because only the first fault is reported.
    for statement, position, reason in (
        ("UPDATE access_log SET actor = 'nobody' WHERE position = 2", 2, "does not match its hash"),
        ("UPDATE access_log SET position = 0 WHERE position = 1", 0, "added"),
        ("DELETE FROM access_log WHERE position = 0", 1, "missing"),
    ):
        assert tamper(migrated_url, statement) == 1
        with pytest.raises(Ended) as ended:
            storyledger("audit", "verify", "--json")
        report = json.loads(ended.value.out)
        assert (report["ok"], report["firstBad"], report["events"]) == (False, None, verdict["events"])
        assert report["accessLog"]["firstBad"] == {"position": position, "reason": reason}
        assert (ended.value.code, f"access log entry {position} {reason}" in ended.value.err) == (1, True)


def test_an_older_checkpoint_reveals_that_the_last_events_are_missing(
    storyledger: Command, migrated_url: str, tmp_path: Path
):
    verdict = storyledger("audit", "verify", "--checkpoint", tmp_path / "then", "--json")
    assert "continue" in storyledger("audit", "verify", "--since", tmp_path / "then")
    write_history(migrated_url, 2, tickets=1)
    assert storyledger("audit", "verify", "--since", tmp_path / "then", "--json")["ok"]
    last = verdict["events"]
    tamper(migrated_url, f"DELETE FROM events WHERE position >= {last}")
    tamper(migrated_url, "DELETE FROM proof_tiles")
    delete_published(tmp_path / "var")
    assert storyledger("audit", "verify", "--json")["ok"]
    with pytest.raises(Ended) as ended:
        storyledger("audit", "verify", "--since", tmp_path / "then", "--json")
    assert json.loads(ended.value.out)["firstBad"]["position"] == last
    assert ended.value.code == 1


def test_an_older_checkpoint_reveals_that_the_access_log_was_cut_or_written_anew(
    storyledger: Command, migrated_url: str, tmp_path: Path
):
    def create_keys() -> None:
        for _ in range(2):
            storyledger("keys", "create", "--role", "auditor", "--json")

    cut = "missing: a checkpoint of 4 entries was signed"
    create_keys()
    storyledger("audit", "verify", "--checkpoint", tmp_path / "then")
    assert "and 4 entries of the checkpoint" in storyledger("audit", "verify", "--since", tmp_path / "then")
    delete_published(tmp_path / "var")
    for change, position, reason in (
        (lambda: tamper(migrated_url, "DELETE FROM access_log WHERE position > 2"), 3, cut),
        (lambda: tamper(migrated_url, "TRUNCATE access_log"), 1, cut),
        (create_keys, 1, "differs from the checkpoint of 4 entries"),  # a log of other acts, whose links are right
    ):
        change()
        assert storyledger("audit", "verify", "--json")["ok"]
        with pytest.raises(Ended) as ended:
            storyledger("audit", "verify", "--since", tmp_path / "then", "--json")
        verdict = json.loads(ended.value.out)
        assert verdict["accessLog"]["firstBad"] == {"position": position, "reason": reason}
        assert (ended.value.code, verdict["ok"], verdict["checkpoint"]) == (1, False, None)


def test_a_stored_checkpoint_reveals_that_the_access_log_was_cut(storyledger: Command, migrated_url: str):
    storyledger("keys", "create", "--role", "auditor", "--json")
    signer = existing_signer(load())
    sign(migrated_url, signer)
    tamper(migrated_url, "TRUNCATE access_log")
    with pytest.raises(Ended, match="access log entry 1 missing: a checkpoint of 2 entries was signed"):
        storyledger("audit", "verify")


def published(data_dir: Path) -> PublishedCheckpoints:
    return PublishedCheckpoints(FileStorage(data_dir / "storage"), existing_signer(load()).read)


def test_the_verification_names_how_much_no_checkpoint_outside_the_database_protects(
    storyledger: Command, migrated_url: str, tmp_path: Path
):
    verdict = storyledger("audit", "verify", "--json")
    assert verdict["unprotected"] == {"events": verdict["events"], "accessLogEntries": 0}
    assert "No checkpoint was published" in storyledger("audit", "verify")
    published(tmp_path / "var").publish(verdict["checkpoint"])
    assert "nothing is unprotected" in storyledger("audit", "verify")
    write_history(migrated_url, 2, tickets=1)
    storyledger("keys", "create", "--role", "auditor", "--json")
    later = storyledger("audit", "verify", "--json")
    assert later["unprotected"] == {"events": later["events"] - verdict["events"], "accessLogEntries": 2}
    assert "2 entries of the access log are unprotected" in storyledger("audit", "verify")
    # A file of one's own protects as well.
    (tmp_path / "now").write_text(later["checkpoint"])
    own = storyledger("audit", "verify", "--since", tmp_path / "now", "--json")
    assert own["unprotected"] == {"events": 0, "accessLogEntries": 0}


def test_a_published_checkpoint_reveals_a_cut_history_by_itself(
    storyledger: Command, migrated_url: str, tmp_path: Path
):
    verdict = storyledger("audit", "verify", "--json")
    published(tmp_path / "var").publish(verdict["checkpoint"])
    tamper(migrated_url, f"DELETE FROM events WHERE position >= {verdict['events']}")
    with pytest.raises(Ended, match=f"a checkpoint of {verdict['events']} events was signed"):
        storyledger("audit", "verify")
    published(tmp_path / "var").publish("hello")
    with pytest.raises(Ended, match="the newest checkpoint in the storage is not valid"):
        storyledger("audit", "verify")


def test_every_dated_checkpoint_reveals_a_cut_history(storyledger: Command, migrated_url: str, tmp_path: Path):
    verdict = storyledger("audit", "verify", "--json")
    storage = FileStorage(tmp_path / "var" / "storage")
    storage.put("checkpoints/2025-01-01", [verdict["checkpoint"].encode()])
    tamper(migrated_url, f"DELETE FROM events WHERE position >= {verdict['events']}")
    with pytest.raises(Ended, match=f"a checkpoint of {verdict['events']} events was signed"):
        storyledger("audit", "verify")


def test_a_newest_checkpoint_that_was_set_back_is_reported_and_none_is_written(
    storyledger: Command, migrated_url: str, tmp_path: Path
):
    old = storyledger("audit", "verify", "--json")["checkpoint"]
    write_history(migrated_url, 2, tickets=1)
    storyledger("audit", "verify", "--checkpoint", tmp_path / "then")
    storage = FileStorage(tmp_path / "var" / "storage")
    storage.put(NEWEST, [old.encode()])
    with pytest.raises(Ended, match=r"was set back: checkpoints/20.* is newer") as ended:
        storyledger("audit", "verify", "--checkpoint", tmp_path / "now", "--json")
    verdict = json.loads(ended.value.out)
    assert (verdict["ok"], verdict["firstBad"], verdict["checkpoint"]) == (False, None, None)
    assert not (tmp_path / "now").exists()


def test_a_checkpoint_is_published_before_it_is_written_to_a_file(storyledger: Command, tmp_path: Path):
    unpublished = storyledger("audit", "verify", "--json")
    assert published(tmp_path / "var").newest() is None
    verdict = storyledger("audit", "verify", "--checkpoint", tmp_path / "now", "--json")
    newest = published(tmp_path / "var").newest()
    assert newest is not None
    assert newest.text in verdict["checkpoint"] == (tmp_path / "now").read_text()
    # Nothing would have revealed a change before this command, although it published a checkpoint.
    assert verdict["unprotected"] == unpublished["unprotected"]


def test_the_scanned_text_of_a_printed_code_is_accepted_as_a_checkpoint(storyledger: Command, tmp_path: Path):
    verdict = storyledger("audit", "verify", "--json")
    (tmp_path / "scanned").write_text(verdict["checkpoint"].strip())
    assert storyledger("audit", "verify", "--since", tmp_path / "scanned", "--json")["ok"]


def test_a_file_without_a_checkpoint_is_refused_with_the_reason(storyledger: Command, tmp_path: Path):
    for content, code, message in (
        (None, 2, "cannot be read"),
        (b"\xff\xfe", 2, "not a text file"),
        (b"hello", 1, "not a signed note"),
        (b"", 1, "not a signed note"),
    ):
        if content is not None:
            (tmp_path / "file").write_bytes(content)
        with pytest.raises(Ended) as ended:
            storyledger("audit", "verify", "--since", tmp_path / "file")
        assert (ended.value.code, message in ended.value.err) == (code, True), ended.value.err


def test_a_checkpoint_that_another_log_signed_is_refused(storyledger: Command, tmp_path: Path, monkeypatch: Any):
    storyledger("audit", "verify", "--checkpoint", tmp_path / "then")
    monkeypatch.setenv("CHECKPOINT_KEY", "another key, of thirty-two bytes and more")
    with pytest.raises(Ended) as ended:
        storyledger("audit", "verify", "--since", tmp_path / "then")
    assert "not signed by any of the given keys" in ended.value.err


def test_an_exported_file_is_checked_and_an_altered_one_is_refused(
    storyledger: Command, migrated_url: str, tmp_path: Path
):
    with connect(migrated_url) as connection:
        [(ticket,)] = connection.execute("SELECT ticket FROM events WHERE position = 1").fetchall()
    written = storyledger("audit", "export", str(ticket), tmp_path / "file.json", "--json")
    key = storyledger("audit", "key").strip()
    assert (written["ticketId"], written["keyTrusted"]) == (str(ticket), True)
    verdict = storyledger("audit", "check", tmp_path / "file.json", "--json")
    assert (verdict["ok"], verdict["events"], verdict["keyTrusted"]) == (True, written["events"], False)
    assert "the key that you gave" in storyledger("audit", "check", tmp_path / "file.json", "--key", key)
    assert {file.name for file in tmp_path.iterdir()} == {"file.json", "var"}
    text = (tmp_path / "file.json").read_text()
    (tmp_path / "file.json").write_text(text.replace('"version":1', '"version":2', 1))
    with pytest.raises(Ended) as ended:
        storyledger("audit", "check", tmp_path / "file.json", "--json")
    assert json.loads(ended.value.out)["ok"] is False
    assert ended.value.code == 1


def test_audit_check_needs_no_database(storyledger: Command, migrated_url: str, tmp_path: Path, monkeypatch: Any):
    golden = Path(__file__).parent.parent.parent / "golden" / "proof"
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    key = (golden / "key.txt").read_text().strip()
    assert storyledger("audit", "check", golden / "audit-1.json", "--key", key, "--json")["ok"]


def test_a_ticket_whose_history_was_altered_is_not_exported(storyledger: Command, migrated_url: str, tmp_path: Path):
    with connect(migrated_url) as connection:
        [(ticket,)] = connection.execute("SELECT ticket FROM events WHERE position = 3").fetchall()
    grow(migrated_url)
    tamper(migrated_url, "UPDATE events SET version = 77 WHERE position = 3")
    with pytest.raises(Ended) as ended:
        storyledger("audit", "export", str(ticket), tmp_path / "file.json")
    assert "audit verify" in ended.value.err
    assert [file.name for file in tmp_path.iterdir()] == ["var"]


def test_each_error_is_one_line_with_its_exit_code(storyledger: Command):
    for words, code in (
        (("export", "no-id", "file.json"), 2),
        (("export", "0190a5c2-7d1e-7b34-9a51-2f6c3d4e5f60", "file.json"), 1),
        (("check", "there-is-no-such-file"), 2),
        (("check", "/dev/null"), 1),
        (("check", "/dev/null", "--key", "me"), 2),
        (("export", "0190a5c2-7d1e-7b34-9a51-2f6c3d4e5f60", "/nowhere/file.json"), 1),
    ):
        with pytest.raises(Ended) as ended:
            storyledger("audit", *words)
        assert ended.value.code == code, words
        assert len(ended.value.err.strip().splitlines()) == 1, words


# The key.


def test_the_signing_key_is_generated_once_and_readable_only_by_its_owner(tmp_path: Path):
    first = GeneratedSecrets(tmp_path / "var")["checkpoint_key"]
    assert GeneratedSecrets(tmp_path / "var")["checkpoint_key"] == first
    assert stat.S_IMODE((tmp_path / "var" / SECRETS_FILE).stat().st_mode) == 0o600


def test_a_secrets_file_of_an_older_version_gets_the_missing_secrets_and_keeps_the_others(tmp_path: Path):
    values = dict(GeneratedSecrets(tmp_path)._values)
    del values["checkpoint_key"]
    (tmp_path / SECRETS_FILE).write_text(json.dumps(values))
    assert GeneratedSecrets(tmp_path)["checkpoint_key"]
    assert {name: GeneratedSecrets(tmp_path)[name] for name in values} == values


PRODUCTION = {
    "app_env": "production",
    "database_url": "postgresql://x@y/z",
    "stripe_secret_key": "sk_live_" + "q1w2e3r4" * 4,
    "stripe_webhook_secret": "whsec_" + "q1w2e3r4" * 4,
    "master_key": "q1w2e3r4" * 4,
    "email_pepper": "q1w2e3r4" * 4,
    "checkpoint_key": "q1w2e3r4" * 4,
    "base_url": "https://stories.example.org",
    "mail": "off",
}


@pytest.mark.parametrize("value", ["", "short", "changeme", "a" * 40])
def test_production_needs_a_signing_key_that_is_a_secret(value: str):
    assert load(**PRODUCTION).checkpoint_key
    with pytest.raises(SettingsError, match="CHECKPOINT_KEY"):
        load(**(PRODUCTION | {"checkpoint_key": value}))
