"""Recognises one window of speech with Whisper, inside the recogniser's process."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from faster_whisper import WhisperModel

# The model repeats or invents when it is not sure. Then it tries again with a little randomness, twice at most.
TEMPERATURES = (0.0, 0.2, 0.4)

# A text that compresses better repeats itself. Nobody said it.
MAX_COMPRESSION = 2.4
# Where the model hears no speech and is not sure of its words, it has invented them.
NO_SPEECH_PROBABILITY, MIN_WORD_LOGPROB = 0.6, -0.5


class Recognition:
    """The loaded model. One call at a time."""

    def __init__(self, model: Path | str, device: str) -> None:
        compute_type = "int8" if device == "cpu" else "float16"
        self._model = WhisperModel(
            str(model), device=device, compute_type=compute_type, cpu_threads=1, local_files_only=True
        )

    def languages(self, content: bytes) -> dict[str, float]:
        """Return the probability of each language that the window may be in, above one per cent."""
        _, _, probabilities = self._model.detect_language(_sound(content))
        return {language: float(probability) for language, probability in probabilities if probability > 0.01}

    def words(self, content: bytes, language: str, hints: Sequence[str]) -> list[dict[str, Any]]:
        """Return the words of the window with their times in milliseconds, and how sure the model is of their part."""
        parts, _ = self._model.transcribe(
            _sound(content),
            language=language,
            temperature=TEMPERATURES,
            compression_ratio_threshold=MAX_COMPRESSION,
            condition_on_previous_text=False,
            hotwords=", ".join(hints) or None,
            word_timestamps=True,
        )
        words: list[dict[str, Any]] = []
        for part in parts:
            invented = part.no_speech_prob > NO_SPEECH_PROBABILITY and part.avg_logprob < MIN_WORD_LOGPROB
            if part.compression_ratio > MAX_COMPRESSION or invented:
                continue
            for word in part.words or ():
                # The tokens of a sum like $5,000 come apart, without a space between them.
                if words and not word.word.startswith(" ") and not _writes_without_spaces(words[-1]["text"]):
                    words[-1]["text"] += word.word
                    words[-1]["end"] = round(word.end * 1000)
                elif word.word.strip():
                    words.append(
                        {
                            "text": word.word.strip(),
                            "start": round(word.start * 1000),
                            "end": round(word.end * 1000),
                            "confidence": float(word.probability),
                            "logprob": float(part.avg_logprob),
                        }
                    )
        return words


def _sound(content: bytes) -> np.ndarray:
    return np.frombuffer(content, np.int16).astype(np.float32) / 32768


def _writes_without_spaces(text: str) -> bool:
    """Return True for scripts like Chinese, Japanese and Thai."""
    return text[-1] >= "\u0e00"
