"""The handlers of the operations: a class for each area, whose fields are the collaborators that it uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from entrypoints.http.handlers.about import AboutHandlers
from entrypoints.http.handlers.admin import (
    AccessLogHandlers,
    DeadLetterHandlers,
    DeadMailHandlers,
    ProjectionHandlers,
    RefundHandlers,
)
from entrypoints.http.handlers.campaign_page import CampaignPageHandlers
from entrypoints.http.handlers.campaigns import CampaignHandlers
from entrypoints.http.handlers.documents import DocumentHandlers
from entrypoints.http.handlers.donations import DonationHandlers
from entrypoints.http.handlers.exports import ExportHandlers
from entrypoints.http.handlers.health import HealthHandlers, SelfTestHandlers
from entrypoints.http.handlers.history import HistoryHandlers
from entrypoints.http.handlers.knowledge import KnowledgeHandlers
from entrypoints.http.handlers.login_codes import LoginCodeHandlers
from entrypoints.http.handlers.metrics import MetricsHandlers
from entrypoints.http.handlers.proofs import ProofHandlers
from entrypoints.http.handlers.recordings import RecordingHandlers
from entrypoints.http.handlers.support import SupportHandlers
from entrypoints.http.handlers.tickets import TicketHandlers
from entrypoints.http.handlers.unsubscribe import UnsubscribeHandlers
from entrypoints.http.handlers.webhooks import WebhookHandlers

if TYPE_CHECKING:
    from entrypoints.composition.service import Service


def handlers(service: Service) -> list[object]:
    """Build the handlers of every area for this process."""
    commands, database, cipher, tickets = service.commands, service.database, service.cipher, service.fresh
    contents, qr_codes = service.contents, service.qr_codes
    public_url, page_url, sandbox = service.public_url, service.page_url, service.settings.sandbox
    return [
        TicketHandlers(
            commands.tickets,
            tickets,
            cipher,
            service.contact_index,
            contents,
            service.transcripts,
            qr_codes,
            public_url,
            page_url,
        ),
        RecordingHandlers(commands.recordings, commands.tickets, tickets, cipher, service.inspector, service.progress),
        CampaignHandlers(commands.tickets, tickets, cipher, page_url),
        DocumentHandlers(commands.documents, contents, qr_codes, public_url, page_url, service.save_qr_image),
        DonationHandlers(commands.checkouts, cipher, qr_codes, page_url),
        HistoryHandlers(cipher),
        ProofHandlers(service.checkpoints, service.signer, service.exporter),
        ExportHandlers(service, cipher),
        LoginCodeHandlers(service.login_codes),
        SupportHandlers(commands.support, tickets, cipher, service.contact_index, database, service.log),
        WebhookHandlers(service.webhook_verifier, service.inbox),
        DeadLetterHandlers(service.dead_letters, service.inbox.arrived.set),
        DeadMailHandlers(service.dead_mails),
        ProjectionHandlers(service, service.rebuilds),
        AccessLogHandlers(service.access_log),
        RefundHandlers(commands.refunds, cipher, database),
        KnowledgeHandlers(database),
        CampaignPageHandlers(commands.checkouts, database, cipher, service.retrievals, public_url, page_url, sandbox),
        UnsubscribeHandlers(service.subscriptions),
        HealthHandlers(
            service.version, service.watchdog, service.health_probe, service.replica, lambda: service.finishing
        ),
        SelfTestHandlers(service.self_test),
        MetricsHandlers(
            service.version,
            service.parts,
            service.settings.metrics_token,
            database,
            service.replica,
            service.pools,
            service.gauges,
        ),
        AboutHandlers(lambda: service.openapi, sandbox),
    ]
