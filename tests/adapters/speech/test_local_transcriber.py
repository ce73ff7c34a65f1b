"""The local transcriber, on several voices and on sounds that are not speech."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest

from adapters.speech import DEMO_RECORDING
from adapters.speech.local import LocalTranscriber
from domain.errors import StepFailed, Superseded
from domain.values import Transcript
from tests.fakes.children import speech_children

RECORDINGS = Path(__file__).parents[2] / "fixtures" / "speech"
SPEECH = "i want to raise five thousand dollars for my family"
FORMATS = ["speech.wav", "speech.webm"]
NOT_SPEECH = ["silence.flac", "noise.ogg", "tone.ogg", "music.ogg"]
FOREIGN = ["foreign-de.ogg", "foreign-es.ogg"]
VOICES = ["voice-slt.ogg", "voice-awb.ogg"]

Transcribe = Callable[[str], Transcript]


def transcribed(path: Path) -> Transcript:
    with path.open("rb") as recording:
        return LocalTranscriber().transcribe(recording, lambda _: None)


@pytest.fixture(scope="module")
def transcript_of() -> Transcribe:
    """Return a function that transcribes a recording by its name, each recording only once."""

    @cache
    def transcript_or_failure(name: str) -> Transcript | StepFailed:
        try:
            return transcribed(DEMO_RECORDING if name == "demo" else RECORDINGS / name)
        except StepFailed as failure:
            return failure

    def transcript(name: str) -> Transcript:
        outcome = transcript_or_failure(name)
        if isinstance(outcome, StepFailed):
            raise outcome
        return outcome

    return transcript


def words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def errors(recognised: list[str], spoken: list[str]) -> int:
    """Return the edit distance in words."""
    row = list(range(len(spoken) + 1))
    for number, word in enumerate(recognised, start=1):
        diagonal, row[0] = row[0], number
        for at, other in enumerate(spoken, start=1):
            diagonal, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, diagonal + (word != other))
    return row[-1]


@pytest.mark.parametrize("name", FORMATS)
def test_speech_in_several_formats_is_recognised(transcript_of: Transcribe, name: str) -> None:
    assert errors(words(transcript_of(name).text), words(SPEECH)) <= 1


@pytest.mark.parametrize("name", VOICES)
def test_other_voices_are_recognised(transcript_of: Transcribe, name: str) -> None:
    spoken = words("My son is seven years old, and he needs an operation on his heart.")
    assert errors(words(transcript_of(name).text), spoken) <= 1


def test_nearly_every_word_of_the_demo_is_recognised(transcript_of: Transcribe) -> None:
    text = transcript_of("demo").text
    spoken = words(DEMO_RECORDING.with_suffix(".txt").read_text())
    assert errors(words(text), spoken) <= len(spoken) * 0.05
    for phrase in ("david miller", "chicago", "a fire in our house", "five thousand dollars for my family"):
        assert phrase in text.lower()


def test_pauses_end_sentences(transcript_of: Transcribe) -> None:
    transcript = transcript_of("demo")
    assert transcript.segments is not None
    assert transcript.text == " ".join(segment.text for segment in transcript.segments)
    assert "I want to raise five thousand dollars for my family." in [segment.text for segment in transcript.segments]
    for segment in transcript.segments:
        assert segment.text[0].isupper()
        assert segment.text.endswith(".")
        assert len(segment.text.split()) < 30


def test_every_word_has_a_time_and_a_confidence(transcript_of: Transcribe) -> None:
    transcript = transcript_of("speech.wav")
    assert transcript.words is not None
    assert [word.text.lower() for word in transcript.words] == words(transcript.text)
    assert all(word.confidence is not None and 0 <= word.confidence <= 1 for word in transcript.words)
    ends = [0] + [word.end_ms for word in transcript.words]
    assert all(end <= word.start_ms < word.end_ms for end, word in zip(ends, transcript.words, strict=False))
    assert 3_000 < ends[-1] < 3_900


def test_the_transcript_names_its_language_and_engine(transcript_of: Transcribe) -> None:
    transcript = transcript_of("speech.wav")
    assert (transcript.language, transcript.engine) == ("en", "pocketsphinx")


def test_two_recordings_can_be_transcribed_at_the_same_time(transcript_of: Transcribe) -> None:
    with ThreadPoolExecutor(2) as workers:
        at_once = list(workers.map(transcribed, [RECORDINGS / name for name in FORMATS]))
    assert [transcript.text for transcript in at_once] == [transcript_of(name).text for name in FORMATS]


@pytest.mark.parametrize("name", NOT_SPEECH)
def test_a_recording_without_speech_is_refused(transcript_of: Transcribe, name: str) -> None:
    with pytest.raises(StepFailed) as failed:
        transcript_of(name)
    assert (failed.value.code, failed.value.retryable) == ("no_speech", False)


@pytest.mark.parametrize("name", FOREIGN)
def test_a_recording_in_another_language_is_refused(transcript_of: Transcribe, name: str) -> None:
    with pytest.raises(StepFailed, match="English") as failed:
        transcript_of(name)
    assert (failed.value.code, failed.value.retryable) == ("unsupported_language", False)


def test_a_killed_child_is_a_retryable_failure() -> None:
    def kill(_: float) -> None:
        for child in speech_children(os.getpid()):
            os.kill(child, signal.SIGKILL)

    with DEMO_RECORDING.open("rb") as recording, pytest.raises(StepFailed) as failed:
        LocalTranscriber().transcribe(recording, kill)
    assert (failed.value.code, failed.value.retryable) == ("interrupted", True)


@pytest.mark.parametrize("limits", [{"wall_seconds": 1}, {"cpu_seconds": 1}, {"memory_mb": 200}])
def test_a_child_that_exceeds_a_limit_is_a_retryable_failure(limits: dict[str, int]) -> None:
    with DEMO_RECORDING.open("rb") as recording, pytest.raises(StepFailed) as failed:
        LocalTranscriber(**limits).transcribe(recording, lambda _: None)
    assert failed.value.retryable
    assert speech_children(os.getpid()) == []


def test_a_recording_that_is_too_long_is_refused() -> None:
    with (RECORDINGS / "speech.wav").open("rb") as recording, pytest.raises(StepFailed) as failed:
        LocalTranscriber(max_seconds=3).transcribe(recording, lambda _: None)
    assert (failed.value.code, failed.value.retryable) == ("too_long", False)


def test_no_child_outlives_a_parent_that_is_killed() -> None:
    program = (
        "from adapters.speech import DEMO_RECORDING\n"
        "from adapters.speech.local import LocalTranscriber\n"
        "LocalTranscriber().transcribe(DEMO_RECORDING.open('rb'), lambda fraction: print(fraction, flush=True))\n"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        (child,) = speech_children(parent.pid)
        parent.kill()
    deadline = time.monotonic() + 60
    while Path(f"/proc/{child}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_child_does_not_inherit_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTER_KEY", "a secret")
    environments: list[bytes] = []

    def read_environment(_: float) -> None:
        environments.extend(Path(f"/proc/{child}/environ").read_bytes() for child in speech_children(os.getpid()))
        raise Superseded

    with (RECORDINGS / "speech.webm").open("rb") as recording, pytest.raises(Superseded):
        LocalTranscriber().transcribe(recording, read_environment)
    (environment,) = environments
    assert b"PATH=" in environment
    assert b"MASTER_KEY" not in environment
