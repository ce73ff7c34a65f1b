"""The inspector, on real recordings and on other files."""

from __future__ import annotations

import os
import random
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.speech import DEMO_RECORDING, inspector
from adapters.speech.inspector import LIMITS, ChildAudioInspector
from domain.errors import AudioTooLongError, NotAudioError, UnavailableError
from domain.values import AudioFacts
from tests.fakes.children import speech_children
from tests.fakes.inspection import measure_here
from tests.fakes.recordings import dense_flac, silent_recording

RECORDINGS = Path(__file__).parents[2] / "fixtures" / "speech"


def inspected(content: bytes, by: ChildAudioInspector | None = None) -> AudioFacts:
    """Inspect a temporary file with these bytes."""
    with tempfile.TemporaryFile() as recording:
        recording.write(content)
        return (by or ChildAudioInspector()).inspect(recording)


def recording(name: str) -> bytes:
    return (RECORDINGS / name).read_bytes()


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decode without a child process, whose start takes longer than a short recording."""
    monkeypatch.setattr(inspector, "run_child", measure_here)


@pytest.fixture(scope="module")
def four_hours() -> bytes:
    return silent_recording(minutes=240)


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("speech.wav", "audio/wav"),
        ("speech.mp3", "audio/mpeg"),
        ("speech.ogg", "audio/ogg"),
        ("speech-vorbis.ogg", "audio/ogg"),
        ("speech.webm", "audio/webm"),
        ("speech.m4a", "audio/mp4"),
        ("speech.aac", "audio/aac"),
        ("speech.flac", "audio/flac"),
    ],
)
def test_a_recording_is_recognised_by_content_and_measured_by_its_samples(name: str, media_type: str) -> None:
    facts = inspected(recording(name))
    assert facts.media_type == media_type
    assert facts.duration_ms == pytest.approx(3850, abs=130)


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"Once upon a time. " * 500, id="text"),
        pytest.param(recording("document.wav"), id="a PDF"),
        pytest.param(recording("video-without-sound.mp4"), id="pictures"),
        pytest.param(random.Random(7).randbytes(300_000), id="random"),
        pytest.param(recording("speech.wav")[:44], id="a WAV header"),
        *(
            pytest.param(recording(f"speech.{name}")[:40], id=f"the beginning of {name}")
            for name in ("wav", "mp3", "ogg", "webm", "m4a", "aac", "flac")
        ),
        pytest.param(recording("speech.m4a")[:2000], id="an MP4 without its index"),
        pytest.param(b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n", id="a playlist"),
        pytest.param(b"ffconcat version 1.0\nfile '/etc/passwd'\n", id="a list of files"),
    ],
)
def test_a_file_without_sound_is_refused(content: bytes) -> None:
    with pytest.raises(NotAudioError):
        inspected(content)


@pytest.mark.usefixtures("in_this_process")
def test_a_playlist_of_real_recordings_is_not_followed() -> None:
    for text in ("#EXTM3U\n#EXTINF:6,\n{0}\n#EXT-X-ENDLIST\n", "ffconcat version 1.0\nfile '{0}'\n"):
        with pytest.raises(NotAudioError):
            inspected(text.format(RECORDINGS / "speech.aac").encode())


@pytest.mark.usefixtures("in_this_process")
def test_a_cut_recording_has_the_duration_of_the_rest() -> None:
    half = recording("speech.wav")[:61_000]
    assert inspected(half).duration_ms == pytest.approx(1904, abs=20)


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("name", ["speech.mp3", "speech.m4a", "speech.aac", "speech.flac"])
def test_damage_in_the_middle_does_not_spoil_the_rest(name: str) -> None:
    content = recording(name)
    middle = len(content) // 2
    damaged = content[:middle] + bytes(300) + content[middle + 300 :]
    assert inspected(damaged).duration_ms > 3400


def test_a_damaged_recording_is_measured_or_refused() -> None:
    """Whatever the libraries do with it, because they run in a process of their own."""
    random_source = random.Random(1)
    for name in ("speech.webm", "speech.m4a", "speech-vorbis.ogg", "speech.wav"):
        content = bytearray(recording(name))
        for _ in range(200):
            content[random_source.randrange(len(content))] = random_source.randrange(256)
        try:
            assert inspected(bytes(content)).duration_ms < 60_000
        except NotAudioError:
            continue


def test_a_small_file_of_four_hours_is_too_long_and_takes_little_memory(four_hours: bytes) -> None:
    assert len(four_hours) < 2_000_000
    with pytest.raises(AudioTooLongError, match="60 minutes"):
        inspected(four_hours, ChildAudioInspector(limits=replace(LIMITS, memory_mb=256)))


@pytest.mark.usefixtures("in_this_process")
def test_a_recording_may_be_as_long_as_the_limit_and_no_longer() -> None:
    assert inspected(recording("speech.wav"), ChildAudioInspector(max_seconds=4)).duration_ms == 3850
    with pytest.raises(AudioTooLongError):
        inspected(recording("speech.wav"), ChildAudioInspector(max_seconds=3))


def test_too_many_samples_are_refused_by_the_header_without_decoding() -> None:
    """Decoding would take more than the two seconds of processor time, and then be refused for that."""
    content = dense_flac()
    assert len(content) < 400_000
    with pytest.raises(AudioTooLongError, match="345 million samples"):
        inspected(content, ChildAudioInspector(limits=replace(LIMITS, cpu_seconds=2)))


def test_decoding_stops_at_the_bound_if_the_header_declares_less() -> None:
    with pytest.raises(AudioTooLongError, match="345 million samples"):
        inspected(dense_flac(declared_seconds=1))


def test_a_declared_length_above_the_limit_is_too_long_without_decoding() -> None:
    """The file holds one second of sound."""
    with pytest.raises(AudioTooLongError, match="60 minutes"):
        inspected(dense_flac(channels=1, rate=8_000, seconds=10, declared_seconds=3601))


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize(("channels", "rate"), [(8, 192_000), (6, 48_000), (1, 4_000)])
def test_a_format_within_the_bounds_is_accepted(channels: int, rate: int) -> None:
    assert inspected(dense_flac(channels, rate, seconds=20)).duration_ms == pytest.approx(20_000, abs=16_400)


def test_a_sample_rate_outside_the_bounds_is_refused() -> None:
    with pytest.raises(AudioTooLongError, match="192 kHz"):
        inspected(dense_flac(channels=1, rate=192_001, seconds=1))
    with pytest.raises(NotAudioError):
        inspected(dense_flac(channels=1, rate=3_999, seconds=17))


def test_too_many_channels_are_refused() -> None:
    nine = recording("speech.wav")
    nine = nine[:22] + (9).to_bytes(2, "little") + nine[24:32] + (18).to_bytes(2, "little") + nine[34:]
    with pytest.raises(AudioTooLongError, match="8 channels"):
        inspected(nine)


def test_an_hour_in_stereo_is_accepted() -> None:
    assert inspected(dense_flac(channels=2, rate=48_000)).duration_ms == pytest.approx(3_590_000, abs=1_500)


@pytest.mark.usefixtures("in_this_process")
def test_a_file_that_is_too_big_is_refused() -> None:
    size = len(recording("speech.wav"))
    assert inspected(recording("speech.wav"), ChildAudioInspector(max_bytes=size)).duration_ms == 3850
    with pytest.raises(AudioTooLongError):
        inspected(recording("speech.wav"), ChildAudioInspector(max_bytes=size - 1))


def test_a_recording_that_takes_too_much_cpu_time_is_refused(four_hours: bytes) -> None:
    with pytest.raises(AudioTooLongError, match="work"):
        inspected(four_hours, ChildAudioInspector(max_seconds=100_000, limits=replace(LIMITS, cpu_seconds=1)))


def test_a_timeout_or_lack_of_memory_does_not_refuse_the_recording(four_hours: bytes) -> None:
    with pytest.raises(UnavailableError):
        inspected(four_hours, ChildAudioInspector(max_seconds=100_000, limits=replace(LIMITS, wall_seconds=1)))
    with pytest.raises(UnavailableError):
        inspected(recording("speech.wav"), ChildAudioInspector(limits=replace(LIMITS, memory_mb=30)))


def test_concurrent_inspections_do_not_disturb_each_other() -> None:
    """They share one open file; each reads from its own position."""
    facts: list[AudioFacts] = []
    with (RECORDINGS / "speech.flac").open("rb") as file:
        file.seek(1000)
        threads = [threading.Thread(target=lambda: facts.append(ChildAudioInspector().inspect(file))) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert file.tell() == 1000
    assert facts == [AudioFacts("audio/flac", 3850)] * 6
    assert speech_children(os.getpid()) == []


def test_the_demo_is_a_short_recording() -> None:
    facts = inspected(DEMO_RECORDING.read_bytes())
    assert facts.media_type == "audio/webm"
    assert 30_000 <= facts.duration_ms <= 45_000
    assert DEMO_RECORDING.stat().st_size < 200_000
