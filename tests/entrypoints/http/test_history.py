"""What the history shows of each event: in the same units, times and words as every other answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from adapters.encryption.field_cipher import FieldCipher
from adapters.event_store.log import StoredEntry
from entrypoints.http.handlers.history import event_view
from entrypoints.presentation.views import Views

GOLDEN = Path(__file__).parent.parent.parent / "golden" / "events"
TICKET = UUID("018f0000-0000-7000-8000-000000000001")
THEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
# Whole numbers that are neither money nor a time.
COUNTS = {"sizeBytes", "durationMs", "sampleRate", "channels"}


class Opening(FieldCipher):
    """Opens whatever looks sealed, with no key."""

    def __init__(self) -> None:
        pass

    def open(self, ticket: UUID, sealed: str) -> str:
        return f"opened of {ticket}"


def shown(file: Path) -> dict[str, Any]:
    entry = StoredEntry(
        id=7,
        originator_id=TICKET,
        originator_version=1,
        topic=file.name.split(".")[0],
        state=file.read_bytes(),
        ticket=TICKET,
        recorded_at=THEN,
        hash=b"",
    )
    return event_view(Views(Opening()), entry)


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for part, told in value.items():
            yield from leaves(told, part)
    elif isinstance(value, list):
        for told in value:
            yield from leaves(told, name)
    else:
        yield name, value


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*.json")), ids=lambda file: file.stem)
def test_an_event_shows_its_times_as_times_and_its_amounts_twice(file: Path):
    event = shown(file)
    for name, value in leaves(event["data"]):
        if name == "at" or name.endswith("At") or name in ("inactiveSince", "eraseAfter"):
            assert value is None or TIME.fullmatch(value), name
        elif type(value) is int:
            assert name == "amountMinor" or name in COUNTS, name
    assert "minor" not in {name for name, _ in leaves(event)}


def test_an_amount_has_the_decimals_of_its_currency():
    told = shown(GOLDEN / "payment_received.json")["data"]["amount"]
    assert told.keys() == {"amount", "amountMinor", "currency"}
    assert str(told["amount"]) == f"{told['amountMinor'] / 100:.2f}"
