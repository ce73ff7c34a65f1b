"""A workspace finds nothing of another one: no object, no id, no count, and no difference in the work of an answer."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from adapters.encryption import ticket_keys
from adapters.identity.credentials import SCOPES
from adapters.identity.security_events import SecurityEventKind
from adapters.ids import uuid7
from domain.members import MemberRole
from domain.values import Role
from entrypoints.http.operations import Operation
from entrypoints.http.table import OPERATIONS
from tests.client import RECORDING, Client, LiveService, Ticket
from tests.entrypoints.conftest import Deal
from tests.entrypoints.http.batches import batches, named
from tests.entrypoints.http.test_access import NEW_UPLOAD, OPEN_RULES, TICKET_RULES
from tests.fakes.databases import recorded_statements
from tests.fakes.photos import PDF
from tests.members import joined_member

# The parameters of queries that name an object of a workspace.
FILTERS = {"ticket": "ticket_id", "workspace": "workspace", "member": "member_id", "assignee": "member_id"}
CHANGING = {
    # Never ends.
    "/api/tickets/{ticket_id}/events",
    # Has the reads of this test.
    "/api/workspaces/{workspace}/audit-log",
    "/api/workspaces/{workspace}/audit-log/export",
    "/desk/audit-log",
    # Has the state of the service at that time.
    "/desk/health",
    # Have the time when they were made.
    "/api/tickets/{ticket_id}/export",
    "/t/{ticket_id}/poster",
    # Have the newest checkpoint of the whole event log, whose size everybody may read at /checkpoint.
    "/api/tickets/{ticket_id}/audit",
    "/audit/{ticket_id}/check",
}


def new_workspace() -> str:
    return f"w-{uuid7().hex[-12:]}"


@dataclass(frozen=True)
class Organisation:
    """A workspace with members, and an object of every kind by the name of the parameter that names it."""

    owner: Client
    others: tuple[Client, ...]
    ticket: Ticket
    objects: dict[str, str]


def organisation(live: LiveService, stack: ExitStack) -> Organisation:
    workspace = new_workspace()
    owner = stack.enter_context(joined_member(live, workspace, MemberRole.OWNER))
    others = [stack.enter_context(joined_member(live, workspace, role)) for role in list(MemberRole)[1:]]
    others.append(stack.enter_context(live.client_with_key(Role.CLIENT, *SCOPES, workspace=workspace)))
    ticket = owner.open_ticket()
    ticket.write_draft()
    with_ticket = {"headers": with_encoded(NEW_UPLOAD["headers"], ticket.id)}
    place = f"/api/workspaces/{workspace}"
    live.service.access.security_events.note(SecurityEventKind.REVOKED_KEY, workspace)
    objects = {
        "workspace": workspace,
        "ticket_id": ticket.id,
        "recording_id": ticket.upload(RECORDING.read_bytes()).json()["audioId"],
        "attachment_id": owner.post(f"{ticket.path}/attachments", files={"file": ("a.pdf", PDF)}).json()["id"],
        "document_id": ticket.post("/generate-doc", {"docType": "GOFUNDME_DRAFT"}).json()["documentId"],
        "donation_id": ticket.pay(5)["donationId"],
        "upload_id": owner.post("/api/uploads", **with_ticket).headers["location"].rpartition("/")[2],
        "member_id": owner.get("/api/me").json()["member"]["id"],
        "session_id": owner.get("/api/session").json()["sessions"][0]["id"],
        "key_id": owner.post(f"{place}/keys", json={"scopes": ["tickets:read"]}).json()["id"],
        "event_id": owner.get(f"{place}/security-events").json()["securityEvents"][0]["id"],
    }
    return Organisation(owner, tuple(others), ticket, objects)


@pytest.fixture(scope="module")
def organisations(shared_live: LiveService) -> Iterator[tuple[Organisation, Organisation]]:
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        # No key leaves the memory between two calls that are compared.
        patch.setattr(ticket_keys, "CACHE_SECONDS", 3600)
        yield organisation(shared_live, stack), organisation(shared_live, stack)


def with_encoded(headers: dict[str, str], ticket_id: str) -> dict[str, str]:
    """Return the headers with the ticket's id in the metadata of an upload."""
    return {name: text.replace("{ticket_id}", b64encode(ticket_id.encode()).decode()) for name, text in headers.items()}


def place_of(operation: Operation, objects: dict[str, str]) -> str:
    return re.sub(r"{(\w+)}", lambda part: objects.get(part[1], "none"), operation.path)


