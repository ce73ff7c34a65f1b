"""An exported file proves a ticket's history to anyone with the public key, and every change of it is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest

from adapters.event_store import log as event_log
from adapters.postgres.database import Database, connect
from adapters.proof import checker, export
from adapters.proof.checker import Refused, check
from adapters.proof.checkpoints import Signer
from adapters.proof.export import Exporter
from adapters.proof.tiles import BrokenProofError
from domain.errors import NotFoundError
from tests.adapters.proof.growing import SIGNER, Unpublished
from tests.benchmarks.world import gift, opened, write_history
from tests.postgres import fresh_database

GOLDEN = Path(__file__).parent.parent.parent / "golden" / "proof"
TICKET = uuid4()


@pytest.fixture(scope="module")
def database(server_url: str, migrated_template: str) -> Iterator[Database]:
    """Record a ticket with three donations among three hundred events of other tickets."""
    with fresh_database(server_url, migrated_template) as url, Database(url, size=4) as opened_:
        write_history(url, 30, tickets=2)
        with connect(url) as connection, connection.cursor() as cursor:
            event_log.append(cursor, [[opened(TICKET)], gift(TICKET, 1)])
        write_history(url, 30, tickets=2)
        with connect(url) as connection, connection.cursor() as cursor:
            event_log.append(cursor, [gift(TICKET, 10), gift(TICKET, 3)])
        write_history(url, 10, tickets=1)
        yield opened_


@pytest.fixture(scope="module")
def file(database: Database) -> str:
    return exported(database)


def exported(database: Database, ticket: UUID = TICKET, signer: Signer = SIGNER) -> str:
    return b"".join(Exporter(database, signer, Unpublished()).export(ticket)).decode()


def checked(text: str, *keys: checker.Key) -> checker.Finding:
    return check(StringIO(text, newline="\n"), keys)


def refused(data: bytes) -> bool:
    try:
        checked(data.decode())
    except (Refused, UnicodeDecodeError):
        return True
    return False


def test_an_export_proves_a_ticket_with_all_its_donations(file: str):
    proof = checked(file, *SIGNER.keys)
    assert proof.pinned
    assert (proof.ticket, proof.events, len(proof.streams)) == (str(TICKET), 14, 4)
    assert sorted(proof.streams.values()) == [1, 4, 4, 5]
    assert proof.checkpoint.size > 290
    assert proof.checkpoint.access_log == checker.AccessLogHead(0, bytes(32))
    description = checker.described(proof)
    assert "14 events" in description
    assert str(SIGNER.keys[0]) in description


def test_the_file_is_one_json_document_of_the_stored_bytes(database: Database, file: str):
    document = json.loads(file)
    with database.connection() as connection:
        rows = connection.execute(
            "SELECT position, stream, version, topic, state FROM events WHERE ticket = %s ORDER BY position", (TICKET,)
        ).fetchall()
    assert [
        (e["position"], UUID(e["stream"]), e["version"], e["topic"], e["state"].encode()) for e in document["events"]
    ] == [(*row[:4], bytes(row[4])) for row in rows]


def test_a_long_history_is_written_one_page_at_a_time(database: Database, monkeypatch: pytest.MonkeyPatch):
    content = exported(database)
    monkeypatch.setattr(export, "BATCH_EVENTS", 5)
    chunks = list(Exporter(database, SIGNER, Unpublished()).export(TICKET))
    assert len(chunks) == 5
    assert b"".join(chunks).decode() == content


def test_the_first_and_the_last_event_of_the_log_are_proved(migrated_url: str):
    with Database(migrated_url, size=2) as database:
        ticket = uuid4()
        with connect(migrated_url) as connection, connection.cursor() as cursor:
            event_log.append(cursor, [[opened(ticket)]])
        proof = checked(exported(database, ticket), *SIGNER.keys)
    assert (proof.events, proof.checkpoint.size) == (1, 1)


def test_an_unknown_ticket_cannot_be_exported(database: Database):
    with pytest.raises(NotFoundError):
        Exporter(database, SIGNER, Unpublished()).export(uuid4())


def test_a_file_signed_with_another_key_is_refused_if_the_expected_key_is_given(database: Database):
    forged = exported(database, signer=Signer(("forger" * 8,), SIGNER.origin))
    assert not checked(forged).pinned
    with pytest.raises(Refused, match="another key"):
        checked(forged, *SIGNER.keys)


def test_every_change_of_one_byte_is_refused_or_changes_only_white_space(file: str):
    """Flip a bit of every byte of a file with two events, and replace, remove or insert a byte at every eighth."""
    data = smaller(file).encode()
    assert not refused(data)
    random, space = Random(7), b" \t\r\n"
    for place, old in enumerate(data):
        before, after = data[:place], data[place + 1 :]
        flipped = old ^ 1 << random.randrange(7)
        assert refused(before + bytes([flipped]) + after) or (old in space and flipped in space), place
        if place % 8 == 0:
            new = random.choice(list({*b' \n"019aZ='} - {old}))
            assert refused(before + bytes([new]) + after) or (old in space and new in space), (place, new)
        elif place % 8 == 3:
            assert refused(before + after) or old in space, place
        elif place % 8 == 6:
            assert refused(before + bytes([random.randrange(33, 127)]) + data[place:]), place


def smaller(file: str) -> str:
    """Return the file with only its first two events and a statement about two events."""
    header, *event_lines = file.splitlines()
    document = json.loads(header + checker.CLOSING)
    checkpoint = SIGNER.read(document["checkpoint"])
    document["statement"] = SIGNER.sign(checker.statement(SIGNER.origin, document["ticket"], 2, checkpoint.size))
    return "\n".join(
        [
            checker.canonical_json(document).removesuffix(checker.CLOSING),
            event_lines[0],
            event_lines[1].rstrip(","),
            "]}",
            "",
        ]
    )


def altered(file: str, change: Callable[[dict[str, Any]], object]) -> str:
    """Return the file after a change of its content, in the canonical form."""
    document = json.loads(file)
    change(document)
    events = document.pop("events")
    header = checker.canonical_json(document | {"events": []}).removesuffix(checker.CLOSING)
    return "\n".join([header, ",\n".join(map(checker.canonical_json, events)), "]}", ""])


def _swap(document: dict[str, Any]) -> None:
    events = document["events"]
    events[2], events[3] = events[3], events[2]


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "an event left out": lambda document: document["events"].pop(3),
    "the last event left out": lambda document: document["events"].pop(),
    "the first event left out": lambda document: document["events"].pop(0),
    "a whole gift left out": lambda document: document.update(events=document["events"][:1] + document["events"][5:]),
    "all events left out": lambda document: document.update(events=[]),
    "an event twice": lambda document: document["events"].insert(4, document["events"][3]),
    "two events swapped": _swap,
    "an amount changed": lambda document: document["events"][1].update(
        state=document["events"][1]["state"].replace('"minor":', '"minor":1')
    ),
    "a time changed": lambda document: document["events"][1].update(recordedAt="2020-01-01T00:00:00.000000Z"),
    "another position": lambda document: document["events"][1].update(position=document["events"][1]["position"] + 1),
    "another ticket": lambda document: document.update(ticket=str(uuid4())),
    "another ticket in all events": lambda document: [e.update(ticket=str(uuid4())) for e in document["events"]],
    "a position that is no number": lambda document: document["events"][1].update(position="2"),
    "a position that is true": lambda document: document["events"][0].update(position=True),
    "a version that is a fraction": lambda document: document["events"][0].update(version=1.0),
    "a position that is too large": lambda document: document["events"][-1].update(position=2**63),
    "a path that is a text": lambda document: document["events"][1].update(proof="abc"),
    "a path of something else": lambda document: document["events"][1].update(proof=[1, 2]),
    "a path with one node too many": lambda document: document["events"][1]["proof"].append(
        document["events"][1]["proof"][0]
    ),
    "a field more": lambda document: document["events"][1].update(note="trust me"),
    "a field less": lambda document: document["events"][1].pop("topic"),
    "something else in place of an event": lambda document: document["events"].insert(1, []),
    "another format": lambda document: document.update(format="storyledger audit 2"),
    "an invalid key": lambda document: document.update(key="me"),
    "an invalid checkpoint": lambda document: document.update(checkpoint=5),
    "a checkpoint of another time": lambda document: document.update(checkpoint=SIGNER.checkpoint(300, bytes(32))),
    "the statement in place of the checkpoint": lambda document: document.update(checkpoint=document["statement"]),
    "the checkpoint in place of the statement": lambda document: document.update(statement=document["checkpoint"]),
    "half a letter": lambda document: document["events"][1].update(topic="\ud800"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_changed_field_of_an_export_is_refused(file: str, change: str):
    assert altered(file, lambda _: None) == file
    with pytest.raises(Refused):
        checked(altered(file, CHANGES[change]))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "{}\n", "[" * 5000, '{"events":[\n]}\n', "\x00", "x" * 100_000, "\ufeff{}"]
)
def test_a_text_that_is_not_an_export_is_refused(text: str):
    with pytest.raises(Refused):
        checked(text)


@pytest.mark.parametrize("lines", [1, 2, 5, 14, 15])
def test_a_truncated_file_is_refused(file: str, lines: int):
    with pytest.raises(Refused):
        checked("\n".join(file.split("\n")[:lines]))


def test_a_file_with_text_after_its_end_is_refused(file: str):
    with pytest.raises(Refused):
        checked(file + file)


def test_a_file_with_other_line_ends_is_still_valid(file: str):
    assert checked(file.replace("\n", "\r\n")).events == 14


def test_an_export_of_an_altered_history_is_refused(server_url: str, migrated_template: str):
    with fresh_database(server_url, migrated_template) as url, Database(url, size=2) as database:
        ticket = uuid4()
        with connect(url) as connection, connection.cursor() as cursor:
            event_log.append(cursor, [[opened(ticket)], gift(ticket, 1)])
            exported(database, ticket)
            connection.execute("SET session_replication_role = replica")
            connection.execute("UPDATE events SET version = 9 WHERE position = 3")
            with pytest.raises(Refused, match="event 3 is not in the log"):
                checked(exported(database, ticket))
            connection.execute("UPDATE events SET state = '\\xff' WHERE position = 3")
            with pytest.raises(BrokenProofError):
                exported(database, ticket)


def run_alone(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the checker as a single file in an empty folder, without our modules on its path."""
    program = folder / "checker.py"
    shutil.copy(checker.__file__, program)
    command = [sys.executable, "-I", str(program), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_checker_is_one_file_that_runs_alone(tmp_path: Path, file: str):
    (tmp_path / "audit.json").write_text(file)
    key = str(SIGNER.keys[0])
    good = run_alone(tmp_path, "audit.json", "--key", key)
    assert (good.returncode, good.stderr) == (0, "")
    assert "14 events in 4 streams" in good.stdout
    (tmp_path / "audit.json").write_text(file.replace('\\"minor\\":', '\\"minor\\":1', 1))
    bad = run_alone(tmp_path, "audit.json", "--key", key)
    assert bad.returncode == 1
    assert bad.stderr.startswith("refused: line ")


@pytest.mark.parametrize("arguments", [("audit.json",), ("--paper", "old.txt", "audit.json")])
def test_the_checker_without_a_key_does_not_know_whose_log_this_is(tmp_path: Path, file: str, arguments: Any):
    (tmp_path / "audit.json").write_text(file)
    (tmp_path / "old.txt").write_text(SIGNER.checkpoint(1, bytes(32)))
    ended = run_alone(tmp_path, *arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "does not know whose log this is" in ended.stderr


def test_the_checker_needs_the_standard_library_and_one_package_only():
    allowed_modules = set(sys.stdlib_module_names) | {"cryptography"}
    source = Path(checker.__file__).read_text()
    imported = {
        line.split()[1].partition(".")[0] for line in source.splitlines() if line.startswith(("import ", "from "))
    }
    assert imported <= allowed_modules


@pytest.mark.parametrize("name", ["audit-1.json"])
def test_files_of_earlier_versions_stay_valid(name: str):
    key = checker.Key.parse((GOLDEN / "key.txt").read_text())
    proof = checked((GOLDEN / name).read_text(), key)
    assert proof.events == len(json.loads((GOLDEN / name).read_text())["events"])
    assert proof.events > 5
