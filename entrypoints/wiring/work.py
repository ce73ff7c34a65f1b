"""What is done: commands that people ask for, jobs that they started, and chores that nobody asks for."""

from __future__ import annotations

from datetime import UTC, datetime

from adapters.forgetting import Forgets, Forgetting, Memory
from adapters.ids import uuid7
from adapters.jobs import Worker
from adapters.payments.repairer import Repairer
from adapters.retention import Retention
from adapters.rewrapping import Rewrapping
from domain.commands import Commands
from domain.helping import Helping
from domain.refunding import Repairs
from entrypoints.wiring.access import Access
from entrypoints.wiring.aggregates import Aggregates
from entrypoints.wiring.content import Content
from entrypoints.wiring.ground import Ground, Parts
from entrypoints.wiring.mail import Mails
from entrypoints.wiring.money import Money
from entrypoints.wiring.proof import Proof


def _now() -> datetime:
    return datetime.now(UTC)


class Work:
    """`worker` only where this process runs the jobs."""

    def __init__(
        self,
        ground: Ground,
        mails: Mails,
        aggregates: Aggregates,
        content: Content,
        money: Money,
        access: Access,
        proof: Proof,
    ) -> None:
        settings, database = ground.settings, ground.database
        self.helping = Helping(
            tickets=aggregates.tickets,
            support=aggregates.support,
            contents=content.contents,
            indexes=access.contact_index.all_of,
            home=settings.public_url,
            now=_now,
        )
        # Everything that keeps something of a person and has to be told to forget it.
        memories: list[Forgets] = [*content.memories(), Memory(mails.forget), self.helping]
        if money.sandbox is not None:
            memories.append(money.sandbox)
        self.commands = Commands(
            tickets=aggregates.tickets,
            donations=aggregates.donations,
            contents=content.contents,
            forgetting=Forgetting(money.inbox, memories),
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
        self.repairer = Repairer(database, Repairs(self.commands, money.refunding))
        self.rewrapping = Rewrapping(database, ground.secrets.master, access.contact_index, aggregates.tickets)
        self.retention = Retention(database, self.commands)
        chores = [self.retention.run, access.idempotency.purge, mails.dead.forget]
        self.worker: Worker | None = None
        if Parts.WORKER in ground.parts:
            self.worker = Worker(ground.url, database, self.commands, chores=chores, opened=ground.opened)
