"""Stored events stay readable in every later version, and encoding a decoded event gives the same bytes."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from msgspec.structs import fields
from pydantic_core import to_json

from adapters.event_store import codec
from domain.events import TicketEvent, TicketOpened
from domain.personal import SealedFor
from tests.fakes.events import CANARY, EVENTS, PLACE_FIELDS, events, personal_texts

GOLDEN = Path(__file__).parent.parent.parent / "golden" / "events"
STREAM = UUID("018f0000-0000-7000-8000-000000000001")
RECORDED_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

# Four threads decode each event at the same time. The arguments are the files with the events.
DECODE_IN_THREADS = """
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4
from adapters.event_store import codec

events = [(path.name.split(".")[0], path.read_bytes()) for path in map(Path, sys.argv[1:])]
barrier = threading.Barrier(4)

def decode_all():
    for topic, state in events:
        barrier.wait()
        codec.decode(topic, state, uuid4(), 1, datetime.now(UTC))

sys.setswitchinterval(1e-6)
threads = [threading.Thread(target=decode_all) for _ in range(barrier.parties)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def loaded(topic: str, state: bytes) -> TicketEvent:
    return codec.decode(topic, state, STREAM, 1, RECORDED_AT)


@given(events)
def test_an_event_is_loaded_unchanged_and_stored_again_with_the_same_bytes(event: TicketEvent):
    state = codec.encode(event)
    decoded = codec.decode(event.TOPIC, state, event.originator_id, event.originator_version, event.timestamp)
    assert decoded == event
    assert codec.encode(decoded) == state


@given(events)
def test_an_event_is_stored_as_plain_readable_json(event: TicketEvent):
    data = json.loads(codec.encode(event))
    assert data["actor"]["role"] == event.actor.role
    assert not PLACE_FIELDS & set(data)


def test_threads_can_decode_their_first_events_at_the_same_time():
    # In a process of its own, because msgspec would end the process with a segmentation fault.
    subprocess.run([sys.executable, "-c", DECODE_IN_THREADS, *sorted(GOLDEN.glob("*.json"))], check=True)


@given(events)
def test_a_field_that_has_its_default_value_is_not_stored(event: TicketEvent):
    data = json.loads(codec.encode(event))
    with_default = {field.name for field in fields(event) if getattr(event, field.name) == field.default}
    assert not with_default & set(data)


@given(events)
def test_every_personal_text_is_encrypted_and_decrypted(event: TicketEvent):
    sealed: dict[str, str] = {}

    def seal(_: SealedFor, field: str, text: str) -> str:
        assert field not in sealed
        sealed[field] = text
        return f"sealed {field}"

    def unseal(field: str, envelope: str) -> str:
        assert envelope == f"sealed {field}"
        return sealed[field]

    state = codec.encode(event, seal)
    assert sorted(sealed.values()) == sorted(personal_texts(event))
    assert CANARY.encode() not in state
    place = (event.originator_id, event.originator_version, event.timestamp)
    assert codec.decode(event.TOPIC, state, *place, unseal) == event
    assert codec.encode(codec.decode(event.TOPIC, state, *place)) == state


def test_every_event_has_its_own_topic():
    topics = [kind.TOPIC for kind in EVENTS]
    assert len(set(topics)) == len(topics)
    assert topics == [topic for topic in topics if topic.replace("_", "").isalnum() and topic.islower()]


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.TOPIC)
def test_every_event_has_a_golden_file(kind: type[TicketEvent]):
    assert (GOLDEN / f"{kind.TOPIC}.json").is_file(), "keep what is stored of one such event, with every field, in it"


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*.json")), ids=lambda file: file.stem)
def test_every_event_version_ever_stored_still_loads(file: Path):
    """No event is upcast yet, so an encoding that differs from the stored one means a lost or renamed field."""
    topic = file.name.split(".")[0]
    state = to_json(json.loads(file.read_text()))
    event = loaded(topic, state)
    assert topic == event.TOPIC
    assert codec.encode(event) == state


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.TOPIC)
def test_every_field_is_in_a_golden_file(kind: type[TicketEvent]):
    """A later form of an event, with another field, has its own file, such as `published.2.json`."""
    field_names = {name for file in GOLDEN.glob(f"{kind.TOPIC}.*json") for name in json.loads(file.read_text())}
    assert field_names == {field.name for field in fields(kind)} - PLACE_FIELDS


def test_an_event_of_an_unknown_kind_or_without_its_fields_does_not_load():
    with pytest.raises(Exception, match="not_a_topic"):
        loaded("not_a_topic", b"{}")
    with pytest.raises(ValueError, match="required field"):
        loaded(TicketOpened.TOPIC, b'{"actor":{"role":"holder"}}')
