"""Segments and words with times, of servers that offer them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from adapters.speech import DEMO_RECORDING, openai
from adapters.speech.openai import OpenAITranscriber
from adapters.speech.transcription_answers import MAX_BODY_BYTES, MAX_TEXT_CHARACTERS, parse
from domain.errors import StepFailed
from domain.values import Segment, Transcript, Word
from tests.fakes.inspection import measure_here
from tests.fakes.openai_server import Reply
from tests.fakes.openai_transcriptions import TranscriptionServer, error_reply, transcription_server, verbose_reply

SPEECH = Path(__file__).parents[2] / "fixtures" / "speech" / "speech.webm"
TEXT = "Hello. I am Ada."
SEGMENTS = [{"id": 0, "start": 0.0, "end": 0.8, "text": " Hello."}, {"start": 1, "end": 33.0, "text": " I am Ada."}]
WORDS = [
    {"word": "Hello", "start": 0.0, "end": 0.8, "probability": 0.9},
    {"word": " I", "start": 1.0, "end": 1.1},
    {"word": "am", "start": 1.1, "end": 1.3},
    {"word": "Ada", "start": 1.3, "end": 2.0},
]
SECONDS_4 = 4_000


@pytest.fixture(autouse=True)
def _recordings_are_measured_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai, "run_child", measure_here)


@pytest.fixture
def server() -> Iterator[TranscriptionServer]:
    with transcription_server() as running:
        yield running


def transcribed(
    server: TranscriptionServer,
    model: str = "whisper-1",
    recording: Path = SPEECH,
    hints: tuple[str, ...] = (),
    **options: Any,
) -> Transcript:
    with recording.open("rb") as sound:
        transcriber = OpenAITranscriber("sk-1", server.url, model, retries=0, **options)
        return transcriber.transcribe(sound, lambda _: None, hints)


def test_segments_and_words_are_asked_for_and_kept(server: TranscriptionServer):
    server.replies = [verbose_reply(TEXT, segments=SEGMENTS, words=WORDS)]
    transcript = transcribed(server, hints=("Ada Moss", "fundraiser"))
    assert (transcript.text, transcript.language, transcript.engine) == (TEXT, "en", "whisper-1")
    assert transcript.segments is not None
    assert transcript.segments[0] == Segment("Hello.", 0, 800)
    # Whisper's last window is longer than the recording.
    assert transcript.segments[1].end_ms < 4_000
    assert transcript.words is not None
    assert transcript.words[0] == Word("Hello", 0, 800, 0.9)
    assert transcript.words[3] == Word("Ada", 1300, 2000)
    fields = server.uploads[0].fields
    assert fields["response_format"] == ["verbose_json"]
    assert fields["timestamp_granularities[]"] == ["segment", "word"]
    assert fields["prompt"] == ["Ada Moss, fundraiser"]


def test_words_are_also_found_in_their_segments():
    segments = [SEGMENTS[0] | {"words": WORDS[:1]}, SEGMENTS[1] | {"words": WORDS[1:]}]
    answer = parse((verbose_reply(TEXT, segments=segments).body or "").encode(), SECONDS_4)
    assert [word.text for word in answer.words or ()] == ["Hello", "I", "am", "Ada"]


def test_a_server_that_offers_no_times_is_asked_for_text_from_then_on(server: TranscriptionServer):
    server.replies = [error_reply(400, "invalid_value"), error_reply(422, "invalid"), verbose_reply(TEXT)]
    transcriber = OpenAITranscriber(None, server.url, "own", retries=0)
    for _ in range(2):
        with SPEECH.open("rb") as recording:
            assert transcriber.transcribe(recording, lambda _: None) == Transcript(TEXT, "en", "own")
    formats = [upload.fields["response_format"] for upload in server.uploads]
    assert formats == [["verbose_json"], ["verbose_json"], ["json"], ["json"]]


def test_a_recording_that_is_refused_in_every_format_is_refused(server: TranscriptionServer):
    server.replies = [error_reply(400, "invalid_file")]
    with pytest.raises(StepFailed) as failed:
        transcribed(server)
    assert (failed.value.code, len(server.uploads)) == ("transcriber_refused", 3)


def test_times_of_parts_are_those_of_the_whole_recording(server: TranscriptionServer):
    segment = {"start": 0.5, "end": 1.0, "text": TEXT}
    server.replies = [verbose_reply(TEXT, segments=[segment | {"speaker": "A"}])]
    transcript = transcribed(server, recording=DEMO_RECORDING, part_seconds=15)
    assert transcript.segments is not None
    starts = [segment.start_ms for segment in transcript.segments]
    assert len(starts) == len(server.uploads) == 4
    assert starts[0] == 500
    assert all(5_000 < later - earlier <= 15_100 for earlier, later in pairwise(starts))
    # Another part may call somebody else A.
    assert {segment.speaker for segment in transcript.segments} == {None}


def test_speakers_are_kept_where_a_model_tells_them(server: TranscriptionServer):
    segments = [{"start": 0.0, "end": 1.0, "text": TEXT, "speaker": "A", "type": "transcript.text.segment"}]
    server.replies = [verbose_reply(TEXT, segments=segments)]
    transcript = transcribed(server, "gpt-4o-transcribe-diarize", hints=("Ada",))
    assert transcript.segments == (Segment(TEXT, 0, 1000, "A"),)
    fields = server.uploads[0].fields
    assert (fields["response_format"], fields["chunking_strategy"]) == (["diarized_json"], ["auto"])
    assert "prompt" not in fields


def test_a_prompt_that_is_repeated_is_no_speech(server: TranscriptionServer):
    server.replies = [verbose_reply("Ada Moss, fundraiser.")]
    with pytest.raises(StepFailed) as failed:
        transcribed(server, hints=("Ada Moss", "fundraiser"))
    assert failed.value.code == "no_speech"


@pytest.mark.parametrize(
    "segments",
    [
        None,
        "Hello",
        [],
        [7],
        [{"start": "0", "end": 1.0, "text": TEXT}],
        [{"start": -1.0, "end": 1.0, "text": TEXT}],
        [{"start": 2.0, "end": 1.0, "text": TEXT}],
        [{"start": 0.0, "end": math.inf, "text": TEXT}],
        [{"start": math.nan, "end": 1.0, "text": TEXT}],
        [{"start": 0.0, "end": 60.0, "text": TEXT}],
        [{"start": 0.0, "end": 1.0, "text": "Other words."}],
        [{"start": 1.0, "end": 2.0, "text": "Hello."}, {"start": 0.0, "end": 1.0, "text": "I am Ada."}],
        [{"start": 0.0, "end": 0.0, "text": ""}] * 200 + SEGMENTS,
    ],
)
def test_times_that_cannot_be_true_are_left_out_and_the_text_is_kept(segments: object):
    answer = parse((verbose_reply(TEXT, segments=segments).body or "").encode(), SECONDS_4)
    assert (answer.text, answer.segments, answer.words) == (TEXT, None, None)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"\xff", "utf-8"),
        (b"[" * 100_000, "too deep"),
        (b'{"text": "' + b"a" * (MAX_TEXT_CHARACTERS + 1) + b'"}', "no text"),
        (b'{"text": "a"}' + b" " * MAX_BODY_BYTES, "too long"),
    ],
    ids=["bytes", "deep", "long", "big"],
)
def test_an_answer_beyond_all_bounds_is_refused(body: bytes, message: str):
    with pytest.raises(ValueError, match=message):
        parse(body, SECONDS_4)


def test_an_unusable_answer_is_tried_again_later(server: TranscriptionServer):
    server.replies = [Reply('{"segments": []}')]
    with pytest.raises(StepFailed) as failed:
        transcribed(server)
    assert (failed.value.code, failed.value.retryable) == ("transcriber_unavailable", True)
