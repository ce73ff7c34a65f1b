"""The local transcriber and its model, on several voices."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import wave
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.speech import DEMO_RECORDING
from adapters.speech.local import LocalTranscriber, spoken
from adapters.speech.sound import BYTES_PER_SECOND, RATE, Sound
from domain.errors import NotInstalledError, StepFailed
from domain.values import Transcript
from tests.client import eventually
from tests.fakes.children import RECOGNISER, speech_children
from tests.fakes.recognisers import ENDING_AT_A_REQUEST, transcriber_with

RECORDINGS = Path(__file__).parents[2] / "fixtures" / "speech"
SPEECH = "i want to raise $5,000 for my family"
OTHER_SPEECH = "my son is seven years old and he needs an operation on his heart"


def transcribed(path: Path) -> Transcript:
    with path.open("rb") as recording:
        return LocalTranscriber().transcribe(recording, lambda _: None)


@dataclass(frozen=True)
class Transcripts:
    """Of two sentences by two voices, with a pause between them, and of a Spanish one."""

    english: Transcript
    spanish: Transcript


@pytest.fixture(scope="module")
def transcripts(tmp_path_factory: pytest.TempPathFactory) -> Transcripts:
    """Transcribe two recordings in different formats at the same time."""
    path = tmp_path_factory.mktemp("speech") / "two-sentences.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        for name in ("speech.wav", "voice-awb.ogg"):
            with (RECORDINGS / name).open("rb") as recording:
                file.writeframes(b"".join(Sound(recording.fileno()).pcm()) + bytes(BYTES_PER_SECOND))
    with ThreadPoolExecutor(2) as workers:
        return Transcripts(*workers.map(transcribed, [path, RECORDINGS / "foreign-es.ogg"]))


def words(text: str) -> list[str]:
    return re.findall(r"[a-z'$\d,]*[a-z\d]", text.lower())


def errors(recognised: list[str], reference: list[str]) -> int:
    """Return the edit distance in words."""
    row = list(range(len(reference) + 1))
    for number, word in enumerate(recognised, start=1):
        diagonal, row[0] = row[0], number
        for at, other in enumerate(reference, start=1):
            diagonal, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, diagonal + (word != other))
    return row[-1]


def test_two_voices_are_recognised(transcripts: Transcripts) -> None:
    assert errors(words(transcripts.english.text), words(f"{SPEECH} {OTHER_SPEECH}")) <= 2


def test_a_recording_in_another_language_is_transcribed_in_that_language(transcripts: Transcripts) -> None:
    assert transcripts.spanish.language == "es"
    assert transcripts.spanish.text.startswith("Buenos días, me llamo María")


def test_a_language_that_nobody_speaks_does_not_count() -> None:
    assert spoken({"es": 0.42, "la": 0.4, "it": 0.07}) == pytest.approx({"es": 0.7, "it": 0.1167}, abs=1e-3)
    assert spoken({"la": 1.0}) == {}


@pytest.mark.soak
def test_a_third_language_is_recognised() -> None:
    transcript = transcribed(RECORDINGS / "foreign-de.ogg")
    assert transcript.language == "de"
    assert transcript.text.startswith("Guten Tag")


@pytest.mark.soak
def test_a_third_voice_is_recognised() -> None:
    assert errors(words(transcribed(RECORDINGS / "voice-slt.ogg").text), words(OTHER_SPEECH)) <= 1


@pytest.mark.soak
def test_nearly_every_word_of_the_demo_is_recognised() -> None:
    text = transcribed(DEMO_RECORDING).text
    reference = words(DEMO_RECORDING.with_suffix(".txt").read_text())
    assert errors(words(text), reference) <= len(reference) * 0.05
    for phrase in ("david miller", "chicago", "a fire in our house", "five thousand dollars for my family"):
        assert phrase in text.lower()


def test_the_transcript_consists_of_sentences_with_their_times(transcripts: Transcripts) -> None:
    assert transcripts.english.segments is not None
    first, second = transcripts.english.segments
    assert transcripts.english.text == f"{first.text} {second.text}"
    assert first.text == "I want to raise $5,000 for my family."
    assert second.text.startswith("My son ")
    assert second.text.endswith(" heart.")
    assert 3_000 < first.end_ms < 3_900
    assert first.end_ms < second.start_ms < second.end_ms
    assert not first.uncertain


def test_every_word_has_a_time_and_a_confidence(transcripts: Transcripts) -> None:
    transcript = transcripts.english
    assert transcript.words is not None
    assert " ".join(word.text for word in transcript.words) == transcript.text
    assert all(word.confidence is not None and 0 <= word.confidence <= 1 for word in transcript.words)
    ends = [0] + [word.end_ms for word in transcript.words]
    assert all(end <= word.start_ms < word.end_ms for end, word in zip(ends, transcript.words, strict=False))


def test_the_transcript_names_its_language_and_engine(transcripts: Transcripts) -> None:
    assert (transcripts.english.language, transcripts.english.engine) == ("en", "whisper-base")


def test_a_killed_recogniser_is_a_retryable_failure() -> None:
    """`test_recognizer.py` shows that the next attempt starts another one."""
    with (RECORDINGS / "speech.webm").open("rb") as recording, transcriber_with(ENDING_AT_A_REQUEST) as transcriber:
        with pytest.raises(StepFailed) as failed:
            transcriber.transcribe(recording, lambda _: None)
        assert (failed.value.code, failed.value.retryable) == ("interrupted", True)


@pytest.mark.parametrize("limits", [{"wall_seconds": 0}, {"memory_mb": 200}])
def test_a_decoder_that_exceeds_a_limit_is_a_retryable_failure(limits: dict[str, int]) -> None:
    with (RECORDINGS / "speech.webm").open("rb") as recording, pytest.raises(StepFailed) as failed:
        LocalTranscriber(**limits).transcribe(recording, lambda _: None)
    assert failed.value.retryable
    assert speech_children(os.getpid()) == []


def test_without_a_model_the_recording_waits_for_the_operator(tmp_path: Path) -> None:
    with (RECORDINGS / "speech.webm").open("rb") as recording, pytest.raises(NotInstalledError, match="model"):
        LocalTranscriber(model=tmp_path).transcribe(recording, lambda _: None)


def test_a_recording_that_is_too_long_is_refused() -> None:
    with (RECORDINGS / "speech.wav").open("rb") as recording, pytest.raises(StepFailed) as failed:
        LocalTranscriber(max_seconds=3).transcribe(recording, lambda _: None)
    assert (failed.value.code, failed.value.retryable) == ("too_long", False)


def test_no_child_outlives_a_parent_that_is_killed() -> None:
    program = (
        "from adapters.speech.model import DEFAULT_MODEL\n"
        "from adapters.speech.recognizer import Recognizer\n"
        "Recognizer(DEFAULT_MODEL).languages(bytes(1000), lambda: None)\n"
        "import signal; signal.pause()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=Path(__file__).parents[3]) as parent:
        (child,) = eventually(lambda: speech_children(parent.pid, RECOGNISER))
        parent.kill()
    eventually(lambda: not Path(f"/proc/{child}").exists())
