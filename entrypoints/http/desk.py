"""The frame of the pages on which staff work: who is signed in, the workspace, and the parts that the role may use."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from starlette.datastructures import QueryParams

from adapters.identity.credentials import Principal
from adapters.identity.members import MemberSessions
from adapters.identity.security_events import SecurityEvents
from adapters.languages import translations
from domain.commands.desk import ASSIGNABLE
from domain.commands.workspaces import WorkspaceCommands
from domain.members import MemberRole
from domain.values import Actor, Role
from domain.workspaces import Workspace
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import Site, reader_language
from entrypoints.presentation.audit_log import member_name
from entrypoints.presentation.event_sentences import ACTORS, FORMER_MEMBER, N_

DESK = "/desk"
AUDIT_LOG = f"{DESK}/audit-log"
SECURITY_EVENTS = f"{DESK}/security-events"
# The navigation shows managers how many security events nobody has seen, or "9+".
MOST_COUNTED = 9
STAFF = frozenset(MemberRole)
MONEY = STAFF - {MemberRole.CASEWORKER}
CASEWORK_AND_AUDITORS = STAFF - {MemberRole.ACCOUNTANT}
MANAGERS = frozenset({MemberRole.OWNER, MemberRole.ADMIN})
# They pay gifts back, or ask for that.
REFUNDERS = MANAGERS | {MemberRole.ACCOUNTANT}
# The keys of the installation, with which its operators sign a browser in.
ADMINISTRATORS = frozenset({Role.ADMIN})
OPERATORS = ADMINISTRATORS | {Role.AUDITOR}

ROLES: Mapping[str, str] = {
    MemberRole.OWNER: N_("Owner"),
    MemberRole.ADMIN: N_("Admin"),
    MemberRole.CASEWORKER: N_("Caseworker"),
    MemberRole.ACCOUNTANT: N_("Accountant"),
    MemberRole.AUDITOR: N_("Auditor"),
}

OPERATOR_ROLES: Mapping[Role, str] = {Role.ADMIN: N_("Administrator"), Role.AUDITOR: N_("Auditor")}
# What operators work on, in place of a workspace.
INSTALLATION = N_("Installation")


class Part(NamedTuple):
    """A part of the desk in the navigation, and who uses it: members by their role, and keys of the installation."""

    path: str
    label: str
    roles: frozenset[MemberRole] = frozenset()
    keys: frozenset[Role] = frozenset()
    # The pages of a part that has several. The part leads to the first one that the reader may use.
    pages: tuple["Part", ...] = ()


# In the order of the navigation. A part or page is shown if this process answers its path.
PARTS: tuple[Part, ...] = (
    Part(DESK, N_("Stories"), STAFF),
    Part(
        "/desk/gifts",
        N_("Gifts"),
        pages=(
            Part("/desk/gifts", N_("Gifts"), STAFF),
            Part("/desk/refund-requests", N_("Refund requests"), REFUNDERS),
            Part("/desk/disputes", N_("Disputes"), STAFF),
        ),
    ),
    Part("/desk/figures", N_("Figures"), MONEY),
    Part("/desk/support", N_("Requests for help"), CASEWORK_AND_AUDITORS),
    Part("/desk/members", N_("Members"), STAFF),
    Part(
        "/desk/organisation",
        N_("Organisation"),
        pages=(
            Part("/desk/organisation", N_("Organisation"), STAFF),
            Part("/desk/retention", N_("Retention"), STAFF),
            Part("/desk/close", N_("Close the workspace"), frozenset({MemberRole.OWNER})),
        ),
    ),
    Part("/desk/keys", N_("Keys"), MANAGERS),
    Part(
        AUDIT_LOG,
        N_("Audit log"),
        pages=(
            Part(AUDIT_LOG, N_("Audit log"), MANAGERS | {MemberRole.AUDITOR}, OPERATORS),
            Part(SECURITY_EVENTS, N_("Security events"), MANAGERS | {MemberRole.AUDITOR}, OPERATORS),
        ),
    ),
    Part(
        "/desk/health",
        N_("Operation"),
        pages=(
            Part("/desk/health", N_("Health"), MANAGERS, OPERATORS),
            Part("/desk/jobs", N_("Failed jobs"), CASEWORK_AND_AUDITORS, OPERATORS),
            Part("/desk/mails", N_("Unsent messages"), MANAGERS, ADMINISTRATORS),
            Part("/desk/dead-letters", N_("Dead letters"), keys=ADMINISTRATORS),
        ),
    ),
    Part("/desk/knowledge", N_("Knowledge base"), keys=ADMINISTRATORS),
    Part("/desk/account", N_("My account"), STAFF),
)


@dataclass(frozen=True)
class Desk:
    site: Site
    workspaces: WorkspaceCommands
    sessions: MemberSessions
    security_events: SecurityEvents
    # The paths that this process answers.
    paths: Collection[str]

    def page(
        self, call: Call, template: str, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any
    ) -> Answer[bytes]:
        """Return a page of the desk for the member or operator who makes the call."""
        role = call.principal.member_role
        parts = self.parts(call)
        # The path of the part "Stories" is a prefix of all others.
        part = max(
            (part for part in parts if _is_within(call.url_path, part)), key=lambda part: len(part.path), default=None
        )
        return self.site.page(
            call,
            f"desk/{template}",
            status,
            headers=headers,
            parts=parts,
            part=part,
            here=call.url_path,
            workspace=self._area(call),
            is_operator=call.principal.role in OPERATORS,
            role=ROLES[role] if role else OPERATOR_ROLES.get(call.principal.role),
            is_manager=role in MANAGERS,
            unseen=self._unseen(call.principal),
            unseen_at=(AUDIT_LOG, SECURITY_EVENTS),
            **values,
        )

    def workspace(self, call: Call) -> Workspace:
        """Return the workspace that the member who makes the call works in."""
        assert call.principal.workspace is not None
        return self.workspaces.workspaces.get(call.principal.workspace)

    def _area(self, call: Call) -> str | None:
        """Return the name of what the caller works on: a workspace, or the whole installation."""
        if call.principal.role in OPERATORS:
            return translations(reader_language(call.headers, call.query.get("lang"))).gettext(INSTALLATION)
        name = call.principal.workspace
        return self.workspaces.workspaces.get(name).title if name else None

    def _unseen(self, principal: Principal) -> str | None:
        """Return how many security events are new to a manager, or None if there are none."""
        workspace = principal.workspace
        if workspace is None or principal.member_role not in MANAGERS:
            return None
        count = self.security_events.unseen(workspace, MOST_COUNTED + 1)
        return f"{MOST_COUNTED}+" if count > MOST_COUNTED else str(count or "") or None

    def parts(self, call: Call) -> list[Part]:
        """Return the parts that the caller may use, each with its pages of which the same is true."""
        parts = []
        for part in PARTS:
            if pages := tuple(page for page in part.pages or (part,) if self._is_for(page, call.principal)):
                parts.append(part._replace(path=pages[0].path, pages=pages))
        return parts

    def _is_for(self, page: Part, principal: Principal) -> bool:
        is_member = principal.role is Role.MEMBER
        return page.path in self.paths and (
            principal.member_role in page.roles if is_member else principal.role in page.keys
        )


def _is_within(path: str, part: Part) -> bool:
    return any(path == page.path or path.startswith(f"{page.path}/") for page in part.pages)


def name_own_workspace(call: Call) -> str:
    """Set the path parameter `workspace`, which calls of the API have, to the member's own workspace, and return it."""
    assert call.principal.workspace is not None
    call.path_params = {**call.path_params, "workspace": call.principal.workspace}
    return call.principal.workspace


