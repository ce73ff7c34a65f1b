"""The parts in which a text message is sent, each of which is paid for: GSM 03.38 for Latin letters, UTF-16 for others.

A letter with an accent that GSM 03.38 lacks would make the whole message UTF-16, which has room for less than half of
the letters in a part. It is written without its accent, as people write on phones.
"""

import unicodedata

MAX_SEGMENTS = 2
GSM_LENGTH, GSM_LENGTH_OF_SEVERAL = 160, 153
UTF16_LENGTH, UTF16_LENGTH_OF_SEVERAL = 70, 67

_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
# These take the room of two letters.
_GSM_EXTENSION = frozenset("^{}\\[~]|€")
_REPLACEMENTS = str.maketrans(
    {"’": "'", "‘": "'", "“": '"', "”": '"', "«": '"', "»": '"', "–": "-", "—": "-", "…": "...", "\u2212": "-"}
    | dict.fromkeys("\u00a0\u202f\u2009", " ")
)


def is_gsm(text: str) -> bool:
    """Return True if every letter of the text is in GSM 03.38."""
    return all(letter in _GSM or letter in _GSM_EXTENSION for letter in text)


def simplified(text: str) -> str:
    """Return the text in GSM 03.38 if only accents and signs have to be replaced for that, otherwise as it is."""
    simple = "".join(map(_simple_letter, text.translate(_REPLACEMENTS)))
    return simple if is_gsm(simple) else text


def _simple_letter(letter: str) -> str:
    if letter in _GSM or letter in _GSM_EXTENSION:
        return letter
    return "".join(part for part in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(part))


def segments(text: str) -> int:
    """Return the number of parts in which the text is sent."""
    if is_gsm(text):
        length = len(text) + sum(letter in _GSM_EXTENSION for letter in text)
        alone, of_several = GSM_LENGTH, GSM_LENGTH_OF_SEVERAL
    else:
        length = len(text.encode("utf-16-le")) // 2
        alone, of_several = UTF16_LENGTH, UTF16_LENGTH_OF_SEVERAL
    return 1 if length <= alone else -(-length // of_several)
