"""The storage of recordings and documents, and the tools that transcribe, draft and render them."""

import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from uuid import UUID

import structlog

from adapters.disk import FreeSpace, free_bytes_of
from adapters.documents.qr import QrCodeRenderer
from adapters.documents.renderer import DocumentRenderer
from adapters.encryption.keyed_hashes import KeyedHashes
from adapters.identity.security_events import SecurityEventKind
from adapters.lazy import Lazy
from adapters.pictures.inspector import ChildAttachmentInspector
from adapters.quotas import MIB, OwnerKind, Quotas
from adapters.safety.reviewer import LocalSafetyReviewer
from adapters.speech.cutter import ChildSoundCutter
from adapters.speech.inspection_slots import InspectionSlots
from adapters.speech.inspector import ChildAudioInspector
from adapters.storage.contents import JsonTranscripts, SealedContents
from adapters.storage.factory import open_storage
from adapters.uploads import Uploads
from domain.ports import Analyser, Drafter, Report, Transcriber
from domain.tickets import DEFAULT_CURRENCY
from domain.values import Analysis, Draft, Transcript
from entrypoints.composition.foundation import Foundation, Parts
from entrypoints.composition.history import History
from entrypoints.composition.settings import Settings

if TYPE_CHECKING:
    from adapters.documents.campaign_prints import CampaignPrints
    from adapters.drafting.sources import SourcedDrafter

logger = structlog.get_logger()


class Content:
    """Storage, transcriber, analyser, drafter, document renderer and QR codes."""

    def __init__(self, foundation: Foundation, history: History) -> None:
        self._saves_qr_images = foundation.settings.save_qr_images
        self.storage = open_storage(foundation.settings.storage)
        self.contents = SealedContents(self.storage, history.keys)
        free_space = foundation.settings.min_free_mb * MIB, self.storage.free_bytes
        self.free_space = FreeSpace(*free_space)
        # Uploads are received in temporary files.
        self.upload_space = FreeSpace(*free_space, lambda: free_bytes_of(tempfile.gettempdir()))
        self.quotas = Quotas(
            foundation.database,
            KeyedHashes(foundation.secrets.peppers, "quota of an address"),
            foundation.settings.quotas,
            self.free_space,
            on_exceeded=lambda owners, kind: foundation.security_events.note(
                SecurityEventKind.EXCEEDED_QUOTA,
                owners.workspace,
                # The workspace's own quota is about no ticket.
                "" if kind is OwnerKind.WORKSPACE else str(owners.ticket_id),
                owners.address,
            ),
        )
        self.uploads = Uploads(foundation.database, self.storage, history.keys, quotas=self.quotas)
        self.transcripts = JsonTranscripts()
        self.inspector = ChildAudioInspector()
        self.inspection_slots = InspectionSlots()
        self.sound_cutter = ChildSoundCutter()
        self.attachment_inspector = ChildAttachmentInspector()
        self.transcriber = ChosenTranscriber(foundation.settings)
        self.analyser = self.drafter = drafting = _Drafting(foundation.settings)
        self.safety = LocalSafetyReviewer()
        self.printer = DocumentRenderer()
        self.qr_codes = QrCodeRenderer()
        self.prints = Lazy(_prints)
        self.loads: list[Callable[[], object]] = []
        if Parts.WEB in foundation.parts:
            self.loads += [self.qr_codes.load, self.printer.load, self.safety.load]
        if Parts.WORKER in foundation.parts:
            self.loads += [drafting.load, self.transcriber.load]

    def erase(self, ticket: UUID) -> None:
        """Destroy the ticket's key, and delete its stored content and QR code."""
        self.contents.erase(ticket)
        self.uploads.erase(ticket)
        self.storage.delete(_qr_key(ticket))

    def save_qr_image(self, ticket: UUID, url: str) -> None:
        """Store the QR code of the page as PNG, if SAVE_QR_IMAGES is set."""
        if self._saves_qr_images:
            key = _qr_key(ticket)
            if not self.storage.exists(key):
                self.storage.put(key, [self.qr_codes.png(url)])


def _qr_key(ticket: UUID) -> str:
    return f"qr/{ticket}.png"


class ChosenTranscriber:
    """The transcriber of the settings, loaded at its first use."""

    def __init__(self, settings: Settings) -> None:
        self._lazy = Lazy(lambda: _transcriber(settings))

    def load(self) -> None:
        self._lazy()

    def transcribe(self, recording: BinaryIO, report: Report, hints: Sequence[str] = ()) -> Transcript:
        return self._lazy().transcribe(recording, report, hints)


class _Drafting:
    """The analyser and the drafter of the settings, loaded at their first use."""

    def __init__(self, settings: Settings) -> None:
        self._lazy = Lazy(lambda: _sourced_drafter(settings))

    def load(self) -> None:
        self._lazy()

    def analyse(self, transcript: Transcript) -> Analysis:
        return self._lazy().analyse(transcript)

    def draft(self, transcript: Transcript, analysis: Analysis, currency: str = DEFAULT_CURRENCY) -> Draft:
        return self._lazy().draft(transcript, analysis, currency)


def _transcriber(settings: Settings) -> Transcriber:
    if settings.speech == "openai":
        from adapters.speech.fallback import FallbackTranscriber
        from adapters.speech.openai import OpenAITranscriber

        server = settings.speech_server
        remote = OpenAITranscriber(server.api_key, server.base_url, server.model)
        return FallbackTranscriber(remote, Lazy(lambda: _local_transcriber(settings)), server.model)
    return _local_transcriber(settings)


def _local_transcriber(settings: Settings) -> Transcriber:
    from adapters.speech.local import LocalTranscriber
    from adapters.speech.model import model_of

    if problem := speech_model_problem(settings):
        logger.error("recordings wait for the speech model", problem=problem)
    return LocalTranscriber(model=model_of(settings.speech_model), device=settings.speech_device)


def speech_model_problem(settings: Settings) -> str | None:
    """Return why the model of local speech recognition cannot be used, or None."""
    from adapters.speech.model import ModelUnusable, model_of

    try:
        _check_model(model_of(settings.speech_model))
    except ModelUnusable as unusable:
        return str(unusable)
    return None


@cache
def _check_model(model: Path | str) -> None:
    """Raise ModelUnusable unless the model can be used.

    The bytes of a usable one are read once in a process, and again by each recogniser. One that is missing may be
    installed while the service runs.
    """
    from adapters.speech.model import check

    check(model)


def _sourced_drafter(settings: Settings) -> "SourcedDrafter":
    from adapters.drafting.sources import SourcedDrafter

    return SourcedDrafter(*_drafting(settings))


def _drafting(settings: Settings) -> tuple[Analyser, Drafter]:
    if settings.drafting == "openai":
        from adapters.drafting.fallback import FallbackDrafter
        from adapters.drafting.openai import OpenAIDrafter

        server = settings.draft_server
        remote = OpenAIDrafter(server.api_key, base_url=server.base_url, model=server.model)
        both = FallbackDrafter(remote, remote, Lazy(_local_drafting), server.model)
        return both, both
    return _local_drafting()


def _prints() -> "CampaignPrints":
    from adapters.documents.campaign_prints import CampaignPrints

    return CampaignPrints()


def _local_drafting() -> tuple[Analyser, Drafter]:
    from adapters.drafting.local import LocalAnalyser, LocalDrafter

    return LocalAnalyser(), LocalDrafter()
