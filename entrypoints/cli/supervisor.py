"""`storyledger serve` in several processes. This one starts them, restarts what crashes, and stops and reloads them.

It reads no settings and imports no part of the service, so it needs little memory (`docs/operating.md`). The first
web process checks the environment, opens the listening socket and hands it over; only then do the others begin.
"""

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from entrypoints.cli import supervised
from entrypoints.cli.console import CommandFailed, UsageError
from entrypoints.cli.supervised import FIRST, GO, VARIABLE, Supervision, inherited_listener

# More processes are started only by choice: each web process may have 30 connections to PostgreSQL, and without a Redis
# they count rate limits apart.
MOST_BY_DEFAULT = 3

# A process that ends by itself is started again after a pause that doubles. The whole service ends when a process has
# ended MOST_CRASHES times in a row without being ready for STABLE_SECONDS, so that the process manager notices.
MOST_CRASHES = 5
FIRST_PAUSE_SECONDS = 0.25
STABLE_SECONDS = 60.0

# Seconds after the stop began by which the web processes, the worker and the rest must have ended before the next are
# stopped too; requests wait for the read models, so these go on until the others have ended. What is left is killed.
STOP_ORDER = (("web", 4.0), ("worker", 7.5), ("projections", 9.5))
CLEAN_EXITS = (0, 128 + signal.SIGTERM, -signal.SIGTERM)

COMMAND = (sys.executable, "-P", "-c", "from entrypoints.cli import main; main()", "serve", "--only")


def serve(only: str | None, processes: int | None) -> None:
    """Run the service in this process if it has `only` some parts or `processes` is 1, else in several."""
    if only is not None and processes is not None:
        raise UsageError("--only and --processes exclude each other")
    count = processes or min(cores(), MOST_BY_DEFAULT)
    if only is None and count > 1:
        sys.exit(Supervisor(layout(count)).run())
    # A process loads its libraries only when it may begin: until the first one answers, the processors are its own.
    supervision = Supervision.begin()
    from entrypoints.cli.serving import serve as serve_here

    serve_here(only, supervision)


