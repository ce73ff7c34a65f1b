"""The values of every mail to the holder of a ticket: the name to greet, and the language of the mail."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from adapters.languages import offered_language

if TYPE_CHECKING:
    from domain.tickets import RecordingTicket

# Words that are frequent in one of our languages and rare in the others. The library that drafting uses takes two
# seconds to load, and mails are queued inside transactions.
_FREQUENT = {
    "en": {"the", "and", "of", "to", "is", "was", "we", "my", "for", "with", "have", "our"},
    "es": {"el", "los", "las", "y", "una", "por", "mi", "con", "para", "del", "se", "nuestra", "hijos", "necesito"},
    "fr": {"le", "les", "et", "des", "une", "est", "pour", "mon", "ma", "avec", "dans", "nous", "du", "je"},
}
_ARABIC = re.compile(r"[\u0620-\u064a]")
_MAX_CHARACTERS = 4_000


def holder_values(ticket: RecordingTicket) -> dict[str, str]:
    """Return the holder's name, and the language of the story; each is empty if it is not known."""
    analysed = ticket.analysis.language if ticket.analysis else None
    return {"name": ticket.display_name or "", "language": mail_language(analysed, ticket.draft.story)}


def mail_language(analysed: str | None, story: str | None) -> str:
    """Return the language that the analysis of a recording found, or else that of the text; empty if it is not ours."""
    if analysed:
        return offered_language(analysed) or ""
    text = (story or "")[:_MAX_CHARACTERS].lower()
    if len(_ARABIC.findall(text)) > len(text) / 4:
        return "ar"
    words = re.findall(r"\w+", text)
    counts = {language: sum(word in frequent for word in words) for language, frequent in _FREQUENT.items()}
    likely, most = max(counts.items(), key=lambda count: count[1])
    return likely if most and list(counts.values()).count(most) == 1 else ""