def chosen_filters(call: Call, names: Iterable[str]) -> dict[str, str]:
    """Return the filters of the query that are not blank."""
    return {name: text for name in names if (text := call.query.get(name, "").strip())}


def ask_for(call: Call, filters: Mapping[str, str]) -> None:
    """Replace the query of the call by these filters and its cursor, for the handler of the API."""
    cursor = call.query.get("cursor")
    call.query = QueryParams({**filters, **({"cursor": cursor} if cursor else {})})


def next_page(path: str, cursor: str | None, filters: Mapping[str, str] | None = None) -> str | None:
    """Return the address of the page of a list that begins at the cursor, or None without a cursor."""
    return f"{path}?{urlencode({**(filters or {}), 'cursor': cursor})}" if cursor else None


def name_of(actor_text: str, workspace: Workspace, language: str, *, masked: bool) -> str:
    """Return the name of a member, also of a former one, or what others and erased members are called.

    Masked readers get the shortened address in its place, as in the list of members.
    """
    actor = Actor.parse(actor_text)
    person = workspace.ever_member(UUID(actor.id)) if actor.role == "member" and actor.id else None
    if person and (name := member_name(person, masked=masked)):
        return name
    return translations(language).gettext(FORMER_MEMBER if person else ACTORS[actor.role])


def assignable(workspace: Workspace, *, masked: bool) -> list[tuple[str, str]]:
    """Return ids and names of those who may take care of a ticket or of a request for help."""
    people = [person for person in workspace.members() if person.role in ASSIGNABLE]
    return [(str(person.id), member_name(person, masked=masked) or "") for person in people]
