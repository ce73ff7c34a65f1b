"""The local transcriber, on several voices and on sounds that are not speech."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import wave
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from adapters.speech import DEMO_RECORDING
from adapters.speech.local import LocalTranscriber
from adapters.speech.model import DEFAULT_MODEL
from adapters.speech.recognizer import Recognizer
from adapters.speech.sound import BYTES_PER_SECOND, RATE, Sound
from domain.errors import NotInstalledError, StepFailed
from domain.values import Transcript
from tests.client import eventually
from tests.fakes.children import RECOGNISER, speech_children

RECORDINGS = Path(__file__).parents[2] / "fixtures" / "speech"
SPEECH = "i want to raise $5,000 for my family"
OTHER_SPEECH = "my son is seven years old and he needs an operation on his heart"
FORMATS = ["speech.wav", "speech.webm"]
# The contract of all transcribers tries silence.
NOT_SPEECH = ["noise.ogg", "music.ogg", pytest.param("tone.ogg", marks=pytest.mark.soak)]
FOREIGN = [
    ("foreign-es.ogg", "es", "Buenos días, me llamo María"),
    pytest.param("foreign-de.ogg", "de", "Guten Tag", marks=pytest.mark.soak),
]


def transcribed(path: Path) -> Transcript:
    with path.open("rb") as recording:
        return LocalTranscriber().transcribe(recording, lambda _: None)


@pytest.fixture(scope="module")
def two_transcripts() -> list[Transcript]:
    """Transcribe one recording in two formats at the same time."""
    with ThreadPoolExecutor(2) as workers:
        return list(workers.map(transcribed, [RECORDINGS / name for name in FORMATS]))


@pytest.fixture(scope="module")
def two_sentences(tmp_path_factory: pytest.TempPathFactory) -> Transcript:
    """Transcribe a recording with two voices and a pause between them."""
    path = tmp_path_factory.mktemp("speech") / "two-sentences.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        for name in ("speech.wav", "voice-awb.ogg"):
            with (RECORDINGS / name).open("rb") as recording:
                file.writeframes(b"".join(Sound(recording.fileno()).pcm()) + bytes(BYTES_PER_SECOND))
    return transcribed(path)


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


def test_two_recordings_in_different_formats_are_recognised_at_the_same_time(two_transcripts: list[Transcript]) -> None:
    for transcript in two_transcripts:
        assert errors(words(transcript.text), words(SPEECH)) <= 1


def test_two_voices_are_recognised(two_sentences: Transcript) -> None:
    assert errors(words(two_sentences.text), words(f"{SPEECH} {OTHER_SPEECH}")) <= 2


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


def test_the_transcript_consists_of_sentences_with_their_times(two_sentences: Transcript) -> None:
    assert two_sentences.segments is not None
    first, second = two_sentences.segments
    assert two_sentences.text == f"{first.text} {second.text}"
    assert first.text == "I want to raise $5,000 for my family."
    assert second.text.startswith("My son ")
    assert second.text.endswith(" heart.")
    assert first.end_ms < second.start_ms < second.end_ms
    assert not first.uncertain


def test_every_word_has_a_time_and_a_confidence(two_transcripts: list[Transcript]) -> None:
    transcript = two_transcripts[0]
    assert transcript.words is not None
    assert " ".join(word.text for word in transcript.words) == transcript.text
    assert all(word.confidence is not None and 0 <= word.confidence <= 1 for word in transcript.words)
    ends = [0] + [word.end_ms for word in transcript.words]
    assert all(end <= word.start_ms < word.end_ms for end, word in zip(ends, transcript.words, strict=False))
    assert 3_000 < ends[-1] < 3_900


def test_the_transcript_names_its_language_and_engine(two_transcripts: list[Transcript]) -> None:
    transcript = two_transcripts[0]
    assert (transcript.language, transcript.engine) == ("en", "whisper-base")


@pytest.mark.parametrize("name", NOT_SPEECH)
def test_a_recording_without_speech_is_refused(name: str) -> None:
    with pytest.raises(StepFailed) as failed:
        transcribed(RECORDINGS / name)
    assert (failed.value.code, failed.value.retryable) == ("no_speech", False)


@pytest.mark.parametrize(("name", "language", "beginning"), FOREIGN)
def test_a_recording_in_another_language_is_transcribed_in_that_language(
    name: str, language: str, beginning: str
) -> None:
    transcript = transcribed(RECORDINGS / name)
    assert transcript.language == language
    assert transcript.text.startswith(beginning)


def test_a_killed_recogniser_is_a_retryable_failure_and_the_next_attempt_succeeds() -> None:
    def kill(_: float) -> None:
        for child in speech_children(os.getpid(), RECOGNISER):
            os.kill(child, signal.SIGKILL)

    transcriber = LocalTranscriber()
    with (RECORDINGS / "speech.webm").open("rb") as recording:
        transcriber.transcribe(recording, lambda _: None)
        with pytest.raises(StepFailed) as failed:
            transcriber.transcribe(recording, kill)
        assert (failed.value.code, failed.value.retryable) == ("interrupted", True)
        assert errors(words(transcriber.transcribe(recording, lambda _: None).text), words(SPEECH)) <= 1


@pytest.mark.parametrize("limits", [{"wall_seconds": 0}, {"memory_mb": 200}])
def test_a_decoder_that_exceeds_a_limit_is_a_retryable_failure(limits: dict[str, int]) -> None:
    with (RECORDINGS / "speech.webm").open("rb") as recording, pytest.raises(StepFailed) as failed:
        LocalTranscriber(**limits).transcribe(recording, lambda _: None)
    assert failed.value.retryable
    assert speech_children(os.getpid()) == []


def test_the_recogniser_ends_when_it_has_had_no_work_for_a_while() -> None:
    recognizer = Recognizer(DEFAULT_MODEL, idle_seconds=0)
    recognizer.languages(bytes(BYTES_PER_SECOND), lambda: None)
    eventually(lambda: not recognizer.running)


def test_without_a_model_the_recording_waits_for_the_operator(tmp_path: Path) -> None:
    with (RECORDINGS / "speech.webm").open("rb") as recording, pytest.raises(NotInstalledError, match="model"):
        LocalTranscriber(model=tmp_path).transcribe(recording, lambda _: None)


def test_a_recording_that_is_too_long_is_refused() -> None:
    with (RECORDINGS / "speech.wav").open("rb") as recording, pytest.raises(StepFailed) as failed:
        LocalTranscriber(max_seconds=3).transcribe(recording, lambda _: None)
    assert (failed.value.code, failed.value.retryable) == ("too_long", False)


def test_no_child_outlives_a_parent_that_is_killed() -> None:
    program = (
        "from pathlib import Path\n"
        "from adapters.speech import DEMO_RECORDING\n"
        "from adapters.speech.local import LocalTranscriber\n"
        "LocalTranscriber().transcribe(DEMO_RECORDING.open('rb'), lambda fraction: print(fraction, flush=True))\n"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        (child,) = eventually(lambda: speech_children(parent.pid, RECOGNISER))
        parent.kill()
    eventually(lambda: not Path(f"/proc/{child}").exists())
