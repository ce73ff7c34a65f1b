"""Operations of members: sign-in and sessions, and the members of a workspace."""

from entrypoints.http import bodies
from entrypoints.http.handlers.attachments import PHOTO_MEDIA_TYPE
from entrypoints.http.handlers.logos import LogoHandlers
from entrypoints.http.handlers.members import (
    InvitationOrder,
    MemberCodeRequest,
    MemberSignIn,
    MyChange,
    RoleChange,
    SessionChange,
    SessionHandlers,
    WorkspaceHandlers,
)
from entrypoints.http.operations import BodyKind, Operation, Parameter, RateLimit
from entrypoints.http.table.access import (
    CURSOR,
    JSON,
    LIMIT,
    NOT_FOUND,
    OPEN,
    PATCH,
    SIGN_IN,
    SIGNED_IN,
    WORKSPACE_CLOSE,
    WORKSPACE_LEAVE,
    WORKSPACE_MANAGE,
    WORKSPACE_READ,
)
from entrypoints.http.workspace_bodies import WorkspaceChange

WORKSPACE = "/api/workspaces/{workspace}"

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "POST", "/api/session/code", "Request a login code for a member or an invited person",
        SessionHandlers.request_code, SIGN_IN, JSON, MemberCodeRequest, 202, idempotency_key=True,
        rate_limit=RateLimit.LOGIN_CODE, tag="Members", id="requestMemberCode",
    ),
    Operation(
        "POST", "/api/session", "Exchange a login code for a member's session", SessionHandlers.sign_in, SIGN_IN, JSON,
        MemberSignIn, idempotency_key=True, tag="Members", id="signInMember",
    ),
    Operation(
        "GET", "/api/session", "List the caller's sessions, newest first", SessionHandlers.list_sessions, SIGNED_IN,
        tag="Members", id="listSessions",
    ),
    Operation(
        "PATCH", "/api/session", "Let the session act in another workspace of the caller", SessionHandlers.change,
        SIGNED_IN, PATCH, SessionChange, tag="Members", other_responses=NOT_FOUND, id="changeSession",
    ),
    Operation(
        "DELETE", "/api/session", "End all sessions of the caller", SessionHandlers.end_all, SIGNED_IN, status=204,
        tag="Members", id="endAllSessions",
    ),
    Operation(
        "DELETE", "/api/session/{session_id}", "End one session of the caller; `current` is the one that calls",
        SessionHandlers.end, SIGNED_IN, status=204, tag="Members", id="endSession",
    ),
    Operation(
        "GET", "/api/me", "Get who is signed in, with every workspace and invitation of the address",
        SessionHandlers.me, SIGNED_IN, tag="Members", id="getMe",
    ),
    Operation(
        "PATCH", "/api/me", "Change the name that the other members see", SessionHandlers.change_me, SIGNED_IN, PATCH,
        MyChange, tag="Members", other_responses=NOT_FOUND, id="changeMe",
    ),
    Operation(
        "POST", "/api/invitations/{member_id}/accept", "Accept an invitation of the caller's address",
        SessionHandlers.accept, SIGNED_IN, JSON, bodies.Empty, tag="Members", id="acceptInvitation",
    ),
    Operation(
        "GET", WORKSPACE, "Get a workspace with its settings", WorkspaceHandlers.get, WORKSPACE_READ, tag="Workspaces",
        id="getWorkspace",
    ),
    Operation(
        "PATCH", WORKSPACE, "Change the settings of a workspace", WorkspaceHandlers.change, WORKSPACE_MANAGE, PATCH,
        WorkspaceChange, tag="Workspaces", id="changeWorkspace",
    ),
    Operation(
        "POST", f"{WORKSPACE}/close", "Close a workspace: nobody opens tickets there or joins it any more",
        WorkspaceHandlers.close, WORKSPACE_CLOSE, JSON, bodies.Empty, tag="Workspaces", id="closeWorkspace",
    ),
    Operation(
        "PUT", f"{WORKSPACE}/logo", "Choose the logo of a workspace, a picture of at most 10 MB", LogoHandlers.choose,
        WORKSPACE_MANAGE, BodyKind.ATTACHMENT, tag="Workspaces", id="chooseLogo",
    ),
    Operation(
        "GET", f"{WORKSPACE}/logo", "Get the logo of a workspace", LogoHandlers.get, WORKSPACE_READ,
        media_types=(PHOTO_MEDIA_TYPE,), tag="Workspaces", id="getLogo",
    ),
    Operation(
        "DELETE", f"{WORKSPACE}/logo", "Remove the logo of a workspace", LogoHandlers.remove, WORKSPACE_MANAGE,
        status=204, tag="Workspaces", id="removeLogo",
    ),
    Operation(
        "GET", "/d/{slug}/logo", "Get the logo that a campaign page shows", LogoHandlers.show, OPEN,
        media_types=(PHOTO_MEDIA_TYPE,), rate_limit=RateLimit.IMAGE, other_responses=NOT_FOUND, tag="Public page",
        query=(Parameter("v", "Names the logo, so that browsers keep it."),), id="getCampaignLogo",
    ),
    Operation(
        "GET", f"{WORKSPACE}/members", "List the members of a workspace", WorkspaceHandlers.list_members,
        WORKSPACE_READ, query=(LIMIT, CURSOR), tag="Workspaces", id="listMembers",
    ),
    Operation(
        "PATCH", f"{WORKSPACE}/members/{{member_id}}", "Give a member another role", WorkspaceHandlers.change_role,
        WORKSPACE_MANAGE, PATCH, RoleChange, tag="Workspaces", id="changeMemberRole",
    ),
    Operation(
        "DELETE", f"{WORKSPACE}/members/{{member_id}}", "Remove a member, or leave the workspace",
        WorkspaceHandlers.remove, WORKSPACE_LEAVE, status=204, tag="Workspaces", id="removeMember",
    ),
    Operation(
        "GET", f"{WORKSPACE}/former-members", "List those who were members or were invited, and are no more",
        WorkspaceHandlers.list_former, WORKSPACE_MANAGE, query=(LIMIT, CURSOR), tag="Workspaces",
        id="listFormerMembers",
    ),
    Operation(
        "DELETE", f"{WORKSPACE}/members/{{member_id}}/personal-data",
        "Erase the address and the name of a former member for good", WorkspaceHandlers.erase, WORKSPACE_MANAGE,
        status=204, tag="Workspaces", id="eraseFormerMember",
    ),
    Operation(
        "GET", f"{WORKSPACE}/invitations", "List the invitations that may still be accepted",
        WorkspaceHandlers.list_invitations, WORKSPACE_MANAGE, query=(LIMIT, CURSOR), tag="Workspaces",
        id="listInvitations",
    ),
    Operation(
        "POST", f"{WORKSPACE}/invitations", "Invite somebody by e-mail", WorkspaceHandlers.invite, WORKSPACE_MANAGE,
        JSON, InvitationOrder, 201, idempotency_key=True, rate_limit=RateLimit.CREATE, tag="Workspaces",
        id="inviteMember",
    ),
    Operation(
        "DELETE", f"{WORKSPACE}/invitations/{{member_id}}", "Revoke an invitation", WorkspaceHandlers.revoke_invitation,
        WORKSPACE_MANAGE, status=204, tag="Workspaces", id="revokeInvitation",
    ),
)  # fmt: skip
