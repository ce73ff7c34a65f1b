"""The commands `evaluate …`: they need no database and create no data."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from adapters.evaluation import recordings
from adapters.evaluation import stories as labelled
from adapters.evaluation.recordings import Heard, Rates, RecordingsError
from adapters.evaluation.stories import Drafted, Shares, StoriesError, Story
from adapters.speech.inspector import ChildAudioInspector
from domain.values import Transcript
from entrypoints.cli.console import CommandFailed, ProgressBar, print_json, print_table
from entrypoints.cli.context import one_line_errors
from entrypoints.composition import settings as environment
from entrypoints.composition.content import ChosenTranscriber

WORST_CASES = 10
RATE_COLUMNS = ("folder", "recordings", "refused", "words", "wrong", "word error rate", "real-time factor")


def stories(file: Path, folder: Path | None, details: bool, json: bool) -> None:
    """Draft every story of the file, or what is heard in its recording, and print the shares of right fields."""
    with ProgressBar(shown=not json) as bar:
        try:
            all_stories = labelled.stories_in(file)
            results, spoken = _drafted_from(all_stories, folder, bar) if folder else (_drafted(all_stories, bar), None)
        except (StoriesError, RecordingsError) as error:
            raise CommandFailed(str(error)) from None
    total, sources = Shares.of(results), labelled.by_source(results)
    if json:
        speech = {"speech": _figures(Rates.of(spoken))} if spoken else {}
        shown_details = {"details": [_found(result, spoken is not None) for result in results]} if details else {}
        by_source = {"bySource": {name: asdict(shares) for name, shares in sources.items()}}
        print_json(asdict(total) | by_source | speech | shown_details)
        return
    rows = [_share_row(name, shares) for name, shares in (*sources.items(), ("all", total))]
    columns = ("source", "stories", *labelled.FIELDS, "name, goal and category", "all four")
    print_table("Right fields", columns, rows)
    if spoken:
        print_table("Recordings", RATE_COLUMNS, [_rate_row("all", Rates.of(spoken))])
    wrong = sorted((result for result in results if result.wrong), key=lambda result: -len(result.wrong))
    shown = wrong if details else wrong[:WORST_CASES]
    if shown:
        title = f"{len(shown)} of {len(wrong)} stories with wrong fields"
        print_table(title, ("story", "wrong"), map(_wrong_row, shown))


def _drafted(all_stories: Sequence[Story], bar: ProgressBar) -> list[Drafted]:
    results = []
    for number, story in enumerate(all_stories, start=1):
        results.append(labelled.drafted(story))
        bar("stories", number, len(all_stories))
    return results


def _drafted_from(all_stories: Sequence[Story], folder: Path, bar: ProgressBar) -> tuple[list[Drafted], list[Heard]]:
    """Return what is drafted from the recordings of the stories, and what was heard in them."""
    labelled_recordings = labelled.recordings_of(all_stories, folder)
    recorded = [story for story in all_stories if story.id in labelled_recordings]
    results, spoken = [], []
    with one_line_errors():
        transcriber = ChosenTranscriber(environment.load())
        transcriber.load()
        heard = recordings.heard(
            [labelled_recordings[story.id] for story in recorded], ChildAudioInspector(), transcriber
        )
        for story, each in zip(recorded, heard, strict=True):
            spoken.append(each)
            results.append(labelled.drafted(story, each.transcript or Transcript("", None, "none")))
            bar("recordings", len(results), len(recorded))
    return results, spoken


def speech(folder: Path, json: bool) -> None:
    """Transcribe every recording of the folder with the transcriber of the settings, and print how much is wrong."""
    with one_line_errors(), ProgressBar(shown=not json) as bar:
        transcriber = ChosenTranscriber(environment.load())
        try:
            own_recordings = recordings.recordings_in(folder)
            transcriber.load()
            results = []
            for result in recordings.heard(own_recordings, ChildAudioInspector(), transcriber):
                results.append(result)
                bar("recordings", len(results), len(own_recordings))
        except RecordingsError as error:
            raise CommandFailed(str(error)) from None
    total, sources = Rates.of(results), recordings.by_source(results)
    worst = sorted(results, key=lambda result: -result.word_errors.rate)
    if json:
        by_source = {source: _figures(rates) for source, rates in sources.items()}
        each = [_recording(result, folder) for result in worst]
        print_json(_figures(total) | {"bySource": by_source, "recordings": each})
        return
    rates_of_all = [_rate_row(name, rates) for name, rates in (*sources.items(), ("all", total))]
    print_table("Recordings", RATE_COLUMNS, rates_of_all)
    cases = [result for result in worst if result.word_errors.errors][:WORST_CASES]
    if cases:
        rows = [[str(case.recording.path.relative_to(folder)), *_compared(case)] for case in cases]
        print_table("The most wrong words", ("recording", "word error rate", "said", "heard"), rows)


def _found(result: Drafted, is_spoken: bool) -> dict[str, object]:
    heard = {"heard": result.text} if is_spoken else {}
    return heard | {
        "id": result.story.id,
        "name": result.name,
        "goalAmount": result.goal_amount,
        "category": result.category,
        "urgency": result.urgency,
    }


def _share_row(name: str, shares: Shares) -> list[object]:
    values = (*(getattr(shares, field) for field in labelled.FIELDS), shares.content, shares.all)
    return [name, shares.n, *(f"{value:.1%}" for value in values)]


def _wrong_row(result: Drafted) -> Sequence[object]:
    fields = {"name": result.name, "goal": result.goal_amount, "category": result.category, "urgency": result.urgency}
    labels = result.story.expected
    expected = {
        "name": labels.name,
        "goal": labels.goal_amount,
        "category": labels.category,
        "urgency": labels.urgency,
    }
    return result.story.id, "; ".join(f"{field}: {fields[field]} for {expected[field]}" for field in result.wrong)


def _figures(rates: Rates) -> dict[str, object]:
    return {
        "n": rates.n,
        "refused": rates.refused,
        "words": rates.words,
        "errors": rates.errors,
        "wordErrorRate": rates.word_error_rate,
        "audioSeconds": rates.audio_seconds,
        "realTimeFactor": rates.real_time_factor,
    }


def _recording(result: Heard, folder: Path) -> dict[str, object]:
    return {
        "file": str(result.recording.path.relative_to(folder)),
        "words": result.word_errors.words,
        "errors": result.word_errors.errors,
        "wordErrorRate": round(result.word_errors.rate, 4),
        "audioSeconds": round(result.audio_seconds, 2),
        "realTimeFactor": round(result.seconds / (result.audio_seconds or 1), 3),
        "refused": result.refused,
        "said": result.recording.reference.strip(),
        "heard": result.text,
    }


def _rate_row(name: str, rates: Rates) -> list[object]:
    rate, factor = f"{rates.word_error_rate:.1%}", f"{rates.real_time_factor:.2f}"
    return [name, rates.n, rates.refused, rates.words, rates.errors, rate, factor]


def _compared(case: Heard) -> list[object]:
    heard = case.text if case.refused is None else f"refused: {case.refused}"
    return [f"{case.word_errors.rate:.1%}", " ".join(case.recording.reference.split()), heard]
