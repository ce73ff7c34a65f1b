"""Who may call an operation, and the parameters and answers that several operations share."""

from collections.abc import Mapping
from dataclasses import replace

from domain.members import MemberRole
from domain.values import Role
from entrypoints.http.operations import EVERY_MEMBER, EVERYBODY, Access, BodyKind, Parameter
from entrypoints.http.problems import PROBLEM_MEDIA_TYPE

HOLDER, CLIENT, ADMIN, AUDITOR = Role.HOLDER, Role.CLIENT, Role.ADMIN, Role.AUDITOR

STAFF: frozenset[MemberRole | None] = frozenset(MemberRole)
# Who works with people's stories, who has rights over money, and who runs the workspace.
CASEWORK = STAFF - {MemberRole.ACCOUNTANT, MemberRole.AUDITOR}
MONEY = STAFF - {MemberRole.CASEWORKER}
MANAGERS = frozenset({MemberRole.OWNER, MemberRole.ADMIN})

# OPEN operations answer 401 to an invalid credential; ALWAYS_OPEN ones do not read the credential at all.
OPEN = Access(EVERYBODY, members=EVERY_MEMBER)
CREATE = Access(EVERYBODY - {AUDITOR}, scope="tickets:write", members=CASEWORK)
OPEN_TICKET = replace(CREATE, opens_tickets=True)
REPORT = Access(EVERYBODY - {AUDITOR}, members=EVERY_MEMBER - {MemberRole.AUDITOR})
SIGN_IN = Access(EVERYBODY - {AUDITOR}, members=EVERY_MEMBER)
ALWAYS_OPEN = Access(EVERYBODY, ignores_credentials=True)
DONATE = Access(EVERYBODY - {AUDITOR}, scope="payments:create", members=EVERY_MEMBER - {MemberRole.AUDITOR})
READ = Access(frozenset({HOLDER, CLIENT, ADMIN, AUDITOR}), scope="tickets:read", members=STAFF, names_ticket=True)
READ_UNMASKED = Access(frozenset({HOLDER, CLIENT, ADMIN}), scope="tickets:read", members=CASEWORK, names_ticket=True)
WRITE = Access(frozenset({HOLDER, CLIENT}), scope="tickets:write", members=CASEWORK, names_ticket=True)
# A page of a ticket: without a credential, a browser is led to the page where one signs in.
HOLDER_PAGE = WRITE
SEARCH = Access(
    frozenset({HOLDER, CLIENT, ADMIN, AUDITOR}),
    scope="tickets:search",
    members=CASEWORK | {MemberRole.AUDITOR},
)
PAY = Access(frozenset({HOLDER, CLIENT}), scope="payments:create", members=CASEWORK, names_ticket=True)
LEDGER = Access(frozenset({HOLDER, CLIENT, ADMIN, AUDITOR}), scope="donations:read", members=STAFF, names_ticket=True)
# Donations over all tickets of the workspace.
GIFTS = Access(frozenset({CLIENT, ADMIN, AUDITOR}), scope="donations:read", members=STAFF)
FIGURES = replace(GIFTS, members=MONEY)
FORGET_DONOR = Access(frozenset({ADMIN}), members=MANAGERS)
RECEIPTS = Access(frozenset({ADMIN}), members=MANAGERS | {MemberRole.ACCOUNTANT})
REFUND_PREVIEW = Access(frozenset({ADMIN}), members=MONEY - {MemberRole.AUDITOR})
TOTALS = replace(LEDGER, open_if_published=True)
# What the page of a published ticket shows.
PUBLIC_READ = replace(READ, open_if_published=True)
HISTORY = Access(frozenset({HOLDER, ADMIN, AUDITOR}), members=STAFF, names_ticket=True)
ADMINISTER = Access(frozenset({ADMIN}))
DIAGNOSE = Access(frozenset({ADMIN}), diagnostics_token=True)
OVERSEE = Access(frozenset({ADMIN, AUDITOR}))
# Requests for help: the staff of a workspace answer those about its tickets.
SUPPORT_READ = Access(frozenset({ADMIN, AUDITOR}), members=CASEWORK | {MemberRole.AUDITOR})
SUPPORT = Access(frozenset({ADMIN}), members=CASEWORK)
# Those of the workspace that failed for good. Refunds among them are for those who may make or audit refunds.
FAILED_JOBS_READ = SUPPORT_READ
FAILED_JOBS = SUPPORT
# Managers see and retry those of their workspace.
DEAD_MAILS = Access(frozenset({ADMIN}), members=MANAGERS)
RESET = TAKE_DOWN = APPROVE = Access(frozenset({ADMIN}), members=MANAGERS, names_ticket=True)
# The day's list, and what the staff note about a ticket.
TICKET_LIST = Access(frozenset({CLIENT, ADMIN, AUDITOR}), scope="tickets:read", members=STAFF)
DESK = Access(frozenset({ADMIN}), members=CASEWORK, names_ticket=True)
DESK_READ = Access(frozenset({ADMIN, AUDITOR}), members=CASEWORK | {MemberRole.AUDITOR}, names_ticket=True)
REFUND_PROGRESS = Access(frozenset({ADMIN, AUDITOR}), members=MONEY, names_ticket=True)
# Refunds of single gifts, in the own workspace.
REFUND = Access(frozenset({ADMIN}), members=MANAGERS)
# Refunds that one person asks for and another approves.
ASK_REFUND = Access(frozenset({ADMIN}), members=MANAGERS | {MemberRole.ACCOUNTANT})
READ_REFUND_REQUESTS = Access(frozenset({ADMIN, AUDITOR}), members=MANAGERS | {MemberRole.ACCOUNTANT})
METRICS = Access(frozenset(), metrics_token=True)
EXPORT = Access(frozenset({CLIENT, ADMIN, AUDITOR}), scope="exports:read", members=MONEY)
# A person who has signed in as a member, or to accept an invitation.
SIGNED_IN = Access(frozenset(), members=EVERY_MEMBER)
# A workspace: its staff read it, and its owners and admins manage it.
WORKSPACE_READ = Access(frozenset({ADMIN, AUDITOR}), members=STAFF, names_workspace=True)
WORKSPACE_MANAGE = Access(frozenset({ADMIN}), members=MANAGERS, names_workspace=True)
# Who did what in the workspace, and what looks like misuse; auditors see no network addresses.
WORKSPACE_AUDIT = Access(frozenset({ADMIN, AUDITOR}), members=MANAGERS | {MemberRole.AUDITOR}, names_workspace=True)
WORKSPACE_CLOSE = Access(frozenset({ADMIN}), members=frozenset({MemberRole.OWNER}), names_workspace=True)
# Members may leave by themselves; the workspace refuses what the role does not allow.
WORKSPACE_LEAVE = Access(frozenset({ADMIN}), members=STAFF, names_workspace=True)

LIMIT = Parameter(
    "limit", "The number of items on a page.", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}
)
CURSOR = Parameter("cursor", "The `nextCursor` of the previous page.")
CONTACT = Parameter("contact", "An e-mail address, a phone number, a handle or a web address.", required=True)
SEARCH_TEXT = Parameter(
    "q",
    "The words to search for; quotes join a phrase, `or` separates alternatives, `-` excludes a word.",
    required=True,
)
TIME_SCHEMA = {"type": "string", "format": "date-time"}
AS_OF = Parameter("as_of", "Only what had happened at Stripe by this time.", TIME_SCHEMA)
KNOWN_AT = Parameter("known_at", "Only what was recorded by this time.", TIME_SCHEMA)

TICKET = "/api/tickets/{ticket_id}"
NOT_FOUND: Mapping[int, str] = {404: PROBLEM_MEDIA_TYPE}
JSON, PATCH = BodyKind.JSON, BodyKind.MERGE_PATCH
