"""The record of the last day: its responses, and the strips of the chart that a template draws as SVG."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic.alias_generators import to_camel

from adapters.health.parts import Part, State
from adapters.health.records import Run
from adapters.health.strips import SLOT, SLOTS, Strip, beginning, strip_of
from entrypoints.presentation.event_sentences import N_
from entrypoints.presentation.responses import ResponseBody, Time

# The width of a slot and the height of a strip in the drawing. The higher a bar, the worse the state.
SLOT_WIDTH = 5
HEIGHT = 24
BAR_HEIGHTS: Mapping[State, int] = {State.OFF: 2, State.WORKS: 10, State.SLOW: 17, State.FAILS: HEIGHT}
# A time under the strip for each six hours.
TICK_SLOTS = 24

NO_RECORD = N_("No record")
STATE_NAMES: Mapping[State | None, str] = {
    State.WORKS: N_("Works"),
    State.SLOW: N_("Slow or incomplete"),
    State.FAILS: N_("Does not work"),
    State.OFF: N_("Not set up"),
    None: NO_RECORD,
}


@dataclass(frozen=True)
class PartWords:
    """The name of a part, what it is for, and what people notice if it is slow or does not work."""

    name: str
    purpose: str
    effect: str


WORDS: Mapping[Part, PartWords] = {
    Part.DATABASE: PartWords(
        N_("Database"),
        N_("Everything is kept here."),
        N_("Pages answer late or not at all."),
    ),
    Part.FILES: PartWords(
        N_("Stored files"),
        N_("Recordings, photos and documents."),
        N_("Nobody can record, and files cannot be opened."),
    ),
    Part.READ_MODELS: PartWords(
        N_("Lists and totals"),
        N_("Lists, sums and the state of each story."),
        N_("What was changed shows up late."),
    ),
    Part.WEBHOOKS: PartWords(
        N_("Gifts from Stripe"),
        N_("Stripe tells of each payment."),
        N_("Payments that were made show up late, or a message of Stripe waits for an operator."),
    ),
    Part.STRIPE_CALLS: PartWords(
        N_("Calls to Stripe"),
        N_("New payments and refunds are asked for at Stripe."),
        N_("Payments and refunds are confirmed late."),
    ),
    Part.JOBS: PartWords(
        N_("Background work"),
        N_("Recordings are written down and drafted one after the other."),
        N_("New recordings wait."),
    ),
    Part.SPEECH: PartWords(
        N_("Speech recognition"),
        N_("Recordings are written down."),
        N_("The local speech recognition is used in place of the server, or recordings fail."),
    ),
    Part.DRAFTING: PartWords(
        N_("Drafts"),
        N_("Drafts of stories are made from what was said."),
        N_("Drafts are written locally in place of the server, or drafts fail."),
    ),
    Part.MAILS: PartWords(
        N_("E-mails"),
        N_("Codes, receipts and news by e-mail."),
        N_("E-mails arrive late, or some could not be sent."),
    ),
    Part.TEXTS: PartWords(
        N_("Text messages"),
        N_("Codes and news by text message."),
        N_("Text messages arrive late, or some could not be sent."),
    ),
    Part.BACKUP: PartWords(
        N_("Backup"),
        N_("A copy of everything for the worst case. Only copies made by this program are known."),
        N_("The last copy is old."),
    ),
    Part.PROOF: PartWords(
        N_("Proof of the history"),
        N_("Signed checkpoints, with which everybody can check that nothing was altered."),
        N_("The newest entries are not protected yet. If it does not work, an operator must look at once."),
    ),
    Part.DISK: PartWords(
        N_("Disk space"),
        N_("Room for new recordings."),
        N_("Soon nobody can upload anything, or nobody can upload anything now."),
    ),
}

MEASURE_NAMES: Mapping[str, str] = {
    "answer_seconds": N_("Answer after"),
    "lag_seconds": N_("Behind by"),
    "waiting": N_("Waiting"),
    "oldest_seconds": N_("Oldest waits for"),
    "dead": N_("Given up"),
    "running": N_("Running"),
    "failed": N_("Failed"),
    "faults": N_("Server not usable, last hour"),
    "failed_jobs": N_("Failed jobs, last hour"),
    "age_seconds": N_("Age"),
    "unsigned_seconds": N_("Oldest unsigned entry"),
    "free_bytes": N_("Free"),
}
UNITS = (("d", 86_400), ("h", 3600), ("min", 60))
GIB = 2**30


class HealthStretch(ResponseBody):
    """A time in which a part had one state; null if nothing was recorded."""

    start: Time
    end: Time
    state: State | None
    measures: dict[str, float]


class PartHealth(ResponseBody):
    """A part of the service. `since` is null if its state is older than the record."""

    part: Part
    state: State | None
    since: Time | None
    measures: dict[str, float]
    stretches: list[HealthStretch]

    @classmethod
    def of(cls, part: Part, strip: Strip) -> PartHealth:
        stretches = [HealthStretch(each.start, each.end, each.state, _camel(each.measures)) for each in strip.stretches]
        return cls(part, strip.state, strip.since, _camel(strip.measures), stretches)


class HealthHistory(ResponseBody):
    """The last 24 hours of every part, in quarters of an hour."""

    parts: list[PartHealth]


@dataclass(frozen=True)
class Bar:
    x: int
    y: int
    width: int
    height: int
    state: State


@dataclass(frozen=True)
class PartStrip:
    """A part of the service as the page shows it."""

    part: Part
    words: PartWords
    strip: Strip
    bars: Sequence[Bar]

    @property
    def is_bad(self) -> bool:
        return self.strip.state in (State.SLOW, State.FAILS)


def strips(runs: Mapping[Part, Sequence[Run]], now: datetime) -> dict[Part, Strip]:
    """Return the strip of each part in their order; one that no process records has no record."""
    return {part: strip_of(runs.get(part, ()), now) for part in Part}


def part_strips(strips: Mapping[Part, Strip], now: datetime) -> list[PartStrip]:
    return [PartStrip(part, WORDS[part], strip, list(_bars(strip, now))) for part, strip in strips.items()]


def ticks(now: datetime) -> list[datetime]:
    """Return the times under the strips, the first of them at the left end."""
    return [beginning(now) + number * SLOT for number in range(0, SLOTS + 1, TICK_SLOTS)]


def measure_lines(measures: Mapping[str, float]) -> list[tuple[str, str]]:
    """Return the name and the value of each figure."""
    return [(MEASURE_NAMES[name], _value(name, value)) for name, value in measures.items()]


def _bars(strip: Strip, now: datetime) -> Iterator[Bar]:
    for stretch in strip.stretches:
        if stretch.state is not None:
            x = (stretch.start - beginning(now)) // SLOT * SLOT_WIDTH
            width = (stretch.end - stretch.start) // SLOT * SLOT_WIDTH
            height = BAR_HEIGHTS[stretch.state]
            yield Bar(x, HEIGHT - height, width, height, stretch.state)


def _value(name: str, value: float) -> str:
    if name.endswith("_bytes"):
        return f"{value / GIB:.1f} GiB"
    if not name.endswith("_seconds"):
        return f"{value:.0f}"
    for unit, seconds in UNITS:
        if value >= 2 * seconds:
            return f"{value / seconds:.0f} {unit}"
    return f"{value:.3g} s"


def _camel(measures: Mapping[str, float]) -> dict[str, float]:
    """Return the figures under the names that they have in JSON."""
    return {to_camel(name): value for name, value in measures.items()}
