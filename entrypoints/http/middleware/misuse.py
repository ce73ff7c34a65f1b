"""Misuse of API keys, webhooks with invalid signatures and exceeded quotas become security events."""

from adapters.identity.credentials import API_KEY, PUBLIC_WORKSPACE, VISITOR
from adapters.identity.security_events import SecurityEventKind, SecurityEvents
from domain.values import Role
from entrypoints.http.operations import Call
from entrypoints.http.problems import Problem


class MisuseWatch:
    """Notes refused calls, after the rate limits have refused those that are too many.

    A key of one workspace that asks for a ticket of another is noted as one that asks for a ticket that does not exist:
    the two have the same answer in the same time, and nobody can tell them apart by these events either.
    """

    def __init__(self, events: SecurityEvents) -> None:
        self._events = events

    def note_refusal(self, call: Call, problem: Problem) -> None:
        principal, access = call.principal, call.operation.access
        credential = call.credential or ""
        if problem.status == 401 and principal is VISITOR and credential.startswith(API_KEY):
            self._events.note_invalid_key(credential, call.client_address)
        if principal.role is not Role.CLIENT or principal.workspace is None:
            return
        if problem.status == 403:
            allowed = Role.CLIENT in access.roles
            kind = SecurityEventKind.MISSING_SCOPE if allowed else SecurityEventKind.FORBIDDEN_OPERATION
        elif problem.status == 404 and access.names_ticket:
            kind = SecurityEventKind.UNKNOWN_TICKET
        else:
            return
        self._events.note(kind, principal.workspace, str(principal.key_id), call.client_address)

    def note_invalid_webhook(self, call: Call) -> None:
        """Note a webhook whose signature is invalid, which concerns the installation."""
        self._events.note(
            SecurityEventKind.INVALID_SIGNATURE, PUBLIC_WORKSPACE, address=call.client_address, of_installation=True
        )
