"""Commands: each loads an aggregate, lets it decide, and records the events. There is a module for each area."""

from dataclasses import dataclass

from domain.commands.approvals import ApprovalCommands
from domain.commands.attachments import AttachmentCommands
from domain.commands.checkouts import CheckoutCommands
from domain.commands.desk import DeskCommands
from domain.commands.disputes import DisputeCommands
from domain.commands.documents import DocumentCommands
from domain.commands.donor_words import DonorWordsCommands
from domain.commands.donors import DonorCommands
from domain.commands.recordings import RecordingCommands
from domain.commands.refund_runs import RefundRunCommands
from domain.commands.refunds import RefundCommands
from domain.commands.support import SupportCommands
from domain.commands.tickets import TicketCommands
from domain.commands.transcripts import TranscriptCommands
from domain.commands.voices import VoiceCommands
from domain.commands.workspaces import WorkspaceCommands


@dataclass(frozen=True)
class Commands:
    """The commands that requests and jobs use, by area; a caller that needs one area takes only that."""

    tickets: TicketCommands
    approvals: ApprovalCommands
    recordings: RecordingCommands
    transcripts: TranscriptCommands
    documents: DocumentCommands
    attachments: AttachmentCommands
    voices: VoiceCommands
    checkouts: CheckoutCommands
    donor_words: DonorWordsCommands
    donors: DonorCommands
    refunds: RefundCommands
    refund_runs: RefundRunCommands
    disputes: DisputeCommands
    support: SupportCommands
    workspaces: WorkspaceCommands
    desk: DeskCommands
