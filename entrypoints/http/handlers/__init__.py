"""The handlers of the operations: one class for each area, whose fields are its collaborators."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from adapters.health.records import HealthRecords
from adapters.jobs.failed_jobs import FailedJobs
from adapters.lazy import Lazy
from adapters.proof.visitors import ProofChecks
from domain.commands.logos import LogoCommands
from entrypoints.http.desk import Desk
from entrypoints.http.event_streams import StatusStreams
from entrypoints.http.handlers.about import AboutHandlers
from entrypoints.http.handlers.admin import (
    AccessLogHandlers,
    DeadLetterHandlers,
    DeadMailHandlers,
    ProjectionHandlers,
    RefundHandlers,
)
from entrypoints.http.handlers.approvals import ApprovalHandlers
from entrypoints.http.handlers.attachments import AttachmentHandlers, PictureHandlers
from entrypoints.http.handlers.audit_log import AuditLogHandlers
from entrypoints.http.handlers.audit_pages import AuditPageHandlers
from entrypoints.http.handlers.campaign_files import CampaignFileHandlers
from entrypoints.http.handlers.campaign_page import CampaignPageHandlers
from entrypoints.http.handlers.campaigns import CampaignHandlers
from entrypoints.http.handlers.consent_page import ConsentPageHandlers
from entrypoints.http.handlers.consents import ConsentHandlers
from entrypoints.http.handlers.desk import DeskHandlers
from entrypoints.http.handlers.desk_audit import DeskAuditHandlers
from entrypoints.http.handlers.desk_dead_letters import DeskDeadLetterHandlers
from entrypoints.http.handlers.desk_disputes import DeskDisputeHandlers
from entrypoints.http.handlers.desk_gifts import DeskGiftHandlers
from entrypoints.http.handlers.desk_health import HealthHistoryHandlers
from entrypoints.http.handlers.desk_jobs import DeskJobHandlers
from entrypoints.http.handlers.desk_keys import DeskKeyHandlers
from entrypoints.http.handlers.desk_knowledge import DeskKnowledgeHandlers
from entrypoints.http.handlers.desk_mails import DeskMailHandlers
from entrypoints.http.handlers.desk_members import DeskMemberHandlers
from entrypoints.http.handlers.desk_organisation import DeskOrganisationHandlers
from entrypoints.http.handlers.desk_refund_all import DeskRefundAllHandlers
from entrypoints.http.handlers.desk_refund_requests import DeskRefundRequestHandlers
from entrypoints.http.handlers.desk_refunds import DeskRefundHandlers
from entrypoints.http.handlers.desk_sign_in import DeskSignInHandlers
from entrypoints.http.handlers.desk_support import DeskSupportHandlers
from entrypoints.http.handlers.desk_tickets import DeskTicketHandlers
from entrypoints.http.handlers.desk_workspace import DeskCloseHandlers, DeskRetentionHandlers, FixedPeriods
from entrypoints.http.handlers.disputes import DisputeHandlers
from entrypoints.http.handlers.documents import DocumentHandlers
from entrypoints.http.handlers.donations import DonationHandlers
from entrypoints.http.handlers.donor_words import DonorWordsHandlers
from entrypoints.http.handlers.donors import DonorHandlers
from entrypoints.http.handlers.figures import FigureHandlers
from entrypoints.http.handlers.finding_pages import FindingPageHandlers
from entrypoints.http.handlers.gift_search import GiftSearchHandlers
from entrypoints.http.handlers.health import HealthHandlers, SelfTestHandlers
from entrypoints.http.handlers.help_pages import HelpPageHandlers
from entrypoints.http.handlers.jobs import JobHandlers
from entrypoints.http.handlers.keys import KeyHandlers, general_limits
from entrypoints.http.handlers.knowledge import KnowledgeHandlers
from entrypoints.http.handlers.listen_pages import ListenPageHandlers
from entrypoints.http.handlers.login_codes import LoginCodeHandlers
from entrypoints.http.handlers.logos import LogoHandlers
from entrypoints.http.handlers.manage_pages import ManagePageHandlers
from entrypoints.http.handlers.members import SessionHandlers, WorkspaceHandlers
from entrypoints.http.handlers.metrics import MetricsHandlers
from entrypoints.http.handlers.news_page import NewsPageHandlers
from entrypoints.http.handlers.page_reports import PageReportHandlers
from entrypoints.http.handlers.photo_page import PhotoPageHandlers
from entrypoints.http.handlers.proofs import ProofHandlers
from entrypoints.http.handlers.public_pages import StoryLanguages
from entrypoints.http.handlers.publish_page import PublishPageHandlers
from entrypoints.http.handlers.question_pages import QuestionPageHandlers
from entrypoints.http.handlers.recording_files import RecordingFileHandlers
from entrypoints.http.handlers.recording_intake import RecordingIntake
from entrypoints.http.handlers.recording_pages import RecordingPageHandlers
from entrypoints.http.handlers.recordings import RecordingHandlers
from entrypoints.http.handlers.refund_preview import RefundPreviewHandlers
from entrypoints.http.handlers.refund_requests import RefundRequestHandlers
from entrypoints.http.handlers.refund_runs import RefundRunHandlers
from entrypoints.http.handlers.security_events import SecurityEventHandlers
from entrypoints.http.handlers.sign_in_pages import SignInPageHandlers
from entrypoints.http.handlers.site_pages import SitePageHandlers, operator_of
from entrypoints.http.handlers.status_events import StatusEventHandlers, StatusReader
from entrypoints.http.handlers.story_pages import StoryPageHandlers
from entrypoints.http.handlers.support import SupportDesk, SupportHandlers
from entrypoints.http.handlers.tell_pages import TellHandlers
from entrypoints.http.handlers.ticket_exports import TicketExportHandlers
from entrypoints.http.handlers.ticket_list import TicketListHandlers
from entrypoints.http.handlers.tickets import TicketHandlers
from entrypoints.http.handlers.transcripts import TranscriptHandlers
from entrypoints.http.handlers.unsubscribe import UnsubscribeHandlers
from entrypoints.http.handlers.updates import UpdateHandlers
from entrypoints.http.handlers.uploads import UploadHandlers
from entrypoints.http.handlers.verify_page import VerifyPageHandlers
from entrypoints.http.handlers.versions import VersionHandlers
from entrypoints.http.handlers.voice_page import VoicePageHandlers
from entrypoints.http.handlers.voices import PublicVoiceHandlers, VoiceHandlers
from entrypoints.http.handlers.wait_pages import WaitPageHandlers
from entrypoints.http.handlers.webhooks import WebhookHandlers
from entrypoints.http.handlers.workspace_ends import WorkspaceEndHandlers
from entrypoints.http.intake import Intake
from entrypoints.http.openapi import JsonObject
from entrypoints.http.pages import Site
from entrypoints.http.reference import Reference
from entrypoints.presentation.disputes import dashboard_of
from entrypoints.presentation.safety import DraftSafety

if TYPE_CHECKING:
    from entrypoints.composition.service import Service


def handlers(service: Service, openapi_document: Callable[[], JsonObject], paths: Collection[str]) -> list[object]:
    """Build the handlers of every area for this process, which answers these paths."""
    commands, queries, database = service.commands, service.queries, service.database
    history, content, payments, access = service.history, service.content, service.payments, service.access
    contents, qr_codes = content.contents, content.qr_codes
    public_url, page_url = service.public_url, service.page_url
    site = Site(public_url, service.settings.sandbox, operator_of(service.settings))
    story_languages = StoryLanguages()
    support_desk = SupportDesk(commands.support, access.contact_index, history.log)
    proof_checks = ProofChecks(service.proof.checkpoints, service.proof.signer, service.proof.exporter)
    draft_safety = DraftSafety(content.safety, history.cipher)
    status = StatusReader(queries)
    intake = RecordingIntake(commands.recordings, content.inspector, content.inspection_slots)
    recordings = RecordingHandlers(commands.recordings, commands.tickets, intake, content.quotas, queries.progress)
    recording_files = RecordingFileHandlers(commands.recordings, contents)
    tickets = TicketHandlers(
        commands.tickets,
        access.contact_index,
        contents,
        content.transcripts,
        qr_codes,
        public_url,
        page_url,
        draft_safety,
        service.aggregates.settings,
    )
    campaigns = CampaignHandlers(commands.tickets, page_url, draft_safety)
    attachments = AttachmentHandlers(
        commands.attachments,
        contents,
        content.attachment_inspector,
        content.inspection_slots,
        content.quotas,
        public_url,
    )
    voices = VoiceHandlers(
        commands.voices, contents, draft_safety, content.inspection_slots, content.quotas, public_url
    )
    documents = DocumentHandlers(
        commands.documents, contents, qr_codes, public_url, page_url, content.save_qr_image, content.quotas
    )
    transcripts = TranscriptHandlers(commands.transcripts, contents, content.transcripts, content.printer)
    sessions = SessionHandlers(access.login_codes, access.member_sessions, commands.workspaces, access.security_events)
    workspaces = WorkspaceHandlers(commands.workspaces, access.contact_index)
    logos = LogoHandlers(
        LogoCommands(service.aggregates.workspaces, service.aggregates.logos),
        service.aggregates.retention_periods,
        content.attachment_inspector,
        content.inspection_slots,
    )
    settings = service.settings
    fixed_periods = FixedPeriods(settings.address_days, settings.webhook_days, settings.epoch_hours)
    workspace_ends = WorkspaceEndHandlers(service.jobs.retention, service.aggregates.workspaces)
    ticket_list = TicketListHandlers(service.aggregates.search.hashes, access.contact_index)
    notes = DeskHandlers(commands.desk)
    support = SupportHandlers(support_desk, commands.support, access.contact_index, service.mail.outbox)
    approvals = ApprovalHandlers(commands.approvals)
    refund_requests = RefundRequestHandlers(commands.refunds)
    disputes = DisputeHandlers(dashboard_of(livemode=service.settings.livemode, sandbox=service.settings.sandbox))
    refund_runs = RefundRunHandlers(commands.refund_runs, service.jobs.refund_runs)
    refunds = RefundHandlers(commands.refunds)
    refund_previews = RefundPreviewHandlers(commands.refunds)
    keys = KeyHandlers(access.credentials, general_limits(service.settings))
    knowledge = KnowledgeHandlers(database)
    jobs = JobHandlers(FailedJobs(database), recordings, commands.refund_runs, service.jobs.refund_runs)
    dead_letters = DeadLetterHandlers(payments.dead_letters, payments.inbox.arrived.set)
    dead_mails = DeadMailHandlers(service.mail.dead)
    security_events = SecurityEventHandlers(access.security_events, access.addresses)
    audit_log = AuditLogHandlers(access.log, access.addresses, commands.workspaces.workspaces)
    access_log = AccessLogHandlers(access.log)
    desk = Desk(site, commands.workspaces, access.member_sessions, access.security_events, paths)
    gift_search = GiftSearchHandlers(payments.donor_addresses, payments.donor_names)
    return [
        TellHandlers(
            commands.tickets, tickets, recordings, campaigns, site, Intake(database, service.settings.intake == "open")
        ),
        tickets,
        recordings,
        recording_files,
        RecordingPageHandlers(recording_files, site),
        TicketExportHandlers(contents, content.transcripts, draft_safety, public_url),
        StatusEventHandlers(status, StatusStreams(status.marks, status.statuses, lambda: service.finishing)),
        UploadHandlers(content.uploads, intake, content.quotas, content.upload_space),
        WaitPageHandlers(
            recordings,
            page_url,
            site,
            service.mail.outbox,
            access.recovery_links,
            service.aggregates.needs_approval,
            not service.settings.mail_is_off,
            paths,
        ),
        QuestionPageHandlers(commands.tickets, draft_safety, site, paths),
        FindingPageHandlers(commands.tickets, draft_safety, site),
        campaigns,
        ticket_list,
        notes,
        DeskTicketHandlers(ticket_list, notes, campaigns, approvals, service.aggregates.needs_approval, desk),
        DeskOrganisationHandlers(workspaces, logos, desk),
        workspace_ends,
        DeskRetentionHandlers(workspaces, workspace_ends, fixed_periods, desk),
        DeskCloseHandlers(workspaces, workspace_ends, desk),
        approvals,
        UpdateHandlers(commands.tickets, draft_safety),
        ConsentHandlers(commands.tickets),
        attachments,
        PictureHandlers(draft_safety, contents),
        logos,
        voices,
        PublicVoiceHandlers(draft_safety, contents),
        VoicePageHandlers(voices, transcripts, commands.tickets, site),
        documents,
        transcripts,
        StoryPageHandlers(commands.tickets, transcripts, documents, site),
        ListenPageHandlers(commands.tickets, transcripts, story_languages, site),
        VersionHandlers(commands.tickets, draft_safety),
        DonationHandlers(commands.checkouts, qr_codes, page_url),
        DonorWordsHandlers(commands.donor_words),
        DonorHandlers(commands.donors, commands.documents, service.mail.forget_links, site),
        ProofHandlers(service.proof.checkpoints, service.proof.signer, service.proof.exporter),
        AuditPageHandlers(access.credentials, service.proof.checkpoints, proof_checks, commands.workspaces, site),
        VerifyPageHandlers(proof_checks, site),
        FigureHandlers(desk),
        gift_search,
        DeskGiftHandlers(gift_search, desk),
        disputes,
        DeskDisputeHandlers(disputes, desk),
        LoginCodeHandlers(access.login_codes),
        sessions,
        workspaces,
        SignInPageHandlers(access.login_codes, service.mail.outbox, site, access.member_sessions),
        DeskSignInHandlers(access.login_codes, sessions, desk),
        DeskMemberHandlers(workspaces, sessions, desk),
        security_events,
        audit_log,
        access_log,
        DeskAuditHandlers(audit_log, access_log, security_events, desk),
        keys,
        DeskKeyHandlers(keys, desk),
        ManagePageHandlers(
            commands.tickets,
            commands.support,
            commands.donor_words,
            access.contact_index,
            access.recovery_links,
            access.contact_changes,
            service.mail.outbox,
            qr_codes,
            page_url,
            site,
            paths,
            service.aggregates.needs_approval,
        ),
        NewsPageHandlers(service.mail.subscriptions, service.mail.outbox, site),
        ConsentPageHandlers(commands.tickets, site),
        PhotoPageHandlers(attachments, site),
        PublishPageHandlers(
            commands.tickets, commands.approvals, draft_safety, site, service.aggregates.needs_approval
        ),
        support,
        DeskSupportHandlers(support, desk),
        HelpPageHandlers(support_desk, support, commands.support, site),
        PageReportHandlers(support_desk, draft_safety, site),
        WebhookHandlers(payments.webhook_verifier, payments.inbox),
        jobs,
        DeskJobHandlers(jobs, desk),
        dead_letters,
        DeskDeadLetterHandlers(dead_letters, desk),
        dead_mails,
        DeskMailHandlers(dead_mails, desk),
        ProjectionHandlers(queries, service.rebuilds),
        refund_requests,
        DeskRefundRequestHandlers(desk),
        DeskRefundHandlers(refund_previews, refunds, refund_requests, desk),
        refund_runs,
        DeskRefundAllHandlers(refund_runs, desk),
        refunds,
        refund_previews,
        knowledge,
        DeskKnowledgeHandlers(knowledge, desk),
        CampaignPageHandlers(
            commands.checkouts,
            draft_safety,
            payments.retrievals,
            site,
            page_url,
            story_languages,
        ),
        CampaignFileHandlers(commands.documents, draft_safety, content.prints, qr_codes, page_url, story_languages),
        SitePageHandlers(site, service.settings),
        UnsubscribeHandlers(service.mail.subscriptions, site),
        HealthHandlers(
            service.version,
            service.health.watchdog,
            service.health.health_probe,
            history.replica,
            lambda: service.finishing,
        ),
        SelfTestHandlers(service.health.self_test),
        HealthHistoryHandlers(HealthRecords(database), desk),
        MetricsHandlers(
            service.settings.metrics_token, database, history.replica, service.metrics, service.health.gauges
        ),
        AboutHandlers(openapi_document, Lazy(lambda: Reference(openapi_document())), site),
    ]
