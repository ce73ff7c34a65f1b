"""The parts of the service whose health is recorded, and the states that they can be in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from adapters.health.limits import FAILS_AFTER_LIMITS


class Part(StrEnum):
    """A part of the service, in the order in which people are shown them."""

    DATABASE = "database"
    FILES = "files"
    READ_MODELS = "read_models"
    WEBHOOKS = "webhooks"
    STRIPE_CALLS = "stripe_calls"
    JOBS = "jobs"
    SPEECH = "speech"
    DRAFTING = "drafting"
    MAILS = "mails"
    TEXTS = "texts"
    BACKUP = "backup"
    PROOF = "proof"
    DISK = "disk"


class State(StrEnum):
    """The state of a part; `slow` also stands for work that is done in part."""

    OFF = "off"
    WORKS = "works"
    SLOW = "slow"
    FAILS = "fails"


@dataclass(frozen=True)
class Measured:
    """The state of a part, and the figures that it follows from: ages, counts and sizes, nothing of a person."""

    state: State
    measures: Mapping[str, float] = field(default_factory=dict)


def state_of_wait(seconds: float, most_seconds: float) -> State:
    """Return the state of work whose oldest piece has waited for so long."""
    if seconds <= most_seconds:
        return State.WORKS
    return State.SLOW if seconds <= most_seconds * FAILS_AFTER_LIMITS else State.FAILS
