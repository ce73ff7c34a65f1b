"""Speech: inspects recordings and transcribes them."""

from pathlib import Path

# A spoken appeal that ships with the project; its words are in demo.txt.
DEMO_RECORDING = Path(__file__).with_name("demo.webm")
