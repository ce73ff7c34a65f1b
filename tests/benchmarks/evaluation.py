"""`make evaluate` writes how good drafting and recognition are into a section of RESULTS.md.

python -m tests.benchmarks.evaluation [--stories FILE] [--recordings FOLDER]
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
FIELDS = ("name", "goal", "category", "urgency", "all")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.evaluation")
    parser.add_argument("--stories", type=Path, default=cross_source.STORIES, help="labelled stories")
    parser.add_argument("--recordings", type=Path, default=RECORDINGS, help="recordings with their texts")
    options = parser.parse_args()
    section = "\n\n".join(
        [
            HEADING,
            "Written by `make evaluate`.",
            _stories(_evaluate("stories", options.stories)),
            cross_source.section(options.stories),
            _speech(_evaluate("speech", options.recordings), options.recordings.name),
        ]
    )
    print(section)
    RESULTS.write_text(_with_section(RESULTS.read_text(encoding="utf-8"), section), encoding="utf-8")


def _evaluate(what: str, path: Path) -> dict[str, Any]:
    storyledger = Path(sys.executable).with_name("storyledger")
    done = subprocess.run([storyledger, "evaluate", what, path, "--json"], check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def _stories(figures: dict[str, Any]) -> str:
    lines = ["The local drafter on labelled stories:", ""]
    lines += ["| source | stories | name | goal | category | urgency | all four |"]
    lines += ["| --- | --- | --- | --- | --- | --- | --- |"]
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


def _with_section(text: str, section: str) -> str:
    """Return the text with this section in place of the earlier one, or at the end."""
    before, _, old = text.partition(f"\n{HEADING}\n")
    _, heading, after = old.partition("\n## ")
    return before.rstrip("\n") + f"\n\n{section}\n" + (heading + after if heading else "")


if __name__ == "__main__":
    main()
