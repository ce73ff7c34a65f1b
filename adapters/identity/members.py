"""Members of workspaces as sign-in and access checks see them, and their sessions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.event_store import contact_hashes
from adapters.event_store.history import EventEffects
from adapters.identity.tokens import digest, url_text
from adapters.postgres.database import Database
from domain.errors import NotFoundError
from domain.events import (
    InvitationRevoked,
    MemberEvent,
    MemberInvited,
    MemberJoined,
    MemberReindexed,
    MemberRemoved,
    MemberRoleChanged,
    TicketEvent,
)
from domain.members import MemberRole
from projections.workspaces import workspace_settings

MEMBER_TOKEN = "mbr_"  # noqa: S105 - a prefix
SESSION_HOURS = 12
LONGEST_AGENT = 200
# The precision of a session's `last_used_at`.
LAST_USE_SECONDS = 60


@dataclass(frozen=True)
class SignedInMember:
    """Who has a session: the member as which it acts, or none yet, and the hashes of the address that was proved."""

    session: UUID
    contact_indexes: frozenset[str]
    member_id: UUID | None
    workspace: str | None
    role: MemberRole | None


@dataclass(frozen=True)
class Membership:
    """A membership or a valid invitation of an address."""

    member_id: UUID
    workspace: str
    role: MemberRole
    has_joined: bool
    expires_at: datetime


@dataclass(frozen=True)
class MemberSession:
    """A session as its person sees it; `agent` is what the browser or program said about itself."""

    id: UUID
    agent: str | None
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime


class MemberSessions:
    """Looks up sessions and memberships. Every check reads the primary database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, token: str) -> SignedInMember | None:
        """Return who has the session with this credential, or None if it is not valid."""
        with self._database.connection() as connection:
            row = connection.execute(_SIGNED_IN, {"digest": digest(token), "seconds": LAST_USE_SECONDS}).fetchone()
            if row is None:
                return None
            if row[5]:
                connection.execute("UPDATE member_sessions SET last_used_at = now() WHERE id = %s", (row[0],))
        role = MemberRole(row[4]) if row[4] else None
        return SignedInMember(row[0], frozenset(row[1]), row[2] if role else None, row[3], role)

    def memberships(self, contact_indexes: Sequence[str]) -> list[Membership]:
        """Return the memberships of an address and its valid invitations, in the order of the workspaces' names."""
        return self._database.read(memberships, contact_indexes)

    def act_in(self, session_id: UUID, contact_indexes: Sequence[str], workspace: str) -> None:
        """Let the session act in this workspace; NotFoundError if its address has no membership there."""
        for membership in self.memberships(contact_indexes):
            if membership.workspace == workspace and membership.has_joined:
                self._database.execute(
                    "UPDATE member_sessions SET member_id = %s WHERE id = %s", (membership.member_id, session_id)
                )
                return
        raise NotFoundError("There is no such workspace.")

    def list(self, contact_indexes: Sequence[str]) -> list[MemberSession]:
        """Return the valid sessions of an address, the newest first."""
        rows = self._database.rows(
            "SELECT id, agent, created_at, last_used_at, expires_at FROM member_sessions"
            " WHERE contact_indexes && %s AND expires_at > now() ORDER BY created_at DESC, id DESC",
            (list(contact_indexes),),
        )
        return [MemberSession(*row) for row in rows]

    def end(self, contact_indexes: Sequence[str], session_id: UUID | None = None) -> None:
        """End one session of an address, or all; NotFoundError if there is no such session."""
        ended = self._database.execute(
            "DELETE FROM member_sessions WHERE contact_indexes && %(indexes)s AND coalesce(id = %(id)s, true)",
            {"indexes": list(contact_indexes), "id": session_id},
        )
        if not ended:
            raise NotFoundError("There is no such session.")


def memberships(cursor: Cursor[TupleRow], contact_indexes: Sequence[str]) -> list[Membership]:
    """Return the memberships of an address and its valid invitations, as the cursor's transaction sees them."""
    cursor.execute(
        "SELECT member_id, workspace, role, has_joined, expires_at FROM members"
        " WHERE member_id IN (SELECT owner_id FROM contact_hashes WHERE hash = ANY(%s) AND is_current)"
        " AND (has_joined OR expires_at > now()) ORDER BY workspace, member_id",
        (list(contact_indexes),),
    )
    return [Membership(row[0], row[1], MemberRole(row[2]), *row[3:]) for row in cursor.fetchall()]


