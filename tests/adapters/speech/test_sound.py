"""A recording is judged by what it holds, never by what the machine lacked at that moment."""

from __future__ import annotations

import errno
from typing import Any

import av
import pytest

from adapters.speech import DEMO_RECORDING
from adapters.speech.sound import Sound, measure


def short_of_memory(*_: Any, **__: Any) -> Any:
    raise av.error.MemoryError(errno.ENOMEM, "Cannot allocate memory")


def test_a_recording_that_could_not_be_opened_for_want_of_memory_is_not_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(av, "open", short_of_memory)
    with DEMO_RECORDING.open("rb") as recording, pytest.raises(MemoryError):
        Sound(recording.fileno())


@pytest.mark.parametrize("step", ["demux", "decode"])
def test_a_recording_that_could_not_be_decoded_for_want_of_memory_is_not_refused(
    step: str, monkeypatch: pytest.MonkeyPatch
):
    class Packet:
        decode = short_of_memory

    class Container:
        """As PyAV's, but for the memory."""

        def __init__(self, opened: Any) -> None:
            self.streams, self.format = opened.streams, opened.format

        def demux(self, _: Any) -> Any:
            if step == "demux":
                short_of_memory()
            yield Packet()

    opened = av.open
    monkeypatch.setattr(av, "open", lambda *args, **more: Container(opened(*args, **more)))
    with DEMO_RECORDING.open("rb") as recording, pytest.raises(MemoryError):
        measure(recording.fileno(), 60)
