"""Handlers for the pages of the audit log and of the security events."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from starlette.datastructures import QueryParams

from adapters import ids
from adapters.identity.credentials import PUBLIC_WORKSPACE, UNKNOWN
from adapters.identity.security_events import SecurityEventKind
from domain.errors import NotFoundError
from domain.values import Actor, Role
from domain.workspaces import Member, Workspace
from entrypoints.http.bodies import form_fields
from entrypoints.http.desk import AUDIT_LOG, DESK, MANAGERS, SECURITY_EVENTS, Desk, chosen_filters, next_page
from entrypoints.http.handlers.admin import AccessLogHandlers
from entrypoints.http.handlers.audit_log import AuditLogHandlers
from entrypoints.http.handlers.audit_pages import AUDIT
from entrypoints.http.handlers.security_events import SecurityEventHandlers
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import see_other
from entrypoints.http.problems import Problem
from entrypoints.presentation.access import AccessLogEntry
from entrypoints.presentation.act_sentences import ACT_OF_OPERATION, ACTS, BEGUN, DONE, outcome_word
from entrypoints.presentation.audit_log import AuditLogEntry, member_name
from entrypoints.presentation.event_sentences import ACTORS, FORMER_MEMBER
from entrypoints.presentation.security_events import SecurityEventPage, SecurityEventView

PAGE = "50"
SHOWN_COUNT = re.compile("[0-9]{1,10}")
# With the workspace, which operators of the installation choose.
FILTERS = ("member", "act", "from", "to", "workspace")
NOT_FOUND_OUTCOMES = ("denied 404", "answered 404")
# Commands of the command line whose object is a story.
STORY_COMMANDS = ("erase", "suspend", "reinstate")
ABOUT_MEMBERS = {SecurityEventKind.WRONG_CODE, SecurityEventKind.LOCKED_REQUEST, SecurityEventKind.LOCKED_ADDRESS}
ABOUT_STORIES = {SecurityEventKind.EXCEEDED_QUOTA}


class Line(NamedTuple):
    """An entry of the log. `member` is the name of the member that it is about, and `story_url` leads to its story."""

    at: datetime
    who: str
    is_member: bool
    act: str | None
    outcome: str
    is_good: bool
    member: str | None
    story_url: str | None
    address: str | None
    entry: AuditLogEntry | AccessLogEntry


class FoundEntries(NamedTuple):
    """A page of the log, or the names of the filters that are not valid."""

    entries: Sequence[AuditLogEntry | AccessLogEntry] = ()
    next_cursor: str | None = None
    faults: Sequence[str] = ()


class EventLine(NamedTuple):
    """A security event. `member` is the name of whom it is about, and `key` the id of the key that was used."""

    event: SecurityEventView
    member: str | None
    key: str | None
    story_url: str | None
    seen_by: str | None
    is_seen_by_member: bool


@dataclass(frozen=True)
class DeskAuditHandlers:
    audit_log: AuditLogHandlers
    access_log: AccessLogHandlers
    security_events: SecurityEventHandlers
    desk: Desk

    def show_log(self, call: Call) -> Answer[bytes]:
        """Show the log of the member's workspace; operators see that of all workspaces, or of the one they choose."""
        chosen = chosen_filters(call, FILTERS)
        name = _workspace_of(call, chosen.get("workspace"))
        filters: list[tuple[str, str]] = [(each, chosen[each]) for each in ("member", "from", "to") if each in chosen]
        filters += [("operation", operation) for operation in ACTS.get(chosen.get("act", ""), ())]
        result_page = self._found(call, name, filters)
        if "act" in chosen and chosen["act"] not in ACTS:
            result_page = FoundEntries(faults=["act"])
        workspace = None if name is None or "workspace" in result_page.faults else self._workspace(name)
        line = partial(_line, workspace=workspace, masked=call.masked, is_operator=_is_operator(call))
        export = f"/api/workspaces/{name}/audit-log/export?{urlencode(filters)}"
        return self.desk.page(
            call,
            "audit_log.html",
            422 if result_page.faults else 200,
            lines=[line(entry) for entry in result_page.entries],
            chosen=chosen,
            faults=result_page.faults,
            acts=list(ACTS),
            members=[(str(member.id), member_name(member, masked=call.masked)) for member in _ever_joined(workspace)],
            of_all=name is None,
            masked=call.masked,
            exports={} if workspace is None else {"csv": f"{export}&format=csv", "jsonl": f"{export}&format=jsonl"},
            next_url=next_page(AUDIT_LOG, result_page.next_cursor, chosen),
        )

    def _found(self, call: Call, name: str | None, filters: Sequence[tuple[str, str]]) -> FoundEntries:
        """Return a page of the entries of the workspace, or of all."""
        query, cursor = call.query, call.query.get("cursor")
        call.query = QueryParams(
            [*filters, ("begun", "false"), ("limit", PAGE), *([("cursor", cursor)] if cursor else [])]
        )
        try:
            if name is None:
                of_all = self.access_log.list_access_log(call).body
                ended = {(each.request_id, each.operation) for each in of_all.access_log if each.outcome != "begun"}
                shown = [
                    each
                    for each in of_all.access_log
                    if each.outcome != "begun" or (each.request_id, each.operation) not in ended
                ]
                return FoundEntries(shown, of_all.next_cursor)
            result_page = self.audit_log.list_entries(call).body
            return FoundEntries(result_page.audit_log, result_page.next_cursor)
        except Problem as problem:
            return FoundEntries(faults=[error.pointer.removeprefix("/") for error in problem.errors])
        except NotFoundError:
            return FoundEntries(faults=["workspace"])
        finally:
            # The page's links to other languages keep its own query.
            call.query = query

    def show_events(self, call: Call) -> Answer[bytes]:
        """Show the security events that nobody has seen, or all."""
        chosen = chosen_filters(call, ("kind", "show", "workspace"))
        name = _workspace_of(call, chosen.get("workspace")) or PUBLIC_WORKSPACE
        call.path_params = {**call.path_params, "workspace": name}
        fields = {"kind": chosen.get("kind"), "seen": None if chosen.get("show") == "all" else "false"}
        query, fields["cursor"] = call.query, call.query.get("cursor")
        call.query = QueryParams({field: text for field, text in fields.items() if text})
        result_page, faults = SecurityEventPage([], None), []
        try:
            result_page = self.security_events.list_events(call).body
        except Problem as problem:
            faults = [error.pointer.removeprefix("/") for error in problem.errors]
        except NotFoundError:
            faults, name = ["workspace"], PUBLIC_WORKSPACE
        call.query = query
        workspace = self._workspace(name)
        may_mark = call.principal.role is Role.ADMIN or call.principal.member_role in MANAGERS
        line = partial(_event_line, workspace=workspace, masked=call.masked, is_operator=_is_operator(call))
        return self.desk.page(
            call,
            "security_events.html",
            422 if faults else 200,
            lines=[line(event) for event in result_page.security_events],
            to_see=[f"{event.id}:{event.count}" for event in result_page.security_events if event.seen_at is None]
            if may_mark
            else [],
            chosen=chosen,
            faults=faults,
            kinds=list(SecurityEventKind),
            masked=call.masked,
            url=lambda **changes: _url(SECURITY_EVENTS, {**chosen, **changes}),
            next_url=next_page(SECURITY_EVENTS, result_page.next_cursor, chosen),
        )

    def mark_seen(self, call: Call) -> Answer[None]:
        """Mark the events of the form as seen, each an id with the count that was shown, such as `ID:3`.

        Those that are deleted by now are left out, and so are those that happened again after the page was shown.
        """
        form, done = form_fields(call.raw_body), None
        name = _workspace_of(call, form.get("workspace")) or PUBLIC_WORKSPACE
        for event_id, _, count in (shown.partition(":") for shown in form.get("events", "").split()[: int(PAGE)]):
            if count and not SHOWN_COUNT.fullmatch(count):
                continue
            call.path_params = {"workspace": name, "event_id": event_id}
            with suppress(NotFoundError):
                self.security_events.mark_shown(call, int(count) if count else None)
                done = "seen"
        kept = {field: form[field] for field in ("kind", "show", "workspace") if form.get(field)}
        return see_other(_url(SECURITY_EVENTS, {**kept, "done": done}))

    def _workspace(self, name: str) -> Workspace:
        return self.desk.workspaces.workspaces.get(name)


