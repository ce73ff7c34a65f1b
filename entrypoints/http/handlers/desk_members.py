"""Handlers for the page of a workspace's members."""

from dataclasses import dataclass
from datetime import UTC, datetime

from domain.errors import DomainError, InvalidError
from domain.members import MemberRole
from entrypoints.http.bodies import form_fields, validated
from entrypoints.http.desk import DESK, MANAGERS, ROLES, Desk, name_own_workspace, next_page
from entrypoints.http.handlers.members import InvitationOrder, RoleChange, SessionHandlers, WorkspaceHandlers
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import see_other
from entrypoints.http.paging import cursor_after, requested_page
from entrypoints.http.problems import Problem, problem_of
from entrypoints.presentation.workspaces import InvitationView, MemberView

MEMBERS = f"{DESK}/members"
FORMER_MEMBERS = f"{MEMBERS}/former"


@dataclass(frozen=True)
class DeskMemberHandlers:
    workspaces: WorkspaceHandlers
    sessions: SessionHandlers
    desk: Desk

    def show(
        self,
        call: Call,
        status: int = 200,
        *,
        fault: str | None = None,
        refusal: str | None = None,
        typed: str = "",
    ) -> Answer[bytes]:
        workspace, page = self.desk.workspace(call), requested_page(call)
        after = page.after_key(lambda number: int(number)) or 0
        members = workspace.members()[after:]
        shown = members[: page.limit]
        more = cursor_after([after + page.limit]) if len(members) > page.limit else None
        may_manage = call.principal.member_role in MANAGERS
        return self.desk.page(
            call,
            "members.html",
            status,
            members=[MemberView.of(member, masked=call.masked) for member in shown],
            invitations=[InvitationView.of(each) for each in workspace.invitations(datetime.now(UTC))]
            if may_manage
            else [],
            own_id=call.principal.member_id,
            may_manage=may_manage,
            may_manage_owners=call.principal.member_role is MemberRole.OWNER,
            roles=ROLES,
            fault=fault,
            refusal=refusal,
            typed=typed,
            next_url=next_page(MEMBERS, more),
        )

    def invite(self, call: Call) -> Answer[bytes] | Answer[None]:
        form = form_fields(call.raw_body)
        order = {"email": form.get("email", "").strip(), "role": form.get("role", "")}
        name_own_workspace(call)
        try:
            self.workspaces.invite(call, validated(InvitationOrder, order))
        except InvalidError:
            return self.show(call, 422, fault="email", typed=order["email"])
        except Problem:
            return self.show(
                call, 422, fault="email" if order["role"] in set(MemberRole) else "role", typed=order["email"]
            )
        except DomainError as error:
            return self.show(call, problem_of(error).status, refusal=str(error), typed=order["email"])
        return see_other(f"{MEMBERS}?done=invited")

    def change(self, call: Call) -> Answer[bytes] | Answer[None]:
        """Give a member another role, remove the member, or revoke an invitation, as the pressed button says."""
        form = form_fields(call.raw_body)
        name_own_workspace(call)
        try:
            match form.get("do"):
                case "remove":
                    self.workspaces.remove(call)
                case "revoke":
                    self.workspaces.revoke_invitation(call)
                case _:
                    self.workspaces.change_role(call, validated(RoleChange, {"role": form.get("role", "")}))
        except Problem:
            return self.show(call, 422, fault="role")
        except DomainError as error:
            return self.show(call, problem_of(error).status, refusal=str(error))
        return see_other(f"{MEMBERS}?done=changed")

    def show_former(
        self, call: Call, status: int = 200, *, wrong: str | None = None, refusal: str | None = None
    ) -> Answer[bytes]:
        """Return the page; the member with the id `wrong` was to be erased without the box being checked."""
        name_own_workspace(call)
        result_page = self.workspaces.list_former(call).body
        return self.desk.page(
            call,
            "former_members.html",
            status,
            people=result_page.former_members,
            may_manage_owners=call.principal.member_role is MemberRole.OWNER,
            roles=ROLES,
            wrong=wrong,
            refusal=refusal,
            next_url=next_page(FORMER_MEMBERS, result_page.next_cursor),
        )

    def erase(self, call: Call) -> Answer[bytes] | Answer[None]:
        """Erase the personal data of a former member, once the box of the form was checked."""
        name_own_workspace(call)
        if form_fields(call.raw_body).get("confirm") != "yes":
            return self.show_former(call, 422, wrong=call.path_params["member_id"])
        try:
            self.workspaces.erase(call)
        except DomainError as error:
            return self.show_former(call, problem_of(error).status, refusal=str(error))
        return see_other(f"{FORMER_MEMBERS}?done=erased")
