"""Kills a process at chosen commits, before or after it receives the confirmation, and starts it again."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from enum import StrEnum
from queue import Queue

from tests.fakes.line import Commit, Line
from tests.journeys.harness.running_service import RunningService


class When(StrEnum):
    """The moment of a kill: before or after the client receives the confirmation of the commit."""

    UNHEARD = "unheard"
    HEARD = "heard"


# Called at every commit. Returns True if the process is to be killed at it.
Chosen = Callable[[Commit, When], bool]


class CommitKills:
    """Between `begin` and `end`, kills processes of a service at the chosen commits, one at a time."""

    def __init__(self, lines: dict[str, Line]) -> None:
        self._lines = lines
        self._chosen: Chosen = lambda *_: False
        self._service: RunningService | None = None
        self._dead: Queue[str | None] = Queue()
        self._lock = threading.Lock()
        self.struck: list[str] = []
        self.seen: list[str] = []
        self.fault: BaseException | None = None
        for part, line in lines.items():
            line.before = lambda commit, part=part: self._strike(part, commit, When.UNHEARD)  # type: ignore[misc]
            line.after = lambda commit, part=part: self._strike(part, commit, When.HEARD)  # type: ignore[misc]

    def begin(self, service: RunningService, chosen: Chosen) -> None:
        self._service, self._chosen = service, chosen
        self._thread = threading.Thread(target=self._bring_back, args=(service,), daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Stop killing; every process runs again when this returns."""
        with self._lock:
            self._chosen = lambda *_: False
            self._dead.put(None)
        self._thread.join()
        if self.fault is not None:
            raise self.fault

    def _strike(self, part: str, commit: Commit, when: When) -> None:
        with self._lock:
            if when is When.UNHEARD:
                self.seen.append(str(commit))
            if self._service is None:
                return
            victim = self._service.processes[part]
            # It may have died while the commit was on its way: then it will not hear of it either.
            is_dead = victim.poll() is not None
            if (is_dead and when is When.HEARD) or not self._chosen(commit, when):
                return
            self.struck.append(f"{part} {when} of {commit}")
            if not is_dead:
                victim.kill()
                victim.wait()
                self._dead.put(part)

    def _bring_back(self, service: RunningService) -> None:
        while (part := self._dead.get()) is not None:
            try:
                service.start(part)
            except BaseException as error:
                # It may have been killed again while it started, and then comes back next.
                if service.processes[part].poll() != -signal.SIGKILL:
                    self.fault = error
                    return