def _is_operator(call: Call) -> bool:
    return call.principal.role is not Role.MEMBER


def _workspace_of(call: Call, chosen: str | None) -> str | None:
    """Let the call name the member's own workspace, or the one that an operator chose, and return its name."""
    name = chosen if _is_operator(call) else call.principal.workspace
    if name is not None:
        call.path_params = {**call.path_params, "workspace": name}
    return name


def _url(path: str, query: Mapping[str, str | None]) -> str:
    parameters = urlencode({name: text for name, text in query.items() if text})
    return f"{path}?{parameters}" if parameters else path


def _ever_joined(workspace: Workspace | None) -> list[Member]:
    """Return the members, and then those who were, because they may have acted."""
    if workspace is None:
        return []
    former = (person for person in workspace.former.values() if person.has_joined)
    return [*workspace.members(), *former]


def _line(
    entry: AuditLogEntry | AccessLogEntry, *, workspace: Workspace | None, masked: bool, is_operator: bool
) -> Line:
    first_id = ids.parse((entry.object or "").partition("/")[0])
    name = entry.member_name if isinstance(entry, AuditLogEntry) else None
    is_about_member = "{member_id}" in entry.operation or entry.operation.startswith("members ")
    is_about_story = "{ticket_id}" in entry.operation or entry.operation in STORY_COMMANDS
    outcome = outcome_word(entry.outcome)
    actor_id = ids.parse(entry.actor.partition(":")[2])
    is_erased = name is None and workspace is not None and actor_id is not None and actor_id in workspace.former
    return Line(
        entry.at,
        name or (FORMER_MEMBER if is_erased else _kind_of_actor(entry.actor)),
        name is not None,
        ACT_OF_OPERATION.get(entry.operation),
        outcome,
        outcome in (DONE, BEGUN),
        _name(first_id, workspace, masked) if is_about_member else None,
        _story_url(first_id, is_operator) if is_about_story and entry.outcome not in NOT_FOUND_OUTCOMES else None,
        entry.address if isinstance(entry, AuditLogEntry) else None,
        entry,
    )