def cores(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Return the number of processors that this process may use: of the machine, and of the quota of a container."""
    count = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    with suppress(OSError, ValueError):
        quota, period = map(int, (cgroup / "cpu.max").read_text().split())
        count = min(count, max(1, quota // period))
    return count


def layout(processes: int) -> dict[str, str]:
    """Return the parts of each process by its name; more than three processes are further web processes."""
    if processes == 2:
        return {"web": "web", "background": "worker,projections"}
    webs = processes - 2
    names = ["web"] if webs == 1 else [f"web-{number}" for number in range(1, webs + 1)]
    return dict.fromkeys(names, "web") | {"worker": "worker", "projections": "projections"}


@dataclass
class LayoutEntry:
    """An entry of the layout, whose process may be another one after a crash or a reload."""

    name: str
    parts: str
    crashes: int = 0
    # When the process is to be started; None while it runs.
    due: float | None = 0.0


@dataclass(eq=False)
class Child:
    """A running process; `channel` ends with it."""

    entry: LayoutEntry
    process: subprocess.Popen[bytes]
    channel: socket.socket
    ready_at: float | None = None
    is_leaving: bool = False

    @classmethod
    def started(cls, entry: LayoutEntry) -> "Child":
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(  # noqa: S603 (our own program)
                [*COMMAND, entry.parts],
                env=os.environ | {VARIABLE: f"{theirs.fileno()} {entry.name}"},
                pass_fds=[theirs.fileno()],
                # Ctrl+C on a terminal reaches only the supervisor.
                process_group=0,
            )
        # Messages never block the supervisor, even if a process hangs.
        ours.setblocking(False)
        return cls(entry, process, ours)

    def tell(self, message: bytes, *listeners: socket.socket | None) -> None:
        """Send a message with sockets; it is dropped if the process has just ended."""
        descriptors = [listener.fileno() for listener in listeners if listener is not None]
        with suppress(OSError):
            socket.send_fds(self.channel, [message], descriptors)

    def stop(self) -> None:
        """Ask the process once to serve its last requests and to end."""
        if not self.is_leaving:
            self.is_leaving = True
            self.process.terminate()


class Supervisor:
    """Runs the processes of a layout until a signal or repeated crashes end the service."""

    def __init__(self, layout: dict[str, str]) -> None:
        self._entries = [LayoutEntry(name, parts) for name, parts in layout.items()]
        self._children: list[Child] = []
        self._listener = inherited_listener()
        # None until the first process has checked the environment.
        self._first: Child | None = None
        self._has_begun = False
        self._to_reload: list[LayoutEntry] = []
        self._replacement: Child | None = None
        self._stop_began: float | None = None
        self._failure: str | None = None
        self._exit_code = 0
        self._selector = selectors.DefaultSelector()

    def run(self) -> int:
        """Run until a signal ends it; return the exit code. CommandFailed if a process does not stay up."""
        self._receive_signals()
        while self._stop_began is None or self._children:
            # Read once, so that what falls due in between is done in the next turn.
            now = time.monotonic()
            self._do_what_is_due(now)
            for key, _ in self._selector.select(self._seconds_until_next(now)):
                key.data()
        if self._failure is not None:
            raise CommandFailed(self._failure)
        return self._exit_code

    def _receive_signals(self) -> None:
        signals, self._wakeup = socket.socketpair()
        for end in (signals, self._wakeup):
            end.setblocking(False)
        signal.set_wakeup_fd(self._wakeup.fileno())
        # The end of the terminal ends what was started there.
        hang_up = self._stop if sys.stdin is not None and sys.stdin.isatty() else self._reload
        actions = {signal.SIGTERM: self._stop, signal.SIGINT: self._stop, signal.SIGHUP: hang_up}
        for number in actions:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, lambda *_: None)

        def act() -> None:
            for number in signals.recv(100):
                if number in actions:
                    actions[signal.Signals(number)]()

        self._selector.register(signals, selectors.EVENT_READ, act)

    # Processes.

    def _start(self, entry: LayoutEntry) -> Child:
        entry.due = None
        child = Child.started(entry)
        self._children.append(child)
        self._selector.register(child.channel, selectors.EVENT_READ, lambda: self._hear(child))
        if self._has_begun:
            self._let_begin(child)
        elif self._first is None:
            self._first = child
            child.tell(FIRST, self._listener)
        return child

    def _let_begin(self, child: Child) -> None:
        child.tell(GO, self._listener if "web" in child.entry.parts else None)

    def _hear(self, child: Child) -> None:
        message, sockets = b"", list[int]()
        with suppress(OSError):
            message, sockets, *_ = socket.recv_fds(child.channel, 1, 1)
        match message:
            case b"":
                self._ended(child)
            case supervised.CHECKED:
                self._listener = socket.socket(fileno=sockets[0])
                self._has_begun = True
                for other in self._children:
                    if other is not child:
                        self._let_begin(other)
            case supervised.READY:
                self._ready(child)
            case supervised.GAVE_UP:
                self._stop(1)
            case supervised.ASK:
                self._connect_with_others(child)

    def _connect_with_others(self, child: Child) -> None:
        """Let every other process report to this one."""
        others = [other for other in self._children if other is not child and not other.is_leaving]
        with ExitStack() as ends:
            sockets = []
            for other in others:
                asking, reporting = (ends.enter_context(end) for end in socket.socketpair())
                other.tell(supervised.REPORT, reporting)
                sockets.append(asking)
            child.tell(supervised.REPORTS, *sockets)

    def _ready(self, child: Child) -> None:
        """Let the process take over its entry: the older one serves its last requests and ends."""
        child.ready_at = time.monotonic()
        for other in self._in(child.entry):
            if other is child:
                break
            other.stop()
        if child is self._replacement:
            self._reload_next()

    def _in(self, entry: LayoutEntry) -> list[Child]:
        return [child for child in self._children if child.entry is entry and not child.is_leaving]

    def _ended(self, child: Child) -> None:
        self._selector.unregister(child.channel)
        child.channel.close()
        code = child.process.wait()
        self._children.remove(child)
        if child is self._replacement and child.ready_at is None:
            log("error", "reload failed; the processes that did not end go on", name=child.entry.name, exit_code=code)
            self._replacement, self._to_reload = None, []
        if self._stop_began is not None:
            self._exit_code = self._exit_code or int(code not in CLEAN_EXITS)
        elif not self._has_begun and child is self._first:
            # The process has printed the reason.
            self._stop(code if code > 0 else 1)
        elif not child.is_leaving and not self._in(child.entry):
            self._crashed(child, code)

    def _crashed(self, child: Child, code: int) -> None:
        entry, now = child.entry, time.monotonic()
        was_stable = child.ready_at is not None and now - child.ready_at >= STABLE_SECONDS
        entry.crashes = 1 if was_stable else entry.crashes + 1
        if entry.crashes == MOST_CRASHES:
            self._failure = f"the process {entry.name} ended {MOST_CRASHES} times in a row, now with exit code {code}"
            self._stop(1)
            return
        pause = FIRST_PAUSE_SECONDS * 2 ** (entry.crashes - 1)
        log("error", "a process ended and is started again", name=entry.name, exit_code=code, pause_seconds=pause)
        entry.due = now + pause

    # Reload and stop.

    def _reload(self) -> None:
        """Replace the processes one after the other; each begins on the same socket before the old one ends."""
        if self._replacement is not None:
            replacement = self._replacement
            log(
                "warning",
                "a reload waits for a process that starts",
                name=replacement.entry.name,
                pid=replacement.process.pid,
            )
        elif self._has_begun and self._stop_began is None:
            log("info", "reload")
            self._to_reload = list(self._entries)
            self._reload_next()

    def _reload_next(self) -> None:
        self._replacement = self._start(self._to_reload.pop(0)) if self._to_reload else None

    def _stop(self, exit_code: int = 0) -> None:
        self._exit_code = self._exit_code or exit_code
        self._to_reload = []
        if self._stop_began is None:
            self._stop_began = time.monotonic()
            # Once the web processes have ended, clients are refused instead of waiting.
            if self._listener is not None:
                self._listener.close()

    def _do_what_is_due(self, now: float) -> None:
        if self._stop_began is None:
            for entry in self._entries:
                if entry.due is not None and entry.due <= now:
                    self._start(entry)
            return
        for part, seconds in STOP_ORDER:
            staying = [child for child in self._children if part in child.entry.parts]
            for child in staying:
                child.stop()
            if staying and now < self._stop_began + seconds:
                return
        for child in self._children:
            log("error", "did not stop in time", name=child.entry.name)
            child.process.kill()

    def _seconds_until_next(self, now: float) -> float | None:
        """Return the time until something is due, or None if only a signal or a process may be next."""
        if self._stop_began is None:
            moments = [entry.due for entry in self._entries if entry.due is not None]
        else:
            moments = [self._stop_began + seconds for _, seconds in STOP_ORDER]
        return min((moment - now for moment in moments if moment > now), default=None)


def log(level: str, event: str, **fields: object) -> None:
    """Log as the processes do."""
    line = {
        "event": event,
        "process": "supervisor",
        **fields,
        "level": level,
        "timestamp": datetime.now(UTC).isoformat(),
    }
    print(json.dumps(line), file=sys.stderr, flush=True)  # noqa: T201
