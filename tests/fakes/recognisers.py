"""Programs in the place of the recogniser's process. They load no model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from adapters.speech import recognizer
from adapters.speech.local import LocalTranscriber

# In the command line of each program.
FAKE = b"fake_recogniser"

# Answers each request for languages with its own process id.
NAMING_ITSELF = """
import json, os, sys  # fake_recogniser
print('{"ready": true}', flush=True)
for line in sys.stdin.buffer:
    sys.stdin.buffer.read(json.loads(line)["bytes"])
    print(json.dumps({"languages": {str(os.getpid()): 1.0}}), flush=True)
"""
# Hears the same English sentence in every sound.
HEARING_A_SENTENCE = """
import json, sys  # fake_recogniser
words = []
for at, text in enumerate("I want to raise $5,000 for my family.".split()):
    words.append({"text": text, "start": 400 * at, "end": 400 * at + 300, "confidence": 0.9, "logprob": -0.1})
print('{"ready": true}', flush=True)
for line in sys.stdin.buffer:
    request = json.loads(line)
    sys.stdin.buffer.read(request["bytes"])
    print(json.dumps({"words": words} if "language" in request else {"languages": {"en": 0.99}}), flush=True)
"""
ENDING_AT_A_REQUEST = """
import os, signal, sys  # fake_recogniser
print('{"ready": true}', flush=True)
sys.stdin.buffer.readline()
os.kill(os.getpid(), signal.SIGKILL)
"""
# Between the end of a process and the moment at which its parent notices it, nobody reads its standard input.
READING_NOTHING = """
import os, signal  # fake_recogniser
os.close(0)
print('{"ready": true}', flush=True)
signal.pause()
"""


@contextmanager
def transcriber_with(program: str) -> Iterator[LocalTranscriber]:
    """Yield a transcriber whose recogniser is this program."""
    model = Path("fake")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recognizer, "START", program)
        yield LocalTranscriber(model=model)
        recognizer.shared_recognizer(model, "cpu").close()
