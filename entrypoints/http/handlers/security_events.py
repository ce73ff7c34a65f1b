"""Handlers for the security events of a workspace."""

from dataclasses import dataclass

from adapters.identity.network_addresses import AddressCipher
from adapters.identity.security_events import (
    SecurityEvent,
    SecurityEventKind,
    SecurityEvents,
    SecurityEventSelection,
)
from domain.values import Role
from entrypoints.http.bodies import Empty
from entrypoints.http.handlers.members import id_in_path, named_workspace
from entrypoints.http.operations import Answer, Call
from entrypoints.http.paging import requested_page
from entrypoints.http.query import choice_parameter, flag_parameter
from entrypoints.presentation.security_events import SecurityEventPage, SecurityEventView


@dataclass(frozen=True)
class SecurityEventHandlers:
    events: SecurityEvents
    addresses: AddressCipher

    def list_events(self, call: Call) -> Answer[SecurityEventPage]:
        page = requested_page(call)
        kind = choice_parameter(call, "kind", [*SecurityEventKind]) if "kind" in call.query else None
        is_seen = flag_parameter(call, "seen") if "seen" in call.query else None
        selection = self._selection(call, kind, is_seen)
        events = self.events.page(selection, page.limit + 1, page.after_time_and_id())
        on_page = page.cut(events, lambda event: (event.first_at.isoformat(), str(event.id)))
        return page.answer(SecurityEventPage([self._view(call, event) for event in on_page], page.next_cursor))

    def mark_seen(self, call: Call, _: Empty) -> SecurityEventView:
        return self.mark_shown(call)

    def mark_shown(self, call: Call, count: int | None = None) -> SecurityEventView:
        """Mark the event as seen; NotFoundError if its count is no longer the one that was shown."""
        event_id = id_in_path(call.path_params["event_id"], "security event")
        return self._view(call, self.events.mark_seen(self._selection(call), event_id, call.principal.actor, count))

    def _selection(
        self, call: Call, kind: SecurityEventKind | None = None, is_seen: bool | None = None
    ) -> SecurityEventSelection:
        # Events of the installation are among those of the built-in workspace, for its administrators alone.
        of_installation = call.principal.role is Role.ADMIN
        return SecurityEventSelection(named_workspace(call), of_installation, kind, is_seen)

    def _view(self, call: Call, event: SecurityEvent) -> SecurityEventView:
        return SecurityEventView.of(event, None if call.masked else self.addresses.open(event.address))
