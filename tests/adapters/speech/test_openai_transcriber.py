"""OpenAI's transcriber, over real HTTP against a stand-in on loopback."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from adapters.speech import DEMO_RECORDING
from adapters.speech.inspector import ChildAudioInspector
from adapters.speech.openai import OpenAITranscriber
from domain.errors import StepFailed, Superseded
from domain.values import Transcript
from tests.fakes.openai_transcriptions import Reply, TranscriptionServer, refused, said, transcription_server

RECORDINGS = Path(__file__).parents[2] / "fixtures" / "speech"


@pytest.fixture
def server() -> Iterator[TranscriptionServer]:
    with transcription_server() as running:
        yield running


def transcribed(server: TranscriptionServer, path: Path = RECORDINGS / "speech.webm", **options: object) -> Transcript:
    transcriber = OpenAITranscriber("sk-secret", server.base_url, retries=0, **options)  # type: ignore[arg-type]
    with path.open("rb") as recording:
        return transcriber.transcribe(recording, lambda _: None)


def seconds(sound: bytes) -> float:
    with av.open(io.BytesIO(sound), "r") as container:
        return sum(frame.samples / frame.sample_rate for frame in container.decode(container.streams.audio[0]))


def test_a_small_recording_is_sent_as_it_is(server: TranscriptionServer) -> None:
    server.replies = [said(" Hello, my name is David. ", "en")]
    transcript = transcribed(server)
    assert transcript == Transcript("Hello, my name is David.", "en", "gpt-transcribe")
    (sent,) = server.sent
    assert sent.path == "/v1/audio/transcriptions"
    assert sent.authorization == "Bearer sk-secret"
    assert sent.fields == {"model": ["gpt-transcribe"], "response_format": ["json"]}
    assert (sent.file_name, sent.media_type) == ("recording.webm", "audio/webm")
    assert sent.sound == (RECORDINGS / "speech.webm").read_bytes()


def test_keywords_and_languages_go_along(server: TranscriptionServer) -> None:
    transcribed(server, keywords=["Miller", "Chicago"], languages=["en", "es"])
    assert server.sent[0].fields["keywords[]"] == ["Miller", "Chicago"]
    assert server.sent[0].fields["languages[]"] == ["en", "es"]


@pytest.mark.parametrize("name", ["speech.wav", "speech.mp3", "speech.ogg", "speech.m4a", "speech.flac"])
def test_a_recording_is_named_for_what_it_is(server: TranscriptionServer, name: str, tmp_path: Path) -> None:
    misnamed = tmp_path / "recording.pdf"
    misnamed.write_bytes((RECORDINGS / name).read_bytes())
    transcribed(server, misnamed)
    assert server.sent[0].file_name == f"recording{Path(name).suffix}"


def test_raw_aac_is_sent_as_opus(server: TranscriptionServer) -> None:
    transcribed(server, RECORDINGS / "speech.aac")
    assert server.sent[0].file_name == "recording.ogg"
    assert seconds(server.sent[0].sound) == pytest.approx(3.97, abs=0.1)


def test_a_recording_too_big_to_send_is_encoded_again(server: TranscriptionServer) -> None:
    transcribed(server, RECORDINGS / "speech.wav", max_upload_bytes=100_000)
    (sent,) = server.sent
    assert sent.file_name == "recording.ogg"
    assert len(sent.sound) < 25_000
    assert seconds(sent.sound) == pytest.approx(3.85, abs=0.1)


def test_a_recording_too_long_to_send_is_split_and_its_transcripts_joined(server: TranscriptionServer) -> None:
    server.replies = [said("One.", "en"), said("", "de"), said("Three.", "en"), said("Four.", "en")]
    told: list[float] = []
    transcriber = OpenAITranscriber("sk-secret", server.base_url, retries=0, part_seconds=15)
    with DEMO_RECORDING.open("rb") as recording:
        transcript = transcriber.transcribe(recording, told.append)
        whole = ChildAudioInspector().inspect(recording).duration_ms / 1000
    assert transcript.text == "One. Three. Four."
    assert transcript.language == "en"
    lengths = [seconds(sent.sound) for sent in server.sent]
    assert len(lengths) == 4
    assert all(length <= 15.1 for length in lengths)
    assert sum(lengths) == pytest.approx(whole, abs=0.2)
    assert told == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_what_we_encode_is_a_recording_to_us_too(server: TranscriptionServer, tmp_path: Path) -> None:
    transcribed(server, RECORDINGS / "speech.aac")
    sent = tmp_path / "sent"
    sent.write_bytes(server.sent[0].sound)
    with sent.open("rb") as recording:
        assert ChildAudioInspector().inspect(recording).media_type == "audio/ogg"


@pytest.mark.parametrize(
    ("reply", "code", "retryable"),
    [
        (refused(401, "invalid_api_key"), "transcriber_rejected", False),
        (refused(403, "forbidden"), "transcriber_rejected", False),
        (refused(400, "invalid_value"), "transcriber_refused", False),
        (refused(404, "model_not_found"), "transcriber_refused", False),
        (refused(413, "too_large"), "transcriber_refused", False),
        (refused(429, "rate_limit_exceeded"), "transcriber_busy", True),
        (refused(500, "server_error"), "transcriber_unavailable", True),
        (Reply("<html>Bad gateway</html>", 502, "text/html"), "transcriber_unavailable", True),
        (Reply(None), "transcriber_unavailable", True),
        (Reply("<html>Hello</html>", 200, "text/html"), "transcriber_unavailable", True),
        (Reply("{", 200), "transcriber_unavailable", True),
        (Reply('{"text": null}', 200), "transcriber_unavailable", True),
        (Reply('{"text": 7, "languages": "en"}', 200), "transcriber_unavailable", True),
        (Reply("[]", 200), "transcriber_unavailable", True),
        (said(" \n"), "no_speech", False),
    ],
)
def test_a_failure_says_whether_trying_again_helps(
    server: TranscriptionServer, reply: Reply, code: str, retryable: bool
) -> None:
    server.replies = [reply]
    with pytest.raises(StepFailed) as failed:
        transcribed(server)
    assert (failed.value.code, failed.value.retryable) == (code, retryable)
    assert "sk-secret" not in str(failed.value)


@pytest.mark.parametrize("languages", ['[{"code": "english"}]', "[]", "null", '[{"code": 7}]', '["en"]', "7"])
def test_a_language_nobody_can_name_is_none(server: TranscriptionServer, languages: str) -> None:
    server.replies = [Reply(f'{{"text": "Hello.", "languages": {languages}}}')]
    assert transcribed(server) == Transcript("Hello.", None, "gpt-transcribe")


def test_a_service_that_does_not_answer_is_not_waited_for(server: TranscriptionServer) -> None:
    server.replies = [Reply("{}", pause_seconds=3.0)]
    with pytest.raises(StepFailed) as failed:
        transcribed(server, timeout_seconds=0.3)
    assert (failed.value.code, failed.value.retryable) == ("transcriber_unavailable", True)


def test_a_service_that_is_not_there_may_come_back() -> None:
    with transcription_server() as gone:
        pass
    with pytest.raises(StepFailed) as failed:
        transcribed(gone)
    assert (failed.value.code, failed.value.retryable) == ("transcriber_unavailable", True)


def test_a_hiccup_is_tried_again_as_often_as_asked(server: TranscriptionServer) -> None:
    server.replies = [refused(500, "server_error"), said("Hello.", "en")]
    transcriber = OpenAITranscriber("sk-secret", server.base_url, retries=1)
    with (RECORDINGS / "speech.webm").open("rb") as recording:
        assert transcriber.transcribe(recording, lambda _: None).text == "Hello."
    assert [len(sent.sound) for sent in server.sent] == [(RECORDINGS / "speech.webm").stat().st_size] * 2


def test_what_is_no_recording_is_never_sent(server: TranscriptionServer) -> None:
    with pytest.raises(StepFailed) as failed:
        transcribed(server, RECORDINGS / "document.wav")
    assert (failed.value.code, failed.value.retryable) == ("not_audio", False)
    assert server.sent == []


def test_nothing_is_sent_once_the_work_is_no_longer_wanted(server: TranscriptionServer) -> None:
    def unwanted(_: float) -> None:
        raise Superseded

    transcriber = OpenAITranscriber("sk-secret", server.base_url)
    with (RECORDINGS / "speech.webm").open("rb") as recording, pytest.raises(Superseded):
        transcriber.transcribe(recording, unwanted)
    assert server.sent == []
