"""Members of workspaces for tests: they join and sign in without waiting for mails."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from adapters.contacts import normalize_contact
from adapters.identity import members
from adapters.ids import uuid7
from domain.commands.workspaces import Invitation
from domain.members import MemberRole
from domain.values import SYSTEM, Contact, ContactType
from tests.client import Client, LiveService


def new_address() -> Contact:
    return normalize_contact(ContactType.EMAIL, f"{uuid7().hex[-12:]}@example.com")


def joined_member(live: LiveService, workspace: str, role: MemberRole, email: Contact | None = None) -> Client:
    """Return a client with the session of a new member of this workspace."""
    service, email = live.service, email or new_address()
    index, *earlier = service.access.contact_index.all_of(email)
    member_id = uuid7()
    invitation = Invitation(member_id, email, index, earlier, role)
    service.commands.workspaces.invite(SYSTEM, workspace, invitation, now=datetime.now(UTC))
    service.commands.workspaces.accept(workspace, member_id, [index, *earlier], now=datetime.now(UTC))
    return signed_in(live, email)


def signed_in(live: LiveService, email: Contact) -> Client:
    """Return a client with a session of this address, which need not be a member's."""
    indexes = live.service.access.contact_index.all_of(email)
    secret = secrets.token_bytes(32)
    with live.service.database.transaction() as cursor:
        members.open_session(cursor, uuid7(), secret, indexes, "tests")
    return live.client(members.member_token(secret))
