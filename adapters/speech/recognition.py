"""Recognition with pocketsphinx, inside the child process."""

from collections.abc import Callable, Iterator
from dataclasses import asdict

import numpy as np
from pocketsphinx import Decoder

from adapters.speech.errors import NO_SPEECH, TOO_LONG, UNSUPPORTED_LANGUAGE, RecordingRefused
from adapters.speech.phrasing import RecognizedWord, is_english, is_speech, phrases, sentence
from adapters.speech.sound import BYTES_PER_SECOND, RATE, Sound
from adapters.speech.voice import Piece, Samples, speech_pieces, with_normal_loudness

# Recognition gets worse in longer pieces, and progress is reported after each piece.
MAX_PIECE_SECONDS = 20.0

# The decoder counts time in hundredths of a second.
FRAME_MS = 10

# After this many words the language is certain, so an hour of another language is not recognised to its end.
ENOUGH_WORDS = 300


def recognise(descriptor: int, progress: Callable[[float], None], max_seconds: int) -> dict[str, object]:
    """Return the transcript's text, segments and words. Refuse a recording without English speech."""
    sound = with_normal_loudness(_decoded(descriptor, max_seconds))
    pieces = speech_pieces(sound, MAX_PIECE_SECONDS)
    if not pieces:
        raise RecordingRefused(NO_SPEECH)
    progress(0.0)
    decoder = Decoder(samprate=RATE, loglevel="FATAL")
    words: list[RecognizedWord] = []
    for piece in pieces:
        words.extend(_recognised_words(decoder, sound, piece))
        if sum(word.is_word for word in words) >= ENOUGH_WORDS:
            _check_speech(words)
        progress(piece.end / sound.size)
    _check_speech(words)
    progress(1.0)
    segments = [sentence(phrase) for phrase in phrases(words)]
    return {
        "text": " ".join(segment.text for segment in segments),
        "segments": [asdict(segment) for segment in segments],
        "words": [asdict(word.word()) for word in words if word.is_word],
    }


def _decoded(descriptor: int, max_seconds: int) -> Samples:
    samples = bytearray()
    for block in Sound(descriptor).pcm():
        samples += block
        if len(samples) > max_seconds * BYTES_PER_SECOND:
            raise RecordingRefused(TOO_LONG)
    return np.frombuffer(samples, np.int16)


def _recognised_words(decoder: Decoder, sound: Samples, piece: Piece) -> Iterator[RecognizedWord]:
    """Yield the words of one piece, including pauses and noises."""
    decoder.start_utt()
    decoder.process_raw(sound[piece.start : piece.end].tobytes(), full_utt=True)
    decoder.end_utt()
    piece_ms = piece.start * 1000 // RATE
    for part in decoder.seg() or ():
        start_ms = piece_ms + part.start_frame * FRAME_MS
        end_ms = piece_ms + (part.end_frame + 1) * FRAME_MS
        yield RecognizedWord(part.word, start_ms, end_ms, min(max(float(part.prob), 0.0), 1.0))


def _check_speech(words: list[RecognizedWord]) -> None:
    if not is_speech(words):
        raise RecordingRefused(NO_SPEECH)
    if not is_english(words):
        raise RecordingRefused(UNSUPPORTED_LANGUAGE)
