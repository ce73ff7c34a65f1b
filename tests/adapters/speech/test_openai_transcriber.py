"""OpenAI's transcriber, over real HTTP against a fake server."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from adapters.confined.child_process import run_child
from adapters.speech import DEMO_RECORDING, openai
from adapters.speech.inspector import ChildAudioInspector
from adapters.speech.openai import OpenAITranscriber
from domain.errors import StepFailed, Superseded
from domain.values import Transcript
from tests.fakes.inspection import measure_here
from tests.fakes.openai_server import NO_REPLY, Reply
from tests.fakes.openai_transcriptions import TranscriptionServer, error_reply, text_reply, transcription_server

RECORDINGS = Path(__file__).parents[2] / "fixtures" / "speech"


@pytest.fixture(autouse=True)
def _recordings_are_measured_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting a child process for each measurement would take longer than most tests."""
    monkeypatch.setattr(openai, "run_child", measure_here)


@pytest.fixture
def server() -> Iterator[TranscriptionServer]:
    with transcription_server() as running:
        yield running


def transcribed(server: TranscriptionServer, path: Path = RECORDINGS / "speech.webm", **options: object) -> Transcript:
    transcriber = OpenAITranscriber("sk-secret", server.url, retries=0, **options)  # type: ignore[arg-type]
    with path.open("rb") as recording:
        return transcriber.transcribe(recording, lambda _: None)


def seconds(sound: bytes) -> float:
    with av.open(io.BytesIO(sound), "r") as container:
        return sum(frame.samples / frame.sample_rate for frame in container.decode(container.streams.audio[0]))


def test_a_small_recording_is_sent_as_it_is(server: TranscriptionServer) -> None:
    server.replies = [text_reply(" Hello, my name is David. ", "en")]
    transcript = transcribed(server)
    assert transcript == Transcript("Hello, my name is David.", "en", "gpt-transcribe")
    (upload,) = server.uploads
    assert upload.path == "/v1/audio/transcriptions"
    assert upload.authorization == "Bearer sk-secret"
    assert upload.fields == {"model": ["gpt-transcribe"], "response_format": ["json"]}
    assert (upload.file_name, upload.media_type) == ("recording.webm", "audio/webm")
    assert upload.content == (RECORDINGS / "speech.webm").read_bytes()


