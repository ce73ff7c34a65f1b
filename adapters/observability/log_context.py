"""The ids that every log line of a request or job carries, in whichever thread it is written."""

from collections.abc import Mapping
from contextvars import ContextVar
from uuid import UUID

# One dictionary for each request or job: threads that work for it have a copy of the context, and so the same
# dictionary.
_ids: ContextVar[dict[str, str | int | None] | None] = ContextVar("log_context", default=None)


def begin(**ids: str | int | None) -> None:
    """Replace the ids of this context."""
    _ids.set(ids)


def add(**ids: str | int | None) -> None:
    """Add ids to the context, in all of its threads; do nothing where none was begun."""
    context_ids = _ids.get()
    if context_ids is not None:
        context_ids.update(ids)


def add_recorded(ticket: UUID, position: int) -> None:
    """Add the position of the last recorded event, and its ticket unless the context already names one."""
    context_ids = _ids.get()
    if context_ids is not None:
        context_ids.setdefault("ticket", str(ticket))
        context_ids["position"] = position


def current() -> Mapping[str, str | int | None]:
    """Return the ids of this context as they are now; another thread may add more at any time."""
    return dict(_ids.get() or {})


def error_location(error: BaseException) -> str:
    """Return `file:line` of the frame that raised the error. Its message may quote a person and is left out."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}" if trace else "?"
