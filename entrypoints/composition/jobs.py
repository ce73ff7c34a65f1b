"""What is done: commands that people ask for, jobs that they started, and chores that nobody asks for."""

from __future__ import annotations

from datetime import UTC, datetime

from adapters.encryption.key_rotation import KeyRotation
from adapters.ids import uuid7
from adapters.jobs.worker import Worker
from adapters.payments.pending_calls import PendingCallRetrier
from adapters.privacy.erasure import Erasure
from adapters.privacy.retention import Retention
from domain.commands import Commands
from domain.helpdesk import Helpdesk
from domain.refunds import PendingCalls
from entrypoints.composition.access import Access
from entrypoints.composition.aggregates import Aggregates
from entrypoints.composition.content import Content
from entrypoints.composition.foundation import Foundation, Parts
from entrypoints.composition.mail import MailDelivery
from entrypoints.composition.payments import Payments
from entrypoints.composition.proof import Proof


def _now() -> datetime:
    return datetime.now(UTC)


class Jobs:
    """`worker` only where this process runs the jobs."""

    def __init__(
        self,
        ground: Foundation,
        mails: MailDelivery,
        aggregates: Aggregates,
        content: Content,
        money: Payments,
        access: Access,
        proof: Proof,
    ) -> None:
        settings, database = ground.settings, ground.database
        self.helpdesk = Helpdesk(
            tickets=aggregates.tickets,
            support=aggregates.support,
            contents=content.contents,
            indexes=access.contact_index.all_of,
            home=settings.public_url,
            now=_now,
        )
        erasure_steps = [content.erase, mails.forget, self.helpdesk.forget]
        if money.sandbox is not None:
            erasure_steps.append(money.sandbox.forget)
        self.commands = Commands(
            tickets=aggregates.tickets,
            donations=aggregates.donations,
            contents=content.contents,
            forgetting=Erasure(money.inbox, erasure_steps),
            transcripts=content.transcripts,
            inspector=content.inspector,
            transcriber=content.transcriber,
            analyser=content.analyser,
            drafter=content.drafter,
            printer=content.printer,
            checkouts=money.gateway,
            page_url=ground.page_url,
            new_id=uuid7,
            now=_now,
            sandbox=settings.sandbox,
            checkpoint=proof.checkpoints.latest,
        )
        self.call_retrier = PendingCallRetrier(database, PendingCalls(self.commands, money.refunding))
        self.key_rotation = KeyRotation(database, ground.secrets.master, access.contact_index, aggregates.tickets)
        self.retention = Retention(database, self.commands)
        chores = [self.retention.run, access.idempotency.purge, mails.dead.forget]
        self.worker: Worker | None = None
        if Parts.WORKER in ground.parts:
            self.worker = Worker(ground.url, database, self.commands, chores=chores, registry=ground.registry)
