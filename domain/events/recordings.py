"""From a recording to its transcript and analysis."""

from __future__ import annotations

from uuid import UUID

from domain.events.base import TicketEvent
from domain.values import AudioFacts, Content, Personal, Sentiment, Urgency


class AudioUploaded(TicketEvent):
    TOPIC = "audio_uploaded"
    recording_id: UUID
    content: Content
    facts: AudioFacts
    file_name: Personal | None


class ProcessingRequested(TicketEvent):
    TOPIC = "processing_requested"
    recording_id: UUID


class Transcribed(TicketEvent):
    """`content` names the transcript, which is kept in storage as JSON."""

    TOPIC = "transcribed"
    recording_id: UUID
    transcription_id: UUID
    content: Content
    language: str | None
    engine: str


class TranscriptionFailed(TicketEvent):
    TOPIC = "transcription_failed"
    recording_id: UUID
    code: str
    message: str
    retryable: bool


class Analysed(TicketEvent):
    TOPIC = "analysed"
    recording_id: UUID
    language: str | None
    sentiment: Sentiment
    urgency: Urgency
    key_points: tuple[Personal, ...]
