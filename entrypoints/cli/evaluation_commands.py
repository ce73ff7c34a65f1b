"""The commands `evaluate …` with their arguments and help."""

from pathlib import Path
from typing import Annotated

import typer

from entrypoints.cli.key_commands import Json

evaluate = typer.Typer(
    help="Measure drafting and speech recognition.",
    epilog="Example: storyledger evaluate stories stories.jsonl",
    no_args_is_help=True,
)


@evaluate.command("stories", epilog="Example: storyledger evaluate stories stories.jsonl --details")
def evaluate_stories(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="Labelled stories, one JSON object each line.")
    ],
    recordings: Annotated[
        Path | None,
        typer.Option(
            exists=True, file_okay=False, help="Draft from recordings of the stories in this folder: ID.wav or alike."
        ),
    ] = None,
    details: Annotated[bool, typer.Option("--details", help="Also show what was found in the stories.")] = False,
    json: Json = False,
) -> None:
    """Measure drafting on labelled stories.

    The local drafter reads each transcript, and the shares of right fields are shown for each source and for all.
    A line is {id, set, transcript, expected: {name, category, urgency, goalAmount, goalTolerance}}; the set is the
    source. With recordings, the transcriber of the settings hears them with the story's name as a hint, and the local
    drafter reads what was heard.
    """
    from entrypoints.cli import evaluate as evaluation

    evaluation.stories(file, recordings, details, json)


@evaluate.command("speech", epilog="Example: storyledger evaluate speech recordings")
def evaluate_speech(
    folder: Annotated[
        Path, typer.Argument(exists=True, file_okay=False, help="Recordings, each with its text in NAME.txt beside it.")
    ],
    json: Json = False,
) -> None:
    """Measure recognition on recordings with text.

    The word error rate ignores case, punctuation and whether numbers are words or digits. The real-time factor is the
    processing time over the duration. Subfolders are also shown one by one.
    """
    from entrypoints.cli import evaluate as evaluation

    evaluation.speech(folder, json)
