"""A printer, checkouts and an inspector with chosen results, and the commands with fakes for all ports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from itertools import count
from typing import Any, BinaryIO
from uuid import UUID

from adapters.safety.reviewer import LocalSafetyReviewer
from adapters.storage.contents import JsonTranscripts
from domain.commands import Commands
from domain.commands.approvals import ApprovalCommands, ApprovedTickets
from domain.commands.attachments import AttachmentCommands
from domain.commands.checkouts import CheckoutCommands
from domain.commands.desk import DeskCommands
from domain.commands.disputes import DisputeCommands
from domain.commands.documents import DocumentCommands
from domain.commands.donor_words import DonorWordsCommands
from domain.commands.donors import DonorCommands
from domain.commands.receipts import ReceiptCommands
from domain.commands.recordings import RecordingCommands
from domain.commands.refund_runs import RefundRunCommands
from domain.commands.refunds import RefundCommands
from domain.commands.support import SupportCommands
from domain.commands.tickets import TicketCommands
from domain.commands.transcripts import TranscriptCommands
from domain.commands.voices import VoiceCommands
from domain.commands.workspaces import WorkspaceCommands
from domain.errors import UnavailableError
from domain.organisations import NOT_DESCRIBED, Organisation, WorkspaceSettings
from domain.ports import CheckoutRequest, CutSound, OpenCheckout
from domain.sheets import Sheet
from domain.values import AudioFacts, DocumentFormat
from tests.fakes.drafting import FakeAnalyser, FakeDrafter
from tests.fakes.speech import FakeTranscriber
from tests.fakes.stores import (
    MemoryContents,
    MemoryDesks,
    MemoryDonations,
    MemoryDonorErasure,
    MemoryErasure,
    MemoryLogos,
    MemoryReceiptNumbers,
    MemoryRetention,
    MemorySupportTickets,
    MemoryTickets,
    MemoryWorkspaces,
)

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


class FakeInspector:
    def inspect(self, recording: BinaryIO) -> AudioFacts:
        return AudioFacts("audio/webm", 1_000)


class FakeCutter:
    """Returns the times as the sound."""

    def cut(self, recording: BinaryIO, start_ms: int, end_ms: int) -> CutSound:
        sound = BytesIO(f"sound from {start_ms} to {end_ms}".encode())
        return CutSound(sound, AudioFacts("audio/mpeg", end_ms - start_ms))


@dataclass
class FakePrinter:
    """Returns the name of each sheet as its document, and records the sheet."""

    printed: list[Sheet] = field(default_factory=list)

    def render(self, sheet: Sheet, format: DocumentFormat) -> bytes:
        self.printed.append(sheet)
        return f"{type(sheet).__name__} as {format}".encode()


@dataclass
class FakeSettings:
    """Has the organisations that a test put into it."""

    organisations: dict[str, Organisation] = field(default_factory=dict)

    def settings(self, workspace: str) -> WorkspaceSettings:
        return WorkspaceSettings(workspace, self.organisations.get(workspace, NOT_DESCRIBED))


@dataclass
class FakeCheckouts:
    """Opens one checkout for each donation, or is unavailable if `away` is set.

    `open_sessions` are the sessions that can be paid. `meanwhile` is called while a checkout is opened.
    """

    away: bool = False
    requests: list[CheckoutRequest] = field(default_factory=list)
    open_sessions: set[str] = field(default_factory=set)
    expired_sessions: set[str] = field(default_factory=set)
    meanwhile: Callable[[], object] = lambda: None
    expires_at: datetime = NOW

    def open(self, request: CheckoutRequest) -> OpenCheckout:
        self.requests.append(request)
        if self.away:
            raise UnavailableError("Stripe is unavailable.")
        checkout = self._checkout(request.donation_id)
        self.open_sessions.add(checkout.session_id)
        self.meanwhile()
        return checkout

    def find(self, donation_id: UUID, since: datetime) -> OpenCheckout | None:
        del since
        checkout = self._checkout(donation_id)
        return checkout if checkout.session_id in self.open_sessions else None

    def expire(self, session_id: str) -> bool:
        if self.away:
            raise UnavailableError("Stripe is unavailable.")
        if session_id in self.open_sessions:
            self.open_sessions.remove(session_id)
            self.expired_sessions.add(session_id)
        return session_id in self.expired_sessions

    def _checkout(self, donation_id: UUID) -> OpenCheckout:
        return OpenCheckout(f"cs_{donation_id.hex}", "https://pay.example/", self.expires_at, livemode=False)


def _ids() -> Iterator[UUID]:
    return (UUID(int=number) for number in count(1))


def fake_commands(**parts: Any) -> Commands:
    """Return the commands with fakes; `parts` replace fakes by name."""
    ids = _ids()
    fakes: dict[str, Any] = {
        "tickets": MemoryTickets(),
        "donations": MemoryDonations(),
        "contents": MemoryContents(),
        "transcripts": JsonTranscripts(),
        "transcriber": FakeTranscriber(),
        "analyser": FakeAnalyser(),
        "drafter": FakeDrafter(),
        "safety": LocalSafetyReviewer(),
        "printer": FakePrinter(),
        "checkouts": FakeCheckouts(),
        "refunds": None,
        "support": MemorySupportTickets(),
        "workspaces": MemoryWorkspaces(),
        "desks": MemoryDesks(),
        "needs_approval": lambda workspace: False,
        "page_url": lambda slug: f"https://stories.example/d/{slug}",
        "new_id": lambda: next(ids),
        "sandbox": True,
        "now": lambda: NOW,
        "checkpoint": lambda: None,
        "cutter": FakeCutter(),
        "settings": FakeSettings(),
        "logos": MemoryLogos(),
    }
    ports = fakes | parts
    if "needs_approval" in parts:
        ports["tickets"] = ApprovedTickets(ports["tickets"], ports["needs_approval"])
    ports.setdefault("receipt_numbers", MemoryReceiptNumbers(ports["donations"]))
    stores = {"tickets": ports["tickets"], "donations": ports["donations"]}
    content = {"contents": ports["contents"], "transcripts": ports["transcripts"]}
    transcripts = TranscriptCommands(ports["tickets"], **content)
    refunds = RefundCommands(ports["donations"], ports["refunds"])
    return Commands(
        refund_runs=RefundRunCommands(ports["tickets"], ports["donations"], refunds),
        approvals=ApprovalCommands(ports["tickets"], ports["safety"], ports["needs_approval"], ports["now"]),
        tickets=TicketCommands(
            ports["tickets"], MemoryErasure(ports["contents"]), ports["safety"], ports["contents"], ports["now"]
        ),
        recordings=RecordingCommands(
            tickets=ports["tickets"],
            **content,
            **{name: ports[name] for name in ("transcriber", "analyser", "drafter", "new_id")},
        ),
        transcripts=transcripts,
        documents=DocumentCommands(
            tickets=ports["tickets"],
            logos=ports["logos"],
            receipts=ReceiptCommands(ports["donations"], ports["settings"], ports["receipt_numbers"]),
            **content,
            **{name: ports[name] for name in ("printer", "safety", "page_url", "checkpoint", "sandbox")},
        ),
        checkouts=CheckoutCommands(**stores, checkouts=ports["checkouts"], safety=ports["safety"], now=ports["now"]),
        desk=DeskCommands(ports["tickets"], ports["desks"], ports["workspaces"], "https://stories.example/desk"),
        disputes=DisputeCommands(**stores, workspaces=ports["workspaces"], desk_url="https://stories.example/desk"),
        donor_words=DonorWordsCommands(ports["donations"]),
        donors=DonorCommands(ports["donations"], MemoryDonorErasure()),
        attachments=AttachmentCommands(ports["tickets"], ports["contents"]),
        voices=VoiceCommands(ports["tickets"], ports["contents"], transcripts, ports["safety"], ports["cutter"]),
        refunds=refunds,
        support=SupportCommands(
            ports["tickets"],
            ports["support"],
            ports["workspaces"],
            ports["contents"],
            lambda contact: [contact.value],
            "https://stories.example",
            lambda _: {},
            lambda _: True,
            lambda _: True,
        ),
        workspaces=WorkspaceCommands(
            ports["workspaces"], MemoryRetention(ports["workspaces"]), "https://stories.example/desk"
        ),
    )
