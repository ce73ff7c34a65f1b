"""What is too big for an event, and what makes and reads it: recordings, words, drafts, documents, QR codes."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from adapters.contents import JsonTranscripts, SealedContents
from adapters.documents.printer import DocumentPrinter
from adapters.documents.qr import QrPrinter
from adapters.drafting.local import LocalAnalyser, LocalDrafter
from adapters.forgetting import Forgets, Memory
from adapters.speech.inspector import ChildAudioInspector
from adapters.speech.local import LocalTranscriber
from adapters.storage import open_storage
from domain.ports import Analyser, Drafter, Transcriber
from entrypoints.settings import Settings
from entrypoints.wiring.ground import Ground
from entrypoints.wiring.history import History


class Content:
    """Storage, and the tools that turn what is in it into something else."""

    def __init__(self, ground: Ground, history: History) -> None:
        self._saves_qr_images = ground.settings.save_qr_images
        self.storage = open_storage(ground.settings.storage)
        self.contents = SealedContents(self.storage, history.keys)
        self.transcripts = JsonTranscripts()
        self.inspector = ChildAudioInspector()
        self.transcriber = _transcriber(ground.settings)
        self.analyser, self.drafter = _drafting(ground.settings)
        self.printer = DocumentPrinter()
        self.qr_codes = QrPrinter()

    def memories(self) -> Iterable[Forgets]:
        """What keeps something of a person here and has to be told to forget it."""
        return [self.contents, Memory(lambda ticket: self.storage.delete(_qr_key(ticket)))]

    def save_qr_image(self, ticket: UUID, url: str) -> None:
        """Keep the page's QR code as a picture too, where the operator wants that."""
        if self._saves_qr_images:
            key = _qr_key(ticket)
            if not self.storage.exists(key):
                self.storage.put(key, [self.qr_codes.png(url)])


def _qr_key(ticket: UUID) -> str:
    return f"qr/{ticket}.png"


def _transcriber(settings: Settings) -> Transcriber:
    if settings.speech == "openai":
        from adapters.speech.openai import OpenAITranscriber

        assert settings.openai_api_key is not None
        return OpenAITranscriber(settings.openai_api_key, settings.openai_base_url)
    return LocalTranscriber()


def _drafting(settings: Settings) -> tuple[Analyser, Drafter]:
    if settings.drafting == "openai":
        from adapters.drafting.openai import OpenAIDrafter

        assert settings.openai_api_key is not None
        both = OpenAIDrafter(settings.openai_api_key, base_url=settings.openai_base_url)
        return both, both
    return LocalAnalyser(), LocalDrafter()
