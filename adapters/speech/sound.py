"""Opens and decodes an untrusted recording, inside the child process."""

import os
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError

from adapters.confined.errors import InputRefused
from adapters.speech.bounds import MAX_CHANNELS, MAX_RATE, MAX_SAMPLES, MIN_RATE
from adapters.speech.errors import NOT_AUDIO, TOO_LONG, TOO_MUCH_SOUND

# The format for recognition: one channel, 16 kHz, two bytes per sample.
RATE = 16_000
BYTES_PER_SECOND = 2 * RATE

# The decoders that may run. All others, video decoders above all, never see untrusted bytes.
COMPRESSED = ("aac", "alac", "amrnb", "amrwb", "flac", "mp2", "mp2float", "mp3", "mp3float", "opus", "vorbis")
TELEPHONE = ("adpcm_ima_wav", "adpcm_ms", "gsm_ms", "pcm_alaw", "pcm_mulaw")
PLAIN = ("pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le", "pcm_s16be", "pcm_s24be")
DECODERS = frozenset([*COMPRESSED, *TELEPHONE, *PLAIN])

# Playlist formats are excluded, and so is every protocol, so that a recording cannot name other files or hosts.
CONTAINER_OPTIONS = {
    "format_whitelist": "matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp3,ogg,wav,flac,aac",
    "protocol_whitelist": "",
    "codec_whitelist": ",".join(sorted(DECODERS)),
}

MEDIA_TYPES = {
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "matroska,webm": "audio/webm",
    "mov,mp4,m4a,3gp,3g2,mj2": "audio/mp4",
    "aac": "audio/aac",
    "flac": "audio/flac",
}

# The formats whose header, or last page, says how long the sound is. In others the length is only an estimate.
DECLARING = frozenset({"flac", "ogg", "matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2"})

# The header at the start of a Matroska file says whether the file is WebM.
EBML_HEADER_BYTES = 64


class PositionedFile:
    """A file object with its own position in a descriptor that others may read at the same time."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._position = 0

    def read(self, size: int) -> bytes:
        block = os.pread(self._descriptor, size, self._position)
        self._position += len(block)
        return block

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: os.fstat(self._descriptor).st_size}[whence]
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        return self._position


class Sound:
    """The sound of a recording. Opening reads the header, and raises InputRefused if there is no sound in an
    accepted format and within the bounds. Decoding raises it when there is more sound than the header said.
    """

    def __init__(self, descriptor: int) -> None:
        try:
            self._container: InputContainer = av.open(
                PositionedFile(descriptor), "r", container_options=CONTAINER_OPTIONS, metadata_errors="ignore"
            )
        except MemoryError:
            raise  # includes FFmpeg's; lack of memory says nothing about the recording
        except (FFmpegError, ValueError):
            raise InputRefused(NOT_AUDIO) from None
        self._stream = self._sound_stream()
        self.media_type = MEDIA_TYPES[self._container.format.name]
        if self.media_type == "audio/webm" and b"webm" not in os.pread(descriptor, EBML_HEADER_BYTES, 0):
            raise InputRefused(NOT_AUDIO)
        context = self._stream.codec_context
        _check_format(context.sample_rate, context.channels)
        if self.declared_seconds * context.sample_rate * context.channels > MAX_SAMPLES:
            raise InputRefused(TOO_MUCH_SOUND)

    @property
    def declared_seconds(self) -> Fraction:
        """The length that the header declares, or 0 if the format declares none."""
        if self._container.format.name not in DECLARING:
            return Fraction(0)
        if self._stream.duration is not None and self._stream.time_base is not None:
            return self._stream.duration * self._stream.time_base
        return Fraction(self._container.duration or 0, av.time_base)

    def _sound_stream(self) -> AudioStream:
        stream = self._container.streams.best("audio")
        if not isinstance(stream, AudioStream) or stream.codec_context.name not in DECODERS:
            raise InputRefused(NOT_AUDIO)
        stream.codec_context.thread_count = 1
        return stream

    def frames(self) -> Iterator[AudioFrame]:
        """Yield every frame that can be decoded. Damaged packets are skipped."""
        packets = self._container.demux(self._stream)
        samples = 0
        while True:
            try:
                packet = next(packets)
            except MemoryError:
                raise
            except (StopIteration, FFmpegError):
                return
            try:
                decoded = packet.decode()
            except MemoryError:
                raise
            except FFmpegError:
                continue
            for frame in decoded:
                if not isinstance(frame, AudioFrame) or frame.sample_rate <= 0:
                    continue
                _check_format(frame.sample_rate, frame.layout.nb_channels)
                samples += frame.samples * frame.layout.nb_channels
                if samples > MAX_SAMPLES:
                    raise InputRefused(TOO_MUCH_SOUND)
                yield frame

    def pcm(self, rate: int = RATE) -> Iterator[bytes]:
        """Yield the sound in blocks, in one channel with two bytes a sample, even if the source format changes midway.

        Without a `rate` it is in the format for recognition.
        """
        resampler, source_format = None, None
        for frame in self.frames():
            format = (frame.format.name, frame.layout.name, frame.sample_rate)
            if resampler is None or format != source_format:
                if resampler is not None:
                    yield from _samples(resampler, None)
                resampler, source_format = AudioResampler(format="s16", layout="mono", rate=rate), format
            yield from _samples(resampler, frame)
        if resampler is not None:
            yield from _samples(resampler, None)


def measure(descriptor: int, max_seconds: int) -> dict[str, object]:
    """Return the media type and the duration of the decoded samples. Stop as soon as the recording is too long."""
    sound = Sound(descriptor)
    if sound.declared_seconds > max_seconds:
        raise InputRefused(TOO_LONG)
    samples: Counter[int] = Counter()
    for frame in sound.frames():
        samples[frame.sample_rate] += frame.samples
        if _seconds(samples) > max_seconds:
            raise InputRefused(TOO_LONG)
    if not samples.total():
        raise InputRefused(NOT_AUDIO)
    return {"media_type": sound.media_type, "duration_ms": round(_seconds(samples) * 1000)}


def _check_format(rate: int, channels: int) -> None:
    """Refuse a format outside the bounds. A rate of 0 is not known yet."""
    if rate > MAX_RATE or channels > MAX_CHANNELS:
        raise InputRefused(TOO_MUCH_SOUND)
    if 0 < rate < MIN_RATE:
        raise InputRefused(NOT_AUDIO)


def _seconds(samples: Counter[int]) -> Fraction:
    return sum((Fraction(count, rate) for rate, count in samples.items()), Fraction(0))


def _samples(resampler: AudioResampler, frame: AudioFrame | None) -> Iterator[bytes]:
    try:
        resampled = resampler.resample(frame)
    except (FFmpegError, ValueError):
        return
    for part in resampled:
        # A plane may be longer than its samples.
        yield bytes(part.planes[0])[: part.samples * 2]