def test_without_a_key_no_key_is_sent(server: TranscriptionServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
    with (RECORDINGS / "speech.webm").open("rb") as recording:
        OpenAITranscriber(None, server.url, "whisper", retries=0).transcribe(recording, lambda _: None)
    assert server.uploads[0].authorization is None


def test_hints_are_sent_as_keywords(server: TranscriptionServer) -> None:
    transcriber = OpenAITranscriber("sk-secret", server.url, retries=0)
    with (RECORDINGS / "speech.webm").open("rb") as recording:
        transcriber.transcribe(recording, lambda _: None, ("Ada Moss", "fundraiser"))
    assert server.uploads[0].fields["keywords[]"] == ["Ada Moss", "fundraiser"]


@pytest.mark.parametrize("name", ["speech.wav", "speech.mp3", "speech.ogg", "speech.m4a", "speech.flac"])
def test_the_file_name_follows_the_content(server: TranscriptionServer, name: str, tmp_path: Path) -> None:
    misnamed = tmp_path / "recording.pdf"
    misnamed.write_bytes((RECORDINGS / name).read_bytes())
    transcribed(server, misnamed)
    assert server.uploads[0].file_name == f"recording{Path(name).suffix}"


def test_raw_aac_is_sent_as_opus(server: TranscriptionServer) -> None:
    transcribed(server, RECORDINGS / "speech.aac")
    assert server.uploads[0].file_name == "recording.ogg"
    assert seconds(server.uploads[0].content) == pytest.approx(3.97, abs=0.1)


def test_a_recording_too_big_to_send_is_encoded_again(server: TranscriptionServer) -> None:
    transcribed(server, RECORDINGS / "speech.wav", max_upload_bytes=100_000)
    (upload,) = server.uploads
    assert upload.file_name == "recording.ogg"
    assert len(upload.content) < 25_000
    assert seconds(upload.content) == pytest.approx(3.85, abs=0.1)


def test_a_recording_too_long_to_send_is_split_and_its_transcripts_joined(server: TranscriptionServer) -> None:
    server.replies = [
        text_reply("One.", "en"),
        text_reply("", "de"),
        text_reply("Three.", "en"),
        text_reply("Four.", "en"),
    ]
    progress: list[float] = []
    transcriber = OpenAITranscriber("sk-secret", server.url, retries=0, part_seconds=15)
    with DEMO_RECORDING.open("rb") as recording:
        transcript = transcriber.transcribe(recording, progress.append)
        whole_seconds = ChildAudioInspector().inspect(recording).duration_ms / 1000
    assert transcript.text == "One. Three. Four."
    assert transcript.language == "en"
    lengths = [seconds(upload.content) for upload in server.uploads]
    assert len(lengths) == 4
    assert all(length <= 15.1 for length in lengths)
    assert sum(lengths) == pytest.approx(whole_seconds, abs=0.2)
    assert progress == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_an_encoded_recording_passes_our_own_inspection(server: TranscriptionServer, tmp_path: Path) -> None:
    transcribed(server, RECORDINGS / "speech.aac")
    encoded_file = tmp_path / "sent"
    encoded_file.write_bytes(server.uploads[0].content)
    with encoded_file.open("rb") as recording:
        assert ChildAudioInspector().inspect(recording).media_type == "audio/ogg"


@pytest.mark.parametrize(
    ("reply", "code", "retryable"),
    [
        (error_reply(401, "invalid_api_key"), "transcriber_rejected", True),
        (error_reply(403, "forbidden"), "transcriber_rejected", True),
        (error_reply(400, "invalid_value"), "transcriber_refused", False),
        (error_reply(404, "model_not_found"), "transcriber_misconfigured", True),
        (error_reply(403, "model_not_found"), "transcriber_misconfigured", True),
        (error_reply(404, "not_found"), "transcriber_misconfigured", True),
        (Reply('{"detail": "Model \'x\' is not installed locally."}', 404), "transcriber_misconfigured", True),
        (error_reply(413, "too_large"), "transcriber_refused", False),
        (error_reply(429, "rate_limit_exceeded"), "transcriber_busy", True),
        (error_reply(500, "server_error"), "transcriber_unavailable", True),
        (Reply("<html>Bad gateway</html>", 502, "text/html"), "transcriber_unavailable", True),
        (Reply(None), "transcriber_unavailable", True),
        (Reply("<html>Hello</html>", 200, "text/html"), "transcriber_unavailable", True),
        (Reply("{", 200), "transcriber_unavailable", True),
        (Reply('{"text": null}', 200), "transcriber_unavailable", True),
        (Reply('{"text": 7, "languages": "en"}', 200), "transcriber_unavailable", True),
        (Reply("[]", 200), "transcriber_unavailable", True),
        (text_reply(" \n"), "no_speech", False),
    ],
)
def test_a_failure_is_retryable_if_another_attempt_may_succeed(
    server: TranscriptionServer, reply: Reply, code: str, retryable: bool
) -> None:
    server.replies = [reply]
    with pytest.raises(StepFailed) as failed:
        transcribed(server)
    assert (failed.value.code, failed.value.retryable) == (code, retryable)
    assert "sk-secret" not in str(failed.value)


@pytest.mark.parametrize("languages", ['[{"code": "klingon"}]', "[]", "null", '[{"code": 7}]', '["en"]', "7"])
def test_an_unknown_language_becomes_none(server: TranscriptionServer, languages: str) -> None:
    server.replies = [Reply(f'{{"text": "Hello.", "languages": {languages}}}')]
    assert transcribed(server) == Transcript("Hello.", None, "gpt-transcribe")


def test_a_service_that_does_not_answer_is_unavailable(server: TranscriptionServer) -> None:
    server.replies = [NO_REPLY]
    with pytest.raises(StepFailed) as failed:
        transcribed(server, timeout_seconds=0.3)
    assert (failed.value.code, failed.value.retryable) == ("transcriber_unavailable", True)


def test_a_service_that_refuses_connections_is_unavailable() -> None:
    with socket.socket() as bound_socket:
        # The port is bound, so no other process can listen on it, and this one does not.
        bound_socket.bind(("127.0.0.1", 0))
        unreachable_server = TranscriptionServer(f"http://127.0.0.1:{bound_socket.getsockname()[1]}/v1")
        with pytest.raises(StepFailed) as failed:
            transcribed(unreachable_server)
    assert (failed.value.code, failed.value.retryable) == ("transcriber_unavailable", True)


def test_a_server_error_is_retried(server: TranscriptionServer) -> None:
    server.replies = [error_reply(500, "server_error"), text_reply("Hello.", "en")]
    transcriber = OpenAITranscriber("sk-secret", server.url, retries=1)
    with (RECORDINGS / "speech.webm").open("rb") as recording:
        assert transcriber.transcribe(recording, lambda _: None).text == "Hello."
    assert [len(upload.content) for upload in server.uploads] == [(RECORDINGS / "speech.webm").stat().st_size] * 2


def test_a_file_that_is_not_audio_is_never_sent(server: TranscriptionServer) -> None:
    with pytest.raises(StepFailed) as failed:
        transcribed(server, RECORDINGS / "document.wav")
    assert (failed.value.code, failed.value.retryable) == ("not_audio", False)
    assert server.uploads == []


@pytest.mark.parametrize("name", ["silence.flac", "noise.ogg", "music.ogg"])
def test_a_recording_without_a_voice_is_never_sent(
    server: TranscriptionServer, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai, "run_child", run_child)
    with pytest.raises(StepFailed) as failed:
        transcribed(server, RECORDINGS / name)
    assert (failed.value.code, failed.value.retryable) == ("no_speech", False)
    assert server.uploads == []


def test_superseded_work_sends_nothing(server: TranscriptionServer) -> None:
    def supersede(_: float) -> None:
        raise Superseded

    transcriber = OpenAITranscriber("sk-secret", server.url)
    with (RECORDINGS / "speech.webm").open("rb") as recording, pytest.raises(Superseded):
        transcriber.transcribe(recording, supersede)
    assert server.uploads == []
