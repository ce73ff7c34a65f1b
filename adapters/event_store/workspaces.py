"""The workspaces in the event log."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from adapters.event_store.history import Streams
from domain.errors import NotFoundError
from domain.ports import Mail
from domain.values import SYSTEM
from domain.workspaces import Workspace, workspace_stream

T = TypeVar("T")


class StoredWorkspaces:
    """The port `Workspaces` over the history."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    def get(self, workspace: str) -> Workspace:
        try:
            loaded: Workspace = self._streams.load(workspace_stream(workspace))
        except NotFoundError:
            return Workspace.open(SYSTEM, workspace)
        return loaded

    def change(
        self,
        workspace: str,
        decide: Callable[[Workspace], T],
        mails: Callable[[T], Sequence[Mail]] | None = None,
    ) -> T:
        stream = workspace_stream(workspace)
        try:
            self._streams.load(stream)
        except NotFoundError:
            self._streams.add(Workspace.open(SYSTEM, workspace))
        return self._streams.change(stream, decide, mails=mails)