def _kind_of_actor(actor: str) -> str:
    """Return the words for the kind of actor. Callers with an unknown credential are logged as unknown."""
    return ACTORS[Role.VISITOR if actor == UNKNOWN else Actor.parse(actor).role]


def _story_url(ticket_id: UUID | None, is_operator: bool) -> str | None:
    if ticket_id is None:
        return None
    return f"{AUDIT}/{ticket_id}" if is_operator else f"{DESK}/tickets/{ticket_id}"


def _event_line(event: SecurityEventView, *, workspace: Workspace, masked: bool, is_operator: bool) -> EventLine:
    subject, seen_by = ids.parse(event.subject or ""), Actor.parse(event.seen_by) if event.seen_by else None
    is_about_member, is_about_story = event.kind in ABOUT_MEMBERS, event.kind in ABOUT_STORIES
    name = _name(ids.parse(seen_by.id or ""), workspace, masked) if seen_by else None
    return EventLine(
        event,
        _name(subject, workspace, masked) if is_about_member else None,
        event.subject if not is_about_member and not is_about_story else None,
        _story_url(subject, is_operator) if is_about_story else None,
        name or (ACTORS[seen_by.role] if seen_by else None),
        name is not None,
    )


def _name(member_id: UUID | None, workspace: Workspace | None, masked: bool) -> str | None:
    """Return the name of the member or former member, or None if there is none with this id."""
    person = workspace.ever_member(member_id) if workspace and member_id else None
    return member_name(person, masked=masked) if person else None
