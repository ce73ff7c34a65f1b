"""`make evaluate` writes how good drafting and recognition are into a section of RESULTS.md.

python -m tests.benchmarks.evaluation [--stories FILE] [--recordings FOLDER] [--spoken FOLDER]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.benchmarks import cross_source
from tests.benchmarks.report import RESULTS

HEADING = "## Evaluation"
ROOT = Path(__file__).parents[2]
# The recording that ships with the service.
RECORDINGS = ROOT / "adapters" / "speech"
FIELDS = ("name", "goal", "category", "urgency", "content", "all")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.evaluation")
    parser.add_argument("--stories", type=Path, default=cross_source.STORIES, help="labelled stories")
    parser.add_argument("--recordings", type=Path, default=RECORDINGS, help="recordings with their texts")
    parser.add_argument("--spoken", type=Path, help="recordings of the stories, named by their ids")
    options = parser.parse_args()
    parts = [
        HEADING,
        "Written by `make evaluate`.",
        _stories(_evaluate("stories", options.stories)),
        cross_source.section(options.stories),
        _speech(_evaluate("speech", options.recordings), options.recordings.name),
    ]
    if options.spoken:
        parts.append(_spoken(_evaluate("stories", options.stories, "--recordings", options.spoken)))
    section = "\n\n".join(parts)
    print(section)
    RESULTS.write_text(_with_section(RESULTS.read_text(encoding="utf-8"), section), encoding="utf-8")


def _evaluate(what: str, path: Path, *arguments: str | Path) -> dict[str, Any]:
    storyledger = Path(sys.executable).with_name("storyledger")
    done = subprocess.run(
        [storyledger, "evaluate", what, path, *arguments, "--json"], check=True, stdout=subprocess.PIPE
    )
    return json.loads(done.stdout)


def _stories(figures: dict[str, Any], title: str = "The local drafter on labelled stories:") -> str:
    lines = [title, ""]
    lines += ["| source | stories | name | goal | category | urgency | name, goal and category | all four |"]
    lines += ["| --- | --- | --- | --- | --- | --- | --- | --- |"]
    for source, shares in (*figures["bySource"].items(), ("all", figures)):
        lines.append(f"| {source} | {shares['n']} | " + " | ".join(f"{shares[field]:.1%}" for field in FIELDS) + " |")
    return "\n".join(lines)


def _speech(figures: dict[str, Any], folder: str) -> str:
    lines = [f"The transcriber of the settings on the recordings in `{folder}`:", ""]
    lines += ["| folder | recordings | refused | words | word error rate | real-time factor |"]
    lines += ["| --- | --- | --- | --- | --- | --- |"]
    for source, rates in (*figures["bySource"].items(), ("all", figures)):
        lines.append(
            f"| {source} | {rates['n']} | {rates['refused']} | {rates['words']} | {rates['wordErrorRate']:.1%} "
            f"| {rates['realTimeFactor']:.2f} |"
        )
    return "\n".join(lines)


def _spoken(figures: dict[str, Any]) -> str:
    rates = figures["speech"]
    title = (
        "The local drafter on what the transcriber heard when the stories were read aloud, with the name as a hint. "
        f"It heard {rates['wordErrorRate']:.1%} of {rates['words']} words wrong, and refused {rates['refused']} "
        f"of {rates['n']} recordings:"
    )
    return _stories(figures, title)


def _with_section(text: str, section: str) -> str:
    """Return the text with this section in place of the earlier one, or at the end."""
    before, _, old = text.partition(f"\n{HEADING}\n")
    _, heading, after = old.partition("\n## ")
    return before.rstrip("\n") + f"\n\n{section}\n" + (heading + after if heading else "")


if __name__ == "__main__":
    main()
