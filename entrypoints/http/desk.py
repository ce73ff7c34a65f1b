"""The frame of the pages on which staff work: who is signed in, the workspace, and the parts that the role may use."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from adapters.identity.members import MemberSessions
from domain.commands.workspaces import WorkspaceCommands
from domain.members import MemberRole
from domain.values import Actor
from domain.workspaces import Workspace
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import Site
from entrypoints.presentation.event_sentences import ACTORS, N_

DESK = "/desk"
STAFF = frozenset(MemberRole)
MONEY = STAFF - {MemberRole.CASEWORKER}
CASEWORK_AND_AUDITORS = STAFF - {MemberRole.ACCOUNTANT}
MANAGERS = frozenset({MemberRole.OWNER, MemberRole.ADMIN})
# They pay gifts back, or ask for that.
REFUNDERS = MANAGERS | {MemberRole.ACCOUNTANT}

ROLES: Mapping[str, str] = {
    MemberRole.OWNER: N_("Owner"),
    MemberRole.ADMIN: N_("Admin"),
    MemberRole.CASEWORKER: N_("Caseworker"),
    MemberRole.ACCOUNTANT: N_("Accountant"),
    MemberRole.AUDITOR: N_("Auditor"),
}


class Part(NamedTuple):
    """A part of the desk in the navigation, and the roles that use it."""

    path: str
    label: str
    roles: frozenset[MemberRole]


# In the order of the navigation. A part is shown if this process answers its path.
PARTS = (
    Part(DESK, N_("Stories"), STAFF),
    Part("/desk/gifts", N_("Gifts"), STAFF),
    Part("/desk/figures", N_("Figures"), MONEY),
    Part("/desk/support", N_("Requests for help"), CASEWORK_AND_AUDITORS),
    Part("/desk/members", N_("Members"), STAFF),
    Part("/desk/organisation", N_("Organisation"), STAFF),
    Part("/desk/keys", N_("Keys"), MANAGERS),
    Part("/desk/account", N_("My account"), STAFF),
)


@dataclass(frozen=True)
class Desk:
    site: Site
    workspaces: WorkspaceCommands
    sessions: MemberSessions
    # The paths that this process answers.
    paths: Collection[str]

    def page(
        self, call: Call, template: str, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any
    ) -> Answer[bytes]:
        """Return a page of the desk for the member who makes the call."""
        role, name = call.principal.member_role, call.principal.workspace
        return self.site.page(
            call,
            f"desk/{template}",
            status,
            headers=headers,
            parts=[part for part in PARTS if role in part.roles and part.path in self.paths],
            here=call.url_path,
            workspace=self.workspaces.workspaces.get(name).title if name else None,
            role=ROLES[role] if role else None,
            is_manager=role in MANAGERS,
            **values,
        )


def name_of(actor_text: str, workspace: Workspace) -> str:
    """Return the name of a member, also of a former one, or what other actors are called."""
    actor = Actor.parse(actor_text)
    person = workspace.ever_member(UUID(actor.id)) if actor.role == "member" and actor.id else None
    return (person.name or person.email) if person else ACTORS[actor.role]
