"""The ends that the installed library announces for OpenAI's models."""

from __future__ import annotations

import re
from datetime import date
from importlib.util import find_spec
from pathlib import Path

import pytest

from adapters.model_ends import announced_end, announced_ends
from adapters.model_servers import DEFAULT_DRAFT_MODEL, DEFAULT_SPEECH_MODEL

SPEC = find_spec("openai")
assert SPEC is not None
assert SPEC.origin is not None
LIBRARY = Path(SPEC.origin).parent


def source(*names: str) -> str:
    return "".join((LIBRARY / "types" / name).read_text("utf-8") for name in names)


def deprecated_values(text: str) -> str:
    """Return what the sources say after 'Deprecated values', in which the library lists every model that ends."""
    return "".join(re.findall(r"Deprecated values:.*?(?=\"\"\")", text, re.DOTALL))


def test_the_default_models_are_known_and_nothing_says_that_they_end():
    chat = source("shared/chat_model.py")
    speech = source("audio_model.py", "audio/transcription_create_params.py")
    for model, text in ((DEFAULT_DRAFT_MODEL, chat), (DEFAULT_SPEECH_MODEL, speech)):
        assert f'"{model}"' in text.partition("Deprecated values")[0]
        assert f'"{model}"' not in deprecated_values(text)
        assert announced_end(model) is None


def test_every_announcement_of_the_library_is_found():
    text = source("shared/chat_model.py", "audio_model.py")
    dates = re.findall(r"\d{4}-\d{2}-\d{2}(?=\.\s)", deprecated_values(text))
    assert {day.isoformat() for day in announced_ends().values()} == set(dates)
    assert len(announced_ends()) > 40


@pytest.mark.parametrize(
    ("model", "end"), [("gpt-5-mini", date(2026, 12, 11)), ("whisper-1", date(2027, 2, 26)), ("my-own-model", None)]
)
def test_a_model_has_the_end_that_the_library_announces(model: str, end: date | None):
    assert announced_end(model) == end
