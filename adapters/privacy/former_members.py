"""Erasure of a former member: the key of the member's address and name is destroyed with the event."""

from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.encryption.ticket_keys import TicketKeys
from adapters.event_store import contact_hashes
from adapters.mail.outbox import Outbox
from domain.commands.workspaces import invitation_key
from domain.events import MemberErased, TicketEvent
from domain.workspaces import Workspace


def erase(outbox: Outbox, cursor: Cursor[TupleRow], workspace: Workspace, event: TicketEvent) -> None:
    """Destroy the key, and delete the invitation's mail, the sessions and the network addresses of what was done.

    Sessions of the same person for another workspace end, too, and the person signs in again there.
    """
    assert isinstance(event, MemberErased)
    TicketKeys.destroy_in(cursor, event.member_id)
    contact_hashes.delete(cursor, event.member_id)
    cursor.execute("DELETE FROM member_sessions WHERE member_id = %s", (event.member_id,))
    cursor.execute(
        "UPDATE access_log_details SET address = NULL WHERE member_id = %s AND address IS NOT NULL", (event.member_id,)
    )
    cursor.execute(
        "UPDATE security_events SET address = NULL WHERE workspace = %s AND subject = %s",
        (workspace.workspace, str(event.member_id)),
    )
    outbox.erase_mails(cursor.connection, [invitation_key(event.member_id)])