def body_of(operation: Operation, objects: dict[str, str]) -> dict[str, Any]:
    rule = TICKET_RULES.get((operation.method, operation.path))
    send = OPEN_RULES[operation.method, operation.path][1] if rule is None else rule.send
    return send | {"headers": with_encoded(send.get("headers", {}), objects["ticket_id"])}


def answered(
    live: LiveService, client: Client, operation: Operation, objects: dict[str, str], query: dict[str, str]
) -> Any:
    """Return status, headers, body and statements of an answer, in which the ids that were asked for are replaced."""
    send = body_of(operation, objects)
    params = {"params": send.get("params", {}) | query} if query else {}
    with recorded_statements(live.service.database) as statements:
        answer = client.request(operation.method, place_of(operation, objects), **send | params)
    headers = {name: text for name, text in answer.headers.items() if name not in ("x-request-id", "date", "ratelimit")}
    text = f"{answer.text} {headers}"
    for name, id in objects.items():
        text = text.replace(id, name)
    # The time of the last use is written once in a minute.
    counted = [statement for statement in statements if "SET last_used_at" not in statement]
    return answer.status_code, text.replace(answer.headers["x-request-id"], "REQUEST"), counted


def variants(operation: Operation, own: dict[str, str]) -> list[tuple[tuple[str, ...], str | None]]:
    """Return the parameters of the path that name others' objects, and the filter that does, for each call to try."""
    named = [name for name in re.findall(r"{(\w+)}", operation.path) if name in own]
    if operation.access.ticket_in_metadata:
        named.append("ticket_id")
    together = [tuple(named)] if len(named) > 1 else []
    filters = [parameter.name for parameter in operation.query if parameter.name in FILTERS]
    return [*(((name,), None) for name in named), *((names, None) for names in together), *(((), f) for f in filters)]


@pytest.mark.parametrize("operations", batches(OPERATIONS, named, 64))
def test_an_object_of_another_workspace_is_answered_exactly_as_one_that_does_not_exist(
    organisations: tuple[Organisation, Organisation],
    shared_live: LiveService,
    dealt: Deal,
    operations: list[Operation],
):
    ours, theirs = organisations
    for operation in operations:
        absent = {name: str(uuid7()) for name in theirs.objects} | {"workspace": new_workspace()}
        others = dealt(ours.others, OPERATIONS.index(operation), len(ours.others))
        for names, filter in variants(operation, ours.objects):
            for asker in (ours.owner, *others):
                answers = []
                # The first call warms up what later calls have in memory.
                for objects in (absent, theirs.objects, absent):
                    requested_objects = ours.objects | {name: objects[name] for name in names}
                    query = {filter: objects[FILTERS[filter]]} if filter else {}
                    status, text, statements = answered(shared_live, asker, operation, requested_objects, query)
                    for name, id in objects.items():
                        text = text.replace(id, name) if name in names or query else text
                    answers.append((status, text, statements))
                    assert not [name for name, id in theirs.objects.items() if id in text], named(operation)
                assert answers[1][:2] == answers[2][:2], (named(operation), names, filter)
                # The work is the same, so response times reveal nothing either.
                assert answers[1][2] == answers[2][2], (named(operation), names, filter)


def readable() -> list[Operation]:
    """Return the reads that need a credential, and that do not differ from themselves a moment later."""
    return [o for o in OPERATIONS if o.method == "GET" and not o.access.is_open and o.path not in CHANGING]


def test_nothing_that_a_workspace_reads_shows_what_happens_in_another(
    organisations: tuple[Organisation, Organisation], shared_live: LiveService
):
    ours, theirs = organisations

    def read(operation: Operation) -> tuple[int, str]:
        status, text, _ = answered(shared_live, ours.owner, operation, ours.objects, {})
        assert not [name for name, id in theirs.objects.items() if id in text], operation.path
        return status, text

    # The proof signs the whole history first, so that no page says at first that its lines are signed soon.
    assert ours.ticket.get("/audit").status_code == 200
    operations = readable()
    before = {operation.path: read(operation) for operation in operations}
    assert sum(status == 200 for status, _ in before.values()) >= 30
    ticket = theirs.owner.open_ticket()
    ticket.write_draft()
    ticket.pay(7)
    place = f"/api/workspaces/{theirs.objects['workspace']}"
    theirs.owner.post(f"{place}/keys", json={"scopes": ["tickets:read"]})
    shared_live.service.access.security_events.note(SecurityEventKind.EXPIRED_KEY, theirs.objects["workspace"])
    differing = [operation.path for operation in operations if read(operation) != before[operation.path]]
    assert differing == []
