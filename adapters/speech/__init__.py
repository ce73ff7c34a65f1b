"""Speech: what a recording really is, and the words that are in it."""

from pathlib import Path

# A spoken appeal that ships with the project, and the words that are said in it.
DEMO_RECORDING = Path(__file__).with_name("demo.webm")
DEMO_WORDS = DEMO_RECORDING.with_suffix(".txt")
