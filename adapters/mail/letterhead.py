"""The letterhead of all mails: who sends them, who reads the answers, and who runs the service."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Letterhead:
    """Without `answers_to`, answers go to the sender."""

    sender: str
    answers_to: str | None = None
    operator: str | None = None
