"""The ids of what is being done, for every log line about it, in whatever thread of the same request or job."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any
from uuid import UUID

# One dictionary for each thing that is done: threads that work for a request have a copy of its context, and so the
# very same dictionary.
_ids: ContextVar[dict[str, Any] | None] = ContextVar("about", default=None)


def begin(**ids: Any) -> None:
    """From here on, in this context, it is about these ids and no others."""
    _ids.set(ids)


def note(**ids: Any) -> None:
    """It is about these as well, whoever has to know them; nothing where nothing was begun."""
    known = _ids.get()
    if known is not None:
        known.update(ids)


def note_recorded(ticket: UUID, position: int) -> None:
    """Events were recorded, the last at this position. The ticket that was asked for stays the one it is about."""
    known = _ids.get()
    if known is not None:
        known.setdefault("ticket", str(ticket))
        known["position"] = position


def noted() -> Mapping[str, Any]:
    """The ids that are known so far."""
    return _ids.get() or {}


def error_location(error: BaseException) -> str:
    """Return `file:line` of the frame that raised the error. Its message may quote a person and is left out."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}" if trace else "?"
