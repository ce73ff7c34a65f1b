"""Reads labelled stories aloud with flite, the synthetic voice of ffmpeg, for `make evaluate SPOKEN=FOLDER`.

python -m tests.benchmarks.read_aloud FOLDER [--stories FILE]
"""

from __future__ import annotations

import argparse
import re
import subprocess
from pathlib import Path

from adapters.evaluation.stories import stories_in
from tests.benchmarks.cross_source import STORIES, TEMPLATES

VOICE = "slt"
# Flite would read the braces, and does not pause at the others.
BRACES, PAUSES = re.compile(r"[{}]"), re.compile(r"\.\.\.|—")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.read_aloud")
    parser.add_argument("folder", type=Path, help="where to write ID.wav and ID.txt")
    parser.add_argument(
        "--stories", type=Path, default=STORIES, help="labelled stories; those of templates are left out"
    )
    options = parser.parse_args()
    for story in stories_in(options.stories):
        if story.source != TEMPLATES:
            read_aloud(story.transcript, options.folder / story.source, story.id)


def read_aloud(transcript: str, folder: Path, name: str) -> None:
    """Write what is said to NAME.txt in the folder, and the sound to NAME.wav."""
    folder.mkdir(parents=True, exist_ok=True)
    said = " ".join(PAUSES.sub(", ", BRACES.sub("", transcript)).split())
    text = folder / f"{name}.txt"
    text.write_text(said + "\n", encoding="utf-8")
    voice = ["-f", "lavfi", "-i", f"flite=textfile={text}:voice={VOICE}", "-ar", "16000", "-ac", "1"]
    subprocess.run(["ffmpeg", "-v", "error", "-y", *voice, folder / f"{name}.wav"], check=True)


if __name__ == "__main__":
    main()
