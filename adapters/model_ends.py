"""The ends of OpenAI's models, as the installed library announces them in its source text."""

import re
from datetime import date
from functools import cache
from importlib.util import find_spec
from pathlib import Path

# Each has a text like: - "gpt-5", "gpt-5-mini": Announced shutdown date: 2026-12-11.
_SOURCES = ("types/shared/chat_model.py", "types/audio_model.py")
_ANNOUNCEMENT = re.compile(r'((?:"[^"]+",?\s+)*"[^"]+"):\s+Announced\s+shutdown\s+date:\s+(\d{4}-\d{2}-\d{2})')


@cache
def announced_ends() -> dict[str, date]:
    """Return the date on which each of the models stops. The library is read as text, because importing it is slow."""
    spec = find_spec("openai")
    if spec is None or spec.origin is None:
        return {}
    ends: dict[str, date] = {}
    for source in _SOURCES:
        try:
            text = (Path(spec.origin).parent / source).read_text("utf-8")
        except OSError:
            continue
        for models, day in _ANNOUNCEMENT.findall(text):
            ends |= dict.fromkeys(re.findall(r'"([^"]+)"', models), date.fromisoformat(day))
    return ends


def announced_end(model: str) -> date | None:
    """Return the date on which the model stops, or None if no end is announced."""
    return announced_ends().get(model)
