"""What every transcriber promises, whoever does the work."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.speech.local import LocalTranscriber
from adapters.speech.openai import OpenAITranscriber
from domain.errors import StepFailed, Superseded
from domain.ports import Transcriber
from domain.values import Transcript
from tests.fakes.children import speech_children
from tests.fakes.openai_transcriptions import said, transcription_server
from tests.fakes.speech import TRANSCRIPT, FakeTranscriber

RECORDINGS = Path(__file__).parents[2] / "fixtures" / "speech"


@dataclass(frozen=True)
class Trial:
    """A transcriber, and the same one at a recording in which nobody speaks."""

    hearing: Transcriber
    in_silence: Transcriber


@pytest.fixture(params=["local", "openai", "fake"])
def trial(request: pytest.FixtureRequest) -> Iterator[Trial]:
    match request.param:
        case "local":
            yield Trial(LocalTranscriber(), LocalTranscriber())
        case "openai":
            with transcription_server() as hearing, transcription_server() as silent:
                hearing.replies, silent.replies = [said(TRANSCRIPT.text, "en")], [said("")]
                yield Trial(
                    OpenAITranscriber("sk-secret", hearing.base_url), OpenAITranscriber("sk-secret", silent.base_url)
                )
        case _:
            unheard = StepFailed("no_speech", "We could hear nobody speak.", retryable=False)
            yield Trial(FakeTranscriber(), FakeTranscriber(unheard))


def test_a_transcriber_writes_down_what_is_said_and_tells_how_far_it_is(trial: Trial) -> None:
    told: list[float] = []
    with tempfile.TemporaryFile() as recording:
        recording.write((RECORDINGS / "speech.webm").read_bytes())
        transcript = trial.hearing.transcribe(recording, told.append)
    assert isinstance(transcript, Transcript)
    assert "raise five thousand dollars for my family" in transcript.text.lower()
    assert transcript.language == "en"
    assert transcript.engine
    assert len(told) >= 2
    assert told == sorted(told)
    assert told[0] >= 0.0
    assert told[-1] == 1.0


def test_a_recording_in_which_nobody_speaks_has_no_words(trial: Trial) -> None:
    with (RECORDINGS / "silence.flac").open("rb") as recording, pytest.raises(StepFailed) as failed:
        trial.in_silence.transcribe(recording, lambda _: None)
    assert (failed.value.code, failed.value.retryable) == ("no_speech", False)
    assert failed.value.message


def test_work_no_longer_wanted_ends_at_once_and_leaves_no_process(trial: Trial) -> None:
    def unwanted(_: float) -> None:
        raise Superseded

    with (RECORDINGS / "speech.webm").open("rb") as recording, pytest.raises(Superseded):
        trial.hearing.transcribe(recording, unwanted)
    assert speech_children(os.getpid()) == []
