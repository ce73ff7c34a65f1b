"""Erasure of a former member: the key of the member's address and name is destroyed with the event."""

from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.encryption.ticket_keys import TicketKeys
from adapters.event_store import contact_hashes
from adapters.mail.outbox import Outbox
from domain.commands.workspaces import invitation_key
from domain.events import MemberErased, TicketEvent
from domain.workspaces import Workspace

# All acts of a member are logged under the member's workspace, with which the index of members' acts begins.
FORGET_ADDRESSES = """
UPDATE access_log_details SET address = NULL
 WHERE workspace = %(workspace)s AND member_id = %(member)s AND address IS NOT NULL
"""


def erase(outbox: Outbox, cursor: Cursor[TupleRow], workspace: Workspace, event: TicketEvent) -> None:
    """Destroy the key, and delete the mails to the member, the sessions and the network addresses of what was done.

    Sessions of the same person for another workspace end, too, and the person signs in again there.
    """
    assert isinstance(event, MemberErased)
    TicketKeys.destroy_in(cursor, event.member_id)
    contact_hashes.delete(cursor, event.member_id)
    cursor.execute("DELETE FROM member_sessions WHERE member_id = %s", (event.member_id,))
    cursor.execute(FORGET_ADDRESSES, {"workspace": workspace.workspace, "member": event.member_id})
    cursor.execute(
        "UPDATE security_events SET address = NULL WHERE workspace = %s AND subject = %s",
        (workspace.workspace, str(event.member_id)),
    )
    outbox.erase_mails(cursor.connection, [invitation_key(event.member_id)])
    outbox.erase_reminders(cursor.connection, event.member_id)
