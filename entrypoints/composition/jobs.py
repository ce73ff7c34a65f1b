"""The commands, the jobs that commands start, and the periodic chores."""

from collections.abc import Callable
from functools import partial

from adapters.clock import utc_now
from adapters.ids import uuid7
from adapters.jobs.worker import Worker
from adapters.mail.holders import holder_values
from adapters.mail.reminders import remind_of_disputes, remind_of_due_tickets
from adapters.payments.gift_news import GiftNews
from adapters.payments.old_bodies import OldBodies
from adapters.payments.open_checkouts import CheckoutExpirer
from adapters.payments.pending_calls import PendingCallRetrier
from adapters.payments.refund_runs import RefundRuns
from adapters.privacy.consent_ends import end_consents
from adapters.privacy.epoch_rotation import EpochRotation
from adapters.privacy.erasure import Erasure
from adapters.privacy.forgotten_donors import DonorErasure, forget_due_donors
from adapters.privacy.key_rotation import KeyRotation
from adapters.privacy.retention import Retention
from adapters.search.indexing import SearchIndexing
from adapters.texts import messages as text_messages
from domain.commands import Commands
from domain.commands.approvals import ApprovalCommands
from domain.commands.attachments import AttachmentCommands
from domain.commands.checkouts import CheckoutCommands
from domain.commands.desk import DeskCommands
from domain.commands.disputes import DisputeCommands
from domain.commands.documents import DocumentCommands
from domain.commands.donor_words import DonorWordsCommands
from domain.commands.donors import DonorCommands
from domain.commands.pending_calls import PendingCallCommands
from domain.commands.recordings import RecordingCommands
from domain.commands.refund_runs import RefundRunCommands
from domain.commands.retention import RetentionCommands
from domain.commands.support import SupportCommands
from domain.commands.tickets import TicketCommands
from domain.commands.transcripts import TranscriptCommands
from domain.commands.voices import VoiceCommands
from domain.commands.workspaces import WorkspaceCommands
from entrypoints.composition.access import Access
from entrypoints.composition.aggregates import Aggregates
from entrypoints.composition.content import Content
from entrypoints.composition.foundation import Foundation, Parts
from entrypoints.composition.history import History
from entrypoints.composition.mail import MailDelivery
from entrypoints.composition.payments import Payments
from entrypoints.composition.proof import Proof


class Jobs:
    """Commands, retries of pending calls, key rotation, retention, and the worker where this process runs the jobs."""

    def __init__(
        self,
        foundation: Foundation,
        history: History,
        mail: MailDelivery,
        aggregates: Aggregates,
        content: Content,
        payments: Payments,
        access: Access,
        proof: Proof,
    ) -> None:
        settings, database = foundation.settings, foundation.database
        support = SupportCommands(
            tickets=aggregates.tickets,
            support=aggregates.support,
            workspaces=aggregates.workspaces,
            contents=content.contents,
            contact_indexes=access.contact_index.all_of,
            home_url=settings.public_url,
            holder_values=holder_values,
            reaches=mail.outbox.reaches,
            fits_text=partial(text_messages.fits, "support_reply"),
        )
        erasure_steps = [content.erase, mail.erase, support.erase, payments.donor_names.renew]
        if payments.sandbox is not None:
            erasure_steps.append(payments.sandbox.erase)
        erasure = Erasure(database, payments.inbox, erasure_steps)
        tickets = TicketCommands(aggregates.tickets, erasure, content.safety, content.contents, utc_now)
        transcripts = TranscriptCommands(aggregates.tickets, content.contents, content.transcripts)
        donors = DonorCommands(
            aggregates.donations,
            DonorErasure(
                database,
                payments.inbox,
                history.keys,
                history.log,
                content.contents,
                mail.outbox,
                payments.sandbox.erase_donor if payments.sandbox is not None else lambda *_: None,
            ),
        )
        checkouts = CheckoutCommands(
            aggregates.tickets, aggregates.donations, payments.gateway, content.safety, utc_now
        )
        self.commands = Commands(
            tickets=tickets,
            approvals=ApprovalCommands(aggregates.tickets, content.safety, aggregates.needs_approval, utc_now),
            recordings=RecordingCommands(
                tickets=aggregates.tickets,
                contents=content.contents,
                transcripts=content.transcripts,
                transcriber=content.transcriber,
                analyser=content.analyser,
                drafter=content.drafter,
                new_id=uuid7,
            ),
            transcripts=transcripts,
            documents=DocumentCommands(
                tickets=aggregates.tickets,
                receipts=aggregates.receipts,
                logos=aggregates.logos,
                contents=content.contents,
                transcripts=content.transcripts,
                printer=content.printer,
                safety=content.safety,
                page_url=foundation.page_url,
                checkpoint=proof.checkpoints.latest,
                sandbox=settings.sandbox,
            ),
            attachments=AttachmentCommands(aggregates.tickets, content.contents),
            voices=VoiceCommands(
                aggregates.tickets, content.contents, transcripts, content.safety, content.sound_cutter
            ),
            checkouts=checkouts,
            donor_words=DonorWordsCommands(aggregates.donations),
            donors=donors,
            refunds=payments.refunds,
            refund_runs=RefundRunCommands(aggregates.tickets, aggregates.donations, payments.refunds),
            disputes=DisputeCommands(
                aggregates.tickets, aggregates.donations, aggregates.workspaces, f"{settings.public_url}/desk"
            ),
            support=support,
            workspaces=WorkspaceCommands(
                aggregates.workspaces, aggregates.retention_periods, f"{settings.public_url}/desk"
            ),
            desk=DeskCommands(
                aggregates.tickets, aggregates.desks, aggregates.workspaces, f"{settings.public_url}/desk"
            ),
        )
        pending_calls = PendingCallCommands(
            aggregates.tickets, aggregates.donations, checkouts, payments.refunds, foundation.page_url
        )
        self.refund_runs = RefundRuns(database, self.commands.refund_runs)
        self.call_retrier = PendingCallRetrier(database, pending_calls)
        self.checkout_expirer = CheckoutExpirer(database, checkouts.expire)
        self.search_indexing = SearchIndexing(database, aggregates.tickets, aggregates.desks, aggregates.search)
        self.key_rotation = KeyRotation(
            database,
            foundation.keyring,
            access.contact_index,
            aggregates.tickets,
            aggregates.workspaces,
            self.search_indexing,
        )
        self.epoch_rotation = EpochRotation(database, foundation.epochs, settings.epoch_hours)
        self.retention = Retention(database, aggregates.retention_periods, RetentionCommands(tickets))
        self.gift_news = GiftNews(
            database, aggregates.tickets, mail.holders, settings.public_url, livemode=settings.livemode
        )
        chores: list[Callable[[], None]] = [
            self.gift_news.note_week,
            self.epoch_rotation.run_if_due,
            self.retention.run,
            partial(end_consents, database, tickets),
            self.search_indexing.run,
            partial(forget_due_donors, database, donors),
            partial(remind_of_due_tickets, database, self.commands.desk),
            partial(remind_of_disputes, database, self.commands.disputes),
            OldBodies(database, settings.webhook_days).drop,
            access.idempotency.purge,
            lambda: access.log.forget_addresses(settings.address_days),
            lambda: access.security_events.purge(settings.address_days),
            mail.dead.purge,
            mail.limits.purge,
            mail.text_limits.purge,
            self.checkout_expirer.purge,
            content.quotas.purge,
            content.uploads.purge,
        ]
        self.worker: Worker | None = None
        if Parts.WORKER in foundation.parts:
            self.worker = Worker(foundation.url, database, self.commands, chores=chores, registry=foundation.registry)
