"""Operations for whoever waits for a draft: the status as it changes, and the pages that show and ask."""

from entrypoints.http.handlers.status_events import StatusEventHandlers
from entrypoints.http.operations import EventStream, Operation
from entrypoints.http.table.access import READ, TICKET

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET", f"{TICKET}/events", "Get the progress of the work on a ticket as server-sent events",
        StatusEventHandlers.events, READ, media_types=(EventStream.MEDIA_TYPE,),
    ),
)  # fmt: skip
