"""The local transcriber, on voices of several kinds and on sounds that are none."""

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

from adapters.speech import DEMO_RECORDING, DEMO_WORDS
from adapters.speech.local import LocalTranscriber
from domain.errors import StepFailed, Superseded
from domain.values import Transcript
from tests.fakes.children import speech_children

RECORDINGS = Path(__file__).parents[2] / "fixtures" / "speech"
SPEECH = "i want to raise five thousand dollars for my family"
FORMATS = ["speech.wav", "speech.mp3", "speech.ogg", "speech.webm", "speech.m4a", "speech.flac"]
UNSPOKEN = ["silence.flac", "noise.ogg", "tone.ogg", "music.ogg"]
FOREIGN = ["foreign-de.ogg", "foreign-es.ogg"]
VOICES = ["voice-slt.ogg", "voice-awb.ogg"]

RecognizedWord = Callable[[str], Transcript]


def transcribed(path: Path) -> Transcript:
    with path.open("rb") as recording:
        return LocalTranscriber().transcribe(recording, lambda _: None)


@pytest.fixture(scope="module")
def heard() -> RecognizedWord:
    """What the transcriber makes of a recording by its name: each is heard once, when somebody asks for it."""

    @cache
    def transcript_or_fault(name: str) -> Transcript | StepFailed:
        try:
            return transcribed(DEMO_RECORDING if name == "demo" else RECORDINGS / name)
        except StepFailed as fault:
            return fault

    def hear(name: str) -> Transcript:
        told = transcript_or_fault(name)
        if isinstance(told, StepFailed):
            raise told
        return told

    return hear


def words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def errors(heard: list[str], said: list[str]) -> int:
    """How many words must be put in, taken out or changed to make one text the other."""
    row = list(range(len(said) + 1))
    for number, word in enumerate(heard, start=1):
        diagonal, row[0] = row[0], number
        for at, other in enumerate(said, start=1):
            diagonal, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, diagonal + (word != other))
    return row[-1]


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_speech_in_any_format_gives_the_same_words(heard: RecognizedWord, name: str) -> None:
    assert errors(words(heard(name).text), words(SPEECH)) <= 1


@pytest.mark.parametrize("name", VOICES)
def test_other_voices_are_understood_too(heard: RecognizedWord, name: str) -> None:
    said = words("My son is seven years old, and he needs an operation on his heart.")
    assert errors(words(heard(name).text), said) <= 1


def test_the_demonstration_keeps_name_place_amount_and_nearly_every_word(heard: RecognizedWord) -> None:
    text = heard("demo").text
    said = words(DEMO_WORDS.read_text())
    assert errors(words(text), said) <= len(said) * 0.05
    for telling in ("david miller", "chicago", "a fire in our house", "five thousand dollars for my family"):
        assert telling in text.lower()


def test_pauses_end_sentences(heard: RecognizedWord) -> None:
    transcript = heard("demo")
    assert transcript.segments is not None
    assert transcript.text == " ".join(segment.text for segment in transcript.segments)
    assert "I want to raise five thousand dollars for my family." in [segment.text for segment in transcript.segments]
    for segment in transcript.segments:
        assert segment.text[0].isupper()
        assert segment.text.endswith(".")
        assert len(segment.text.split()) < 30


def test_every_word_has_its_place_in_the_recording_and_a_confidence(heard: RecognizedWord) -> None:
    transcript = heard("demo")
    assert transcript.words is not None
    assert [word.text.lower() for word in transcript.words] == words(transcript.text)
    assert all(word.confidence is not None and 0 <= word.confidence <= 1 for word in transcript.words)
    ends = [0] + [word.end_ms for word in transcript.words]
    assert all(end <= word.start_ms < word.end_ms for end, word in zip(ends, transcript.words, strict=False))
    assert 40_000 < ends[-1] < 43_400


def test_the_transcript_says_what_it_is(heard: RecognizedWord) -> None:
    assert (heard("demo").language, heard("demo").engine) == ("en", "pocketsphinx")


def test_two_are_heard_at_once_as_well_as_one_after_the_other(heard: RecognizedWord) -> None:
    with ThreadPoolExecutor(2) as workers:
        at_once = list(workers.map(transcribed, [RECORDINGS / name for name in VOICES]))
    assert [told.text for told in at_once] == [heard(name).text for name in VOICES]


@pytest.mark.parametrize("name", UNSPOKEN)
def test_no_words_are_invented_where_nobody_speaks(heard: RecognizedWord, name: str) -> None:
    with pytest.raises(StepFailed) as failed:
        heard(name)
    assert (failed.value.code, failed.value.retryable) == ("no_speech", False)


@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_not_understood_as_english_is_said_so(heard: RecognizedWord, name: str) -> None:
    with pytest.raises(StepFailed, match="English") as failed:
        heard(name)
    assert (failed.value.code, failed.value.retryable) == ("unsupported_language", False)


def test_a_child_that_is_killed_may_be_started_again() -> None:
    def kill(_: float) -> None:
        for child in speech_children(os.getpid()):
            os.kill(child, signal.SIGKILL)

    with DEMO_RECORDING.open("rb") as recording, pytest.raises(StepFailed) as failed:
        LocalTranscriber().transcribe(recording, kill)
    assert (failed.value.code, failed.value.retryable) == ("interrupted", True)


@pytest.mark.parametrize("limits", [{"wall_seconds": 1}, {"cpu_seconds": 1}, {"memory_mb": 200}])
def test_a_child_has_limits(limits: dict[str, int]) -> None:
    began = time.monotonic()
    with DEMO_RECORDING.open("rb") as recording, pytest.raises(StepFailed) as failed:
        LocalTranscriber(**limits).transcribe(recording, lambda _: None)
    assert failed.value.retryable
    assert time.monotonic() - began < 8
    assert speech_children(os.getpid()) == []


def test_a_recording_longer_than_allowed_is_not_started() -> None:
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
    deadline = time.monotonic() + 5
    while Path(f"/proc/{child}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_child_holds_no_secret_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTER_KEY", "a secret that nobody else may have")
    environments: list[bytes] = []

    def look(_: float) -> None:
        environments.extend(Path(f"/proc/{child}/environ").read_bytes() for child in speech_children(os.getpid()))
        raise Superseded

    with (RECORDINGS / "speech.webm").open("rb") as recording, pytest.raises(Superseded):
        LocalTranscriber().transcribe(recording, look)
    (environment,) = environments
    assert b"PATH=" in environment
    assert b"MASTER_KEY" not in environment
