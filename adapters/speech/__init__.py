"""Speech: inspects recordings and transcribes them."""

from pathlib import Path

# A spoken appeal that ships with the project, and its words.
DEMO_RECORDING = Path(__file__).with_name("demo.webm")
DEMO_WORDS = DEMO_RECORDING.with_suffix(".txt")
