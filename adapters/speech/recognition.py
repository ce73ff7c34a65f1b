"""Recognition with pocketsphinx, inside the child: words with times and confidence, or why there are none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
from pocketsphinx import Decoder

from adapters.speech.child import Refused
from adapters.speech.phrasing import RecognizedWord, is_english, is_speech, phrases, sentence
from adapters.speech.sound import BYTES_PER_SECOND, RATE, TOO_LONG, Sound
from adapters.speech.voice import Piece, Samples, evened, spoken

NO_SPEECH = "no_speech"
UNSUPPORTED_LANGUAGE = "unsupported_language"

# The search loses its way in longer ones, and progress is told after each.
LONGEST_PIECE_SECONDS = 20.0

# The decoder counts time in hundredths of a second.
FRAME_MS = 10

# So many words tell enough about the language: an hour of another one is not listened to until its end.
ENOUGH_WORDS = 300


def recognise(descriptor: int, progress: Callable[[float], None], max_seconds: int) -> dict[str, Any]:
    """The transcript's text, segments and words; Refused if nobody speaks, or not in English as far as we can hear."""
    sound = evened(_decoded(descriptor, max_seconds))
    pieces = spoken(sound, LONGEST_PIECE_SECONDS)
    if not pieces:
        raise Refused(NO_SPEECH)
    progress(0.0)
    decoder = Decoder(samprate=RATE, loglevel="FATAL")
    heard: list[RecognizedWord] = []
    for piece in pieces:
        heard.extend(_heard(decoder, sound, piece))
        if sum(word.is_word for word in heard) >= ENOUGH_WORDS:
            _judge(heard)
        progress(piece.end / sound.size)
    _judge(heard)
    progress(1.0)
    segments = [sentence(phrase) for phrase in phrases(heard)]
    return {
        "text": " ".join(segment.text for segment in segments),
        "segments": [asdict(segment) for segment in segments],
        "words": [asdict(word.word()) for word in heard if word.is_word],
    }


def _decoded(descriptor: int, max_seconds: int) -> Samples:
    samples = bytearray()
    for block in Sound(descriptor).pcm():
        samples += block
        if len(samples) > max_seconds * BYTES_PER_SECOND:
            raise Refused(TOO_LONG)
    return np.frombuffer(samples, np.int16)


def _heard(decoder: Decoder, sound: Samples, piece: Piece) -> Iterator[RecognizedWord]:
    """What the decoder makes of one piece, pauses and noises included."""
    decoder.start_utt()
    decoder.process_raw(sound[piece.start : piece.end].tobytes(), full_utt=True)
    decoder.end_utt()
    begins_ms = piece.start * 1000 // RATE
    for part in decoder.seg() or ():
        start_ms = begins_ms + part.start_frame * FRAME_MS
        end_ms = begins_ms + (part.end_frame + 1) * FRAME_MS
        yield RecognizedWord(part.word, start_ms, end_ms, min(max(float(part.prob), 0.0), 1.0))


def _judge(heard: list[RecognizedWord]) -> None:
    if not is_speech(heard):
        raise Refused(NO_SPEECH)
    if not is_english(heard):
        raise Refused(UNSUPPORTED_LANGUAGE)