def language(cursor: Cursor[TupleRow], contact_indexes: Sequence[str]) -> str | None:
    """Return the language of the first workspace of an address that has one."""
    works_in = [each.workspace for each in memberships(cursor, contact_indexes)]
    return next(filter(None, (workspace_settings(cursor, each).language for each in works_in)), None)


def member_token(secret: bytes) -> str:
    """Return the credential of a member's session with this secret."""
    return MEMBER_TOKEN + url_text(secret)


def open_session(
    cursor: Cursor[TupleRow], session_id: UUID, secret: bytes, contact_indexes: Sequence[str], agent: str | None
) -> datetime:
    """Open a session for an address, which acts as its first member, and return the time when it ends."""
    joined = [each for each in memberships(cursor, contact_indexes) if each.has_joined]
    cursor.execute("DELETE FROM member_sessions WHERE expires_at < now()")
    [row] = cursor.execute(
        "INSERT INTO member_sessions (id, digest, contact_indexes, member_id, agent, expires_at)"
        " VALUES (%s, %s, %s, %s, %s, now() + make_interval(hours => %s)) RETURNING expires_at",
        (
            session_id,
            digest(member_token(secret)),
            list(contact_indexes),
            joined[0].member_id if joined else None,
            agent[:LONGEST_AGENT] if agent else None,
            SESSION_HOURS,
        ),
    ).fetchall()
    expires_at: datetime = row[0]
    return expires_at


_SIGNED_IN = (
    "SELECT s.id, s.contact_indexes, s.member_id, m.workspace, m.role,"
    " s.last_used_at < now() - make_interval(secs => %(seconds)s)"
    " FROM member_sessions AS s LEFT JOIN members AS m ON m.member_id = s.member_id AND m.has_joined"
    " WHERE s.digest = %(digest)s AND s.expires_at > now()"
)


# Effects of events, in their transactions.


def _invite(cursor: Cursor[TupleRow], aggregate: object, event: TicketEvent) -> None:
    assert isinstance(event, MemberInvited)
    workspace = aggregate.workspace  # type: ignore[attr-defined]
    cursor.execute(
        "INSERT INTO members (member_id, workspace, role, expires_at) VALUES (%s, %s, %s, to_timestamp(%s))",
        (event.member_id, workspace, event.role, event.expires_at),
    )
    cursor.execute("INSERT INTO contact_hashes (owner_id, hash) VALUES (%s, %s)", (event.member_id, event.email_index))


def _reindex(cursor: Cursor[TupleRow], _: object, event: TicketEvent) -> None:
    assert isinstance(event, MemberReindexed)
    cursor.execute(
        "UPDATE contact_hashes SET hash = %s WHERE owner_id = %s AND is_current", (event.email_index, event.member_id)
    )


def _join(cursor: Cursor[TupleRow], _: object, event: TicketEvent) -> None:
    assert isinstance(event, MemberJoined)
    cursor.execute("UPDATE members SET has_joined = true WHERE member_id = %s", (event.member_id,))


def _change_role(cursor: Cursor[TupleRow], _: object, event: TicketEvent) -> None:
    assert isinstance(event, MemberRoleChanged)
    cursor.execute("UPDATE members SET role = %s WHERE member_id = %s", (event.role, event.member_id))


def _remove(cursor: Cursor[TupleRow], _: object, event: TicketEvent) -> None:
    assert isinstance(event, MemberEvent)
    cursor.execute("DELETE FROM members WHERE member_id = %s", (event.member_id,))
    contact_hashes.delete(cursor, event.member_id)


EFFECTS: EventEffects = {
    MemberInvited: [_invite],
    MemberReindexed: [_reindex],
    MemberJoined: [_join],
    MemberRoleChanged: [_change_role],
    MemberRemoved: [_remove],
    InvitationRevoked: [_remove],
}
