"""The acts of the audit log in plain words: an operation of the API and the page for the same are the same act.

The texts are messages of the catalogues, which the page translates.
"""

from collections.abc import Mapping, Sequence

from entrypoints.presentation.event_sentences import N_

_T, _P = "/api/tickets/{ticket_id}", "/t/{ticket_id}"
_DESK, _WORKSPACE = "/desk/tickets/{ticket_id}", "/api/workspaces/{workspace}"
_REQUESTS = "/api/donations/{donation_id}/refund-requests"

# Each act with its operations: those of the API, those of pages, and commands of the command line.
ACTS: Mapping[str, Sequence[str]] = {
    N_("Open a story"): ("POST /api/tickets/create", "POST /tell", "POST /tell/file", "POST /tell/write"),
    N_("Change the name of a person"): (f"PATCH {_T}",),
    N_("Change the contact of a person"): (
        f"POST {_P}/contact",
        f"POST {_P}/contact/code",
        "POST /admin/profiles/{ticket_id}/approve-reset",
    ),
    N_("Erase a story for good"): (f"DELETE {_T}", f"POST {_P}/erase", "erase"),
    N_("Add a recording"): (
        f"POST {_T}/upload-audio",
        "POST /tell/{ticket_id}",
        "OPTIONS /api/uploads",
        "POST /api/uploads",
        "HEAD /api/uploads/{ticket_id}/{upload_id}",
        "PATCH /api/uploads/{ticket_id}/{upload_id}",
        "DELETE /api/uploads/{ticket_id}/{upload_id}",
    ),
    N_("Delete a recording"): (
        f"DELETE {_T}/recordings/{{recording_id}}",
        f"POST {_P}/recordings/{{recording_id}}/delete",
    ),
    N_("Have a recording written down"): (
        f"POST {_T}/process",
        f"POST {_P}/start",
        f"POST {_T}/retry",
        f"POST {_P}/retry",
    ),
    N_("Correct the written text of a recording"): (
        f"PATCH {_T}/transcript",
        f"POST {_T}/transcript/restore",
        f"POST {_P}/story/transcript",
    ),
    N_("Change a draft"): (
        f"PATCH {_T}/draft",
        f"POST {_T}/provide-info",
        f"POST {_T}/draft/restore",
        f"POST {_P}/story",
        f"PUT {_P}/story",
        f"POST {_P}/story/restore",
        f"POST {_P}/listen",
        f"POST {_P}/questions/{{question}}",
    ),
    N_("Decide on a text that may be dangerous in public"): (f"POST {_T}/draft/findings", f"POST {_P}/findings"),
    N_("Record what a person agrees to show"): (f"POST {_T}/consents",),
    N_("Record that a person no longer agrees"): (f"POST {_T}/consents/withdraw", f"POST {_P}/consent"),
    N_("Add a photo or a letter"): (f"POST {_T}/attachments", f"POST {_P}/photo"),
    N_("Delete a photo or a letter"): (f"DELETE {_T}/attachments/{{attachment_id}}",),
    N_("Change the photo of a page"): (f"PUT {_T}/picture", f"DELETE {_T}/picture", f"POST {_P}/photo/change"),
    N_("Change the voice of a page"): (f"PUT {_T}/voice", f"DELETE {_T}/voice", f"POST {_P}/voice"),
    N_("Make a document"): (f"POST {_T}/generate-doc", f"POST {_P}/story/document"),
    N_("Make a recovery sheet"): (f"POST {_P}/recovery",),
    N_("Choose which news a person gets"): (
        f"POST {_P}/news",
        "POST /unsubscribe/{token}",
        "POST /unsubscribe/{token}/choice",
    ),
    N_("Ask for the approval of a page"): (f"POST {_T}/request-publication",),
    N_("Approve a page"): (f"POST {_T}/approve", f"POST {_DESK}/approve"),
    N_("Ask for changes of a page"): (f"POST {_T}/request-changes", f"POST {_DESK}/request-changes"),
    N_("Publish a page"): (f"POST {_T}/publish", f"POST {_P}/publish"),
    N_("Take a page down"): (f"POST {_T}/unpublish", f"POST {_P}/manage/unpublish"),
    N_("Suspend a page"): (f"POST {_T}/suspend", f"POST {_DESK}/suspend", "suspend"),
    N_("End a suspension"): (f"POST {_T}/reinstate", f"POST {_DESK}/reinstate", "reinstate"),
    N_("Report a page"): ("POST /d/{slug}/report",),
    N_("Write to donors, or remove a message to them"): (
        f"POST {_T}/updates",
        f"DELETE {_T}/updates/{{update_id}}",
        f"POST {_P}/thanks",
    ),
    N_("Hide or show the words of a donor"): (
        f"PATCH {_T}/donations/{{donation_id}}/words",
        f"POST {_P}/manage/words",
    ),
    N_("Change labels, assignee or due date"): (f"PATCH {_T}/desk", f"POST {_DESK}/desk"),
    N_("Write a note"): (f"POST {_T}/notes", f"POST {_DESK}/notes"),
    N_("Answer a request for help"): (
        "POST /api/support/{id}/replies",
        "POST /desk/support/{id}/replies",
        "POST /api/support/{id}/resolve",
        "POST /admin/support/{id}/resolve",
        "POST /desk/support/{id}/resolve",
    ),
    N_("Say who takes care of a request for help"): ("PATCH /api/support/{id}", "POST /desk/support/{id}/assignee"),
    N_("Ask for help"): ("POST /api/support/ticket", f"POST {_P}/help", f"POST {_P}/help/{{support_id}}"),
    N_("Open a payment page"): (f"POST {_T}/create-payment", "POST /d/{slug}"),
    N_("Ask another person to pay a gift back"): (f"POST {_REQUESTS}", "POST /desk/gifts/{donation_id}/requests"),
    N_("Approve or decline paying a gift back"): (
        f"POST {_REQUESTS}/{{request_id}}/approve",
        f"POST {_REQUESTS}/{{request_id}}/decline",
        "POST /desk/gifts/{donation_id}/requests/{request_id}",
    ),
    N_("Pay a gift back"): ("POST /admin/donations/{donation_id}/refund", "POST /desk/gifts/{donation_id}/refund"),
    N_("Pay all gifts of a page back"): (f"POST {_T}/refund-all", f"POST {_DESK}/refund-all"),
    N_("Forget a donor"): ("POST /api/donations/{donation_id}/forget-donor", "POST /forget/{token}"),
    N_("Change the settings of the workspace"): (
        f"PATCH {_WORKSPACE}",
        f"PUT {_WORKSPACE}/logo",
        f"DELETE {_WORKSPACE}/logo",
        "POST /desk/organisation",
        "POST /desk/organisation/logo",
        "POST /desk/organisation/logo/remove",
        "POST /desk/retention",
        "workspaces retention",
        "workspaces set",
    ),
    N_("Close the workspace"): (f"POST {_WORKSPACE}/close", "POST /desk/close"),
    N_("Invite a member"): (f"POST {_WORKSPACE}/invitations", "POST /desk/members", "members invite"),
    N_("Accept an invitation, or switch to another workspace"): (
        "POST /api/invitations/{member_id}/accept",
        "POST /desk/workspaces",
        "PATCH /api/session",
    ),
    N_("Change or remove a member, or revoke an invitation"): (
        f"PATCH {_WORKSPACE}/members/{{member_id}}",
        f"DELETE {_WORKSPACE}/members/{{member_id}}",
        f"DELETE {_WORKSPACE}/invitations/{{member_id}}",
        "POST /desk/members/{member_id}",
        "members remove",
    ),
    N_("Erase the data of a former member"): (
        f"DELETE {_WORKSPACE}/members/{{member_id}}/personal-data",
        "POST /desk/members/{member_id}/erase",
        "members erase",
    ),
    N_("Change one's own name"): ("PATCH /api/me", "POST /desk/account"),
    N_("Manage keys of programs"): (
        f"POST {_WORKSPACE}/keys",
        f"POST {_WORKSPACE}/keys/{{key_id}}/replace",
        f"DELETE {_WORKSPACE}/keys/{{key_id}}",
        "POST /desk/keys",
        "POST /desk/keys/{key_id}/revoke",
        "keys create",
        "keys create --replaces",
        "keys limit",
        "keys revoke",
    ),
    N_("Mark security events as seen"): (
        f"POST {_WORKSPACE}/security-events/{{event_id}}/seen",
        "POST /desk/security-events",
    ),
    N_("Ask for a login code"): (
        "POST /api/access/request",
        "POST /api/session/code",
        "POST /desk/sign-in",
        "POST /find",
    ),
    N_("Sign in"): (
        "POST /api/access/verify",
        "POST /api/session",
        "POST /desk/sign-in/code",
        "POST /desk/sign-in/{token}",
        "POST /find/code",
        "POST /sign-in/{token}",
        "POST /recover/{token}",
        "POST /audit",
    ),
    N_("Sign out"): ("DELETE /api/session", "DELETE /api/session/{session_id}", "POST /sign-out"),
    N_("Look at a story"): (
        f"GET {_T}",
        f"GET {_T}/status",
        f"GET {_T}/events",
        f"GET {_T}/updates",
        f"GET {_T}/qr-code",
        f"GET {_T}/notes",
        f"GET {_T}/consents",
        f"GET {_T}/draft/versions",
        f"GET {_P}",
        f"GET {_P}/story",
        f"GET {_P}/preview",
        f"GET {_P}/poster",
        f"GET {_P}/questions",
        f"GET {_P}/questions/{{question}}",
        f"GET {_P}/answers",
        f"GET {_P}/findings",
        f"GET {_P}/publish",
        f"GET {_P}/consent",
        f"GET {_P}/photo",
        f"GET {_P}/manage",
        f"GET {_P}/recovery",
        f"GET {_P}/contact",
        f"GET {_P}/news",
        f"GET {_P}/erase",
        "GET /tell/{ticket_id}",
        f"GET {_DESK}",
    ),
    N_("Listen to a recording, or read what was said"): (
        f"GET {_T}/recordings",
        f"GET {_T}/recordings/{{recording_id}}",
        f"GET {_T}/transcript",
        f"GET {_T}/transcript/versions",
        f"GET {_T}/voice",
        f"GET {_T}/voice/sound",
        f"GET {_P}/voice",
        f"GET {_P}/listen",
        f"GET {_P}/recordings",
    ),
    N_("Open documents, photos or letters"): (
        f"GET {_T}/documents",
        f"GET {_T}/documents/{{document_id}}/download",
        f"GET {_T}/attachments",
        f"GET {_T}/attachments/{{attachment_id}}",
        "GET /api/donations/{donation_id}/receipt",
    ),
    N_("Download everything about a story"): (f"GET {_T}/export",),
    N_("Look at the history of a story"): (
        f"GET {_T}/history",
        f"GET {_T}/audit",
        "GET /audit/{ticket_id}",
        "GET /audit/{ticket_id}/check",
    ),
    N_("Look at gifts"): (
        f"GET {_T}/donations",
        f"GET {_T}/donations/total",
        f"GET {_T}/donations/{{donation_id}}/words",
        f"GET {_T}/refund-all",
        "GET /api/donations",
        "GET /api/donations/{donation_id}/refund-preview",
        f"GET {_REQUESTS}",
        "GET /api/refund-requests",
        "GET /api/disputes",
        "GET /desk/gifts",
        "GET /desk/refund-requests",
        "GET /desk/disputes",
        f"GET {_DESK}/refund-all",
        "GET /desk/gifts/{donation_id}",
    ),
    N_("Look at figures, or export the books"): (
        "GET /api/exports/donations",
        "GET /api/figures",
        "GET /api/figures/campaigns",
        "GET /desk/figures",
    ),
    N_("Look for stories, or at the list of stories"): (
        "GET /api/tickets",
        "GET /api/tickets/search",
        "GET /api/profiles/search",
        "GET /desk",
    ),
    N_("Look at requests for help"): (
        "GET /api/support/recent",
        "GET /api/support/{id}",
        "GET /admin/support/{id}",
        "GET /desk/support",
        "GET /desk/support/{id}",
        f"GET {_P}/help",
        f"GET {_P}/help/{{support_id}}",
    ),
    N_("Look at the workspace and its members"): (
        f"GET {_WORKSPACE}",
        f"GET {_WORKSPACE}/logo",
        f"GET {_WORKSPACE}/members",
        f"GET {_WORKSPACE}/invitations",
        f"GET {_WORKSPACE}/former-members",
        "GET /desk/members/former",
        f"GET {_WORKSPACE}/keys",
        f"GET {_WORKSPACE}/due-erasures",
        f"GET {_WORKSPACE}/closing",
        "GET /desk/retention",
        "GET /desk/close",
        "GET /api/session",
        "GET /api/me",
        "GET /desk/organisation",
        "GET /desk/members",
        "GET /desk/keys",
        "GET /desk/account",
    ),
    N_("Look at the audit log and security events"): (
        f"GET {_WORKSPACE}/audit-log",
        f"GET {_WORKSPACE}/audit-log/export",
        f"GET {_WORKSPACE}/security-events",
        "GET /desk/audit-log",
        "GET /desk/security-events",
    ),
    N_("Have failed work tried again"): ("POST /api/jobs/{id}/retry", "POST /desk/jobs/{id}/retry"),
    N_("Send a message again"): ("POST /admin/dead-mails/{id}/retry", "POST /desk/mails/{id}/retry"),
    N_("Look at failed work and unsent messages"): (
        "GET /api/jobs",
        "GET /api/jobs/{id}",
        "GET /desk/jobs",
        "GET /desk/mails",
    ),
    N_("Operate the service"): (
        "GET /metrics",
        "POST /admin/dead-letters/{id}/retry",
        "POST /admin/projections/{name}/rebuild",
        "POST /admin/db/self-test",
        "GET /desk/health",
        "POST /desk/dead-letters/{id}/retry",
        "GET /desk/dead-letters",
        "GET /desk/knowledge",
        "POST /desk/knowledge",
        "POST /desk/knowledge/{source_id}/remove",
        "POST /admin/knowledge/sources",
        "DELETE /admin/knowledge/sources/{source_id}",
        "POST /api/webhooks/stripe",
        "POST /webhooks/stripe",
        "POST /api/payments/stripe-webhook",
        "POST /verify",
        "dead-letters accept",
        "dead-letters dismiss",
        "dead-letters retry",
        "keys recover",
        "keys rotate-epoch",
        "rebuild-projections",
        "reconcile",
    ),
}

ACT_OF_OPERATION: Mapping[str, str] = {operation: act for act, operations in ACTS.items() for operation in operations}

DONE, REFUSED, FAILED, BEGUN = N_("Done"), N_("Refused"), N_("Failed"), N_("Begun")


def outcome_word(outcome: str) -> str:
    """Return what became of an act: the message for an outcome of the access log."""
    kind, _, status = outcome.partition(" ")
    match kind:
        case "looked" | "done":
            return DONE
        case "begun":
            return BEGUN
        case "denied":
            return REFUSED
        case "answered" if status < "4":
            return DONE
        case "answered" if status < "5":
            return REFUSED
        case _:
            return FAILED
