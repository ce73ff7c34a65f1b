"""Measures the local drafter on labelled stories: the share of right fields, for each source and for all.

A file of stories has one JSON object on each line: `{id, set, transcript, expected: {name, category, urgency,
goalAmount, goalTolerance}}`. A name must be exact, category and urgency equal, and the goal within the tolerance. A
story without a category counts as OTHER. A story can also be drafted from a recording in which it is read aloud.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import msgspec

from adapters.drafting.local import LocalAnalyser, LocalDrafter
from adapters.drafting.names import speaker_in
from adapters.drafting.sources import certain_part
from adapters.drafting.utterance import Utterance
from adapters.evaluation.recordings import Recording
from domain.lifecycle import spoken_hints
from domain.values import Kind, Transcript

NO_CATEGORY = "OTHER"
FIELDS = ("name", "goal", "category", "urgency")


class StoriesError(ValueError):
    """A file is not one of labelled stories; the message names the line."""


class Labels(msgspec.Struct, frozen=True, rename="camel"):
    """The labels of a story. `goal_tolerance` is in the goal's currency."""

    name: str | None
    category: str
    urgency: str
    goal_amount: Decimal | None = None
    goal_tolerance: Decimal | None = None


class Story(msgspec.Struct, frozen=True, rename={"source": "set"}):
    """A labelled story; `source` names where it comes from."""

    id: str
    source: str
    transcript: str
    expected: Labels


@dataclass(frozen=True)
class Drafted:
    """The fields that the drafter found in a story, and the text that it read."""

    story: Story
    text: str
    name: str | None
    goal_amount: Decimal | None
    category: str
    urgency: str

    @property
    def wrong(self) -> tuple[str, ...]:
        """Return the fields that differ from the labels."""
        expected = self.story.expected
        right = {
            "name": self.name == expected.name,
            "goal": _is_near(self.goal_amount, expected),
            "category": self.category == expected.category,
            "urgency": self.urgency == expected.urgency,
        }
        return tuple(field for field in FIELDS if not right[field])


@dataclass(frozen=True)
class Shares:
    """The number of stories, and the shares (0 to 1) of those that are right in each field and in all.

    `content` are name, goal and category: what is right on the page. Urgency orders the work and is not on it.
    """

    n: int
    name: float
    goal: float
    category: float
    urgency: float
    content: float
    all: float

    @classmethod
    def of(cls, results: Sequence[Drafted]) -> "Shares":
        def share(right: int) -> float:
            return round(right / len(results), 4) if results else 0.0

        fields = {field: share(sum(field not in result.wrong for result in results)) for field in FIELDS}
        content = share(sum({"urgency"}.issuperset(result.wrong) for result in results))
        return cls(len(results), **fields, content=content, all=share(sum(not result.wrong for result in results)))


def stories_in(path: Path) -> list[Story]:
    """Return the stories of a file, or raise StoriesError."""
    stories = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if line.strip():
            try:
                stories.append(msgspec.json.decode(line, type=Story))
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise StoriesError(f"{path}: line {number} is no labelled story: {error}") from None
    if not stories:
        raise StoriesError(f"{path}: no labelled stories")
    return stories


def recordings_of(stories: Iterable[Story], folder: Path) -> dict[str, Recording]:
    """Return the recordings of the stories by id: the files in the folder or below that are named `ID.wav` or alike.

    As in the service, the display name of the ticket is a hint: that of the labels. Raise StoriesError if no story has
    a recording.
    """
    paths = {path.stem: path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix.lower() != ".txt"}
    recordings_by_id = {}
    for story in stories:
        if path := paths.get(story.id):
            text = path.with_suffix(".txt")
            reference = text.read_text(encoding="utf-8-sig") if text.is_file() else story.transcript
            hints = spoken_hints(Kind.CAMPAIGN, story.expected.name)
            recordings_by_id[story.id] = Recording(path, reference, story.source, hints)
    if not recordings_by_id:
        raise StoriesError(f"{folder}: no recording is named after the id of a story")
    return recordings_by_id


def drafted(story: Story, transcript: Transcript | None = None) -> Drafted:
    """Return what the local drafter finds in the labelled transcript, or in this one."""
    transcript = certain_part(transcript or Transcript(story.transcript, None, "labelled"))
    analysis = LocalAnalyser().analyse(transcript)
    draft = LocalDrafter().draft(transcript, analysis)
    return Drafted(
        story,
        text=transcript.text,
        name=speaker_in(Utterance.of(transcript.text, analysis.language)),
        goal_amount=draft.goal.major if draft.goal else None,
        category=draft.category or NO_CATEGORY,
        urgency=str(analysis.urgency),
    )


def by_source(results: Iterable[Drafted]) -> dict[str, Shares]:
    """Return the shares of each source, in the order in which the sources first appear."""
    groups: dict[str, list[Drafted]] = {}
    for result in results:
        groups.setdefault(result.story.source, []).append(result)
    return {source: Shares.of(group) for source, group in groups.items()}


def _is_near(amount: Decimal | None, expected: Labels) -> bool:
    if amount is None or expected.goal_amount is None:
        return amount is None and expected.goal_amount is None
    return abs(amount - expected.goal_amount) <= (expected.goal_tolerance or 0)
