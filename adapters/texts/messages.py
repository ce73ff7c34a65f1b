"""Writes text messages: a template for each kind, in at most two parts.

They never say anything of the story, except what the staff answer to a request for help.
"""

import re
from bisect import bisect_left
from collections.abc import Mapping
from pathlib import Path

from adapters import contacts
from adapters.languages import DEFAULT_LANGUAGE, offered_language
from adapters.mail.messages import LONGEST_VALUE, one_line, shown_day
from adapters.templates import Templates, Unwritable
from adapters.texts.segments import MAX_SEGMENTS, segments, simplified
from domain.errors import InvalidError
from domain.ports import TextMessage
from domain.values import ContactType

TEMPLATES = Path(__file__).parent / "templates"
LONGEST_OPERATOR = 40
# What a message may leave out to fit, in this order.
OPTIONAL_PARTS = ("stop", "link")

_KIND = re.compile(r"[a-z][a-z_]{0,63}")

templates = Templates(TEMPLATES, filters={"day": shown_day})


def load() -> None:
    """Load the template library, so that the first message does not wait for it."""
    templates.load()


def is_kind(kind: str) -> bool:
    """Return True if there are text messages of this kind."""
    return _KIND.fullmatch(kind) is not None and (TEMPLATES / f"{kind}.txt").is_file()


def checked(message: TextMessage) -> TextMessage:
    """Return the message with a normalised number and each value on one line.

    InvalidError if the number is not one, a value is too long, or the template lacks a value.
    """
    to = contacts.normalize_contact(ContactType.PHONE, message.to).value
    values = {name: one_line(value) for name, value in message.values.items()}
    if any(len(value) > LONGEST_VALUE for value in values.values()):
        raise InvalidError("a value is too long for a text message")
    compose(message.kind, values, None)
    return TextMessage(message.kind, to, values, message.key, message.ticket_id)


def compose(kind: str, values: Mapping[str, str], operator: str | None) -> str:
    """Return the text, without its optional parts where it would not fit; it begins with who sends it.

    A `message` that a person wrote is cut where it does not fit, so that the link to all of it has room.
    InvalidError if there is no such template, or it lacks a value.
    """
    if not is_kind(kind):
        raise InvalidError("is not a kind of text message")
    sender = _sender(operator)

    def written(values: Mapping[str, str], left_out: int) -> str:
        parts = {part: index >= left_out for index, part in enumerate(OPTIONAL_PARTS)}
        return simplified(f"{sender}: {_render(kind, values, parts)}")

    for left_out in range(len(OPTIONAL_PARTS) + 1):
        text = written(values, left_out)
        if segments(text) <= MAX_SEGMENTS:
            return text
    message = values.get("message", "")

    def cut_to(length: int) -> str:
        return written({**values, "message": _beginning(message, length)}, 0)

    # A shorter beginning fits wherever a longer one does.
    too_long = bisect_left(range(len(message)), True, key=lambda length: segments(cut_to(length)) > MAX_SEGMENTS)
    return cut_to(max(0, too_long - 1)) if message else text


def fits(kind: str, message: str) -> bool:
    """Return True if all of a person's message fits in the default language, for every name of a sender."""
    text = _render(kind, {"message": message}, dict.fromkeys(OPTIONAL_PARTS, False))
    return segments(simplified(f"{_sender('M' * LONGEST_OPERATOR)}: {text}")) <= MAX_SEGMENTS


def _sender(operator: str | None) -> str:
    name = one_line(operator or "")[:LONGEST_OPERATOR].strip()
    return f"Storyledger ({name})" if name else "Storyledger"


def _beginning(message: str, length: int) -> str:
    """Return at most so much of the message, in whole words if possible."""
    return f"{message[:length].rpartition(' ')[0] or message[:length]}..."


def _render(kind: str, values: Mapping[str, str], parts: Mapping[str, bool]) -> str:
    file = f"{kind}.txt"
    language = templates.language_of(file, offered_language(values.get("language")) or DEFAULT_LANGUAGE)
    texts = {name: value for name, value in values.items() if name != "language"}
    try:
        rendered = templates.render(file, language=language, parts=parts, **texts)
    except Unwritable as fault:
        raise InvalidError(f"the text message {kind} cannot be written: {fault}") from None
    return " ".join(rendered.split())
