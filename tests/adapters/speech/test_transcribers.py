"""The contract that every transcriber keeps."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.speech.openai import OpenAITranscriber
from domain.errors import StepFailed, Superseded
from domain.ports import Transcriber
from domain.values import Transcript
from tests.fakes.children import speech_children
from tests.fakes.openai_transcriptions import text_reply, transcription_server
from tests.fakes.recognisers import HEARING_A_SENTENCE, transcriber_with
from tests.fakes.speech import TRANSCRIPT, FakeTranscriber

RECORDINGS = Path(__file__).parents[2] / "fixtures" / "speech"


@dataclass(frozen=True)
class Transcribers:
    """Two transcribers of one kind: one is given speech, the other a recording without speech."""

    of_speech: Transcriber
    of_silence: Transcriber


@pytest.fixture(params=["local", "openai", "fake"])
def transcribers(request: pytest.FixtureRequest) -> Iterator[Transcribers]:
    match request.param:
        case "local":
            # The recognition itself is tested in test_local_transcriber.py.
            with transcriber_with(HEARING_A_SENTENCE) as transcriber:
                yield Transcribers(transcriber, transcriber)
        case "openai":
            with transcription_server() as speech, transcription_server() as silence:
                speech.replies, silence.replies = [text_reply(TRANSCRIPT.text, "en")], [text_reply("")]
                yield Transcribers(
                    OpenAITranscriber("sk-secret", speech.url), OpenAITranscriber("sk-secret", silence.url)
                )
        case _:
            no_speech = StepFailed("no_speech", "We could not hear any speech.", retryable=False)
            yield Transcribers(FakeTranscriber(), FakeTranscriber(no_speech))


def test_a_transcriber_returns_the_words_and_reports_its_progress(transcribers: Transcribers) -> None:
    progress: list[float] = []
    with tempfile.TemporaryFile() as recording:
        recording.write((RECORDINGS / "speech.webm").read_bytes())
        transcript = transcribers.of_speech.transcribe(recording, progress.append)
    assert isinstance(transcript, Transcript)
    assert re.search(r"raise (five thousand dollars|\$5,000) for my family", transcript.text)
    assert transcript.language == "en"
    assert transcript.engine
    assert len(progress) >= 2
    assert progress == sorted(progress)
    assert progress[0] >= 0.0
    assert progress[-1] == 1.0


def test_a_recording_without_speech_is_refused(transcribers: Transcribers) -> None:
    with (RECORDINGS / "silence.flac").open("rb") as recording, pytest.raises(StepFailed) as failed:
        transcribers.of_silence.transcribe(recording, lambda _: None)
    assert (failed.value.code, failed.value.retryable) == ("no_speech", False)
    assert failed.value.message


def test_superseded_work_ends_and_leaves_no_process(transcribers: Transcribers) -> None:
    def supersede(_: float) -> None:
        raise Superseded

    with (RECORDINGS / "speech.webm").open("rb") as recording, pytest.raises(Superseded):
        transcribers.of_speech.transcribe(recording, supersede)
    assert speech_children(os.getpid()) == []
