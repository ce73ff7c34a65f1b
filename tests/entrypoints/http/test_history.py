"""The history shows events with the same units, times and names as every other response."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from msgspec import to_builtins

from adapters.encryption.field_cipher import FieldCipher
from adapters.event_store.log import StoredEntry
from entrypoints.presentation.history import HistoryEvent
from entrypoints.presentation.personal_data import PersonalData

GOLDEN = Path(__file__).parent.parent.parent / "golden" / "events"
TICKET = UUID("018f0000-0000-7000-8000-000000000001")
RECORDED_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
# Integers that are neither amounts nor times.
COUNTS = {
    "sizeBytes",
    "durationMs",
    "sampleRate",
    "channels",
    "ticketVersion",
    "segment",
    "firstSegment",
    "lastSegment",
    "width",
    "height",
    "remaining",
    "ticketDays",
    "donorDays",
}
TIMES = {"at", "inactiveSince", "eraseAfter", "validUntil", "evidenceDueBy"}
PLACES = {"number", "year", "start", "end", "startMs", "endMs"}


class KeylessCipher(FieldCipher):
    """Returns a fixed text for every encrypted text, without a key."""

    def __init__(self) -> None:
        pass

    def open(self, ticket: UUID, sealed: str) -> str:
        return f"opened of {ticket}"


def history_event(file: Path) -> dict[str, Any]:
    entry = StoredEntry(
        id=7,
        originator_id=TICKET,
        originator_version=1,
        topic=file.name.split(".")[0],
        state=file.read_bytes(),
        ticket=TICKET,
        recorded_at=RECORDED_AT,
        hash=b"",
    )
    event: dict[str, Any] = to_builtins(
        HistoryEvent.of(entry, PersonalData(KeylessCipher()), for_staff=True), builtin_types=(Decimal,)
    )
    return event


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for part, inner in value.items():
            yield from leaves(inner, part)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, name)
    else:
        yield name, value


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*.json")), ids=lambda file: file.stem)
def test_an_event_shows_its_times_as_times_and_its_amounts_twice(file: Path):
    event = history_event(file)
    for name, value in leaves(event["data"]):
        if name in TIMES or name.endswith("At"):
            assert value is None or TIME.fullmatch(value), name
        elif type(value) is int:
            assert name == "amountMinor" or name in COUNTS | PLACES, name
    assert "minor" not in {name for name, _ in leaves(event)}


def test_an_amount_has_the_decimals_of_its_currency():
    amount = history_event(GOLDEN / "payment_received.json")["data"]["amount"]
    assert amount.keys() == {"amount", "amountMinor", "currency"}
    assert str(amount["amount"]) == f"{amount['amountMinor'] / 100:.2f}"
