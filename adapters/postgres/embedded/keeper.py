"""Keeps one PostgreSQL server running for as long as somebody is attached to its folder.

A script of its own that needs only the standard library, because a server must not hang on the thread that
happened to start it: Linux sends the parent-death signal when that *thread* ends. The keeper has one thread, and
ends with the last process attached: all of them hold a shared lock on one file, the keeper waits for it alone.
No owner has to hand the server over, and nobody can forget to stop it.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
FAST_SHUTDOWN_SECONDS = 30
IMMEDIATE_SHUTDOWN_SECONDS = 10


class ServerEnded(Exception):
    """The server is gone without our doing."""


class Failure(Exception):
    """Why there is no server, in one line."""


def dying_with_us(death_signal: int) -> Callable[[], None] | None:
    """What a child runs before it becomes the program, so that our end reaches it; None where that cannot be."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    keeper = os.getpid()

    def prepare() -> None:
        prctl(PR_SET_PDEATHSIG, death_signal)
        if os.getppid() != keeper:
            os._exit(1)

    return prepare


class Keeper:
    def __init__(self, plan: dict[str, Any]) -> None:
        self.folder = Path(plan["folder"])
        self.bin_dir = Path(plan["bin_dir"])
        self.initdb_options: list[str] = plan["initdb"]
        self.settings: dict[str, str] = plan["settings"]
        self.files: dict[str, str] = plan["files"]
        self.socket_dir = Path(plan["socket_dir"])
        self.account: list[int] | None = plan["account"]
        self.server_lock: int = plan["server_lock"]
        self.cluster = self.folder / "cluster"
        self.log = os.open(self.folder / "server.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)

    def run(self) -> None:
        try:
            if not self.cluster.exists():
                self.initialise()
            self.write_files()
            with self.server() as server:
                try:
                    self.wait_until_nobody_is_attached(server)
                except ServerEnded:
                    return
                self.stop(server)
        finally:
            shutil.rmtree(self.socket_dir, ignore_errors=True)

    def initialise(self) -> None:
        """A new cluster appears whole or not at all."""
        unfinished = self.folder / f"cluster.new-{os.getpid()}"
        unfinished.mkdir(mode=0o700)
        self.give(unfinished)
        with self.start("initdb", unfinished, self.initdb_options, signal.SIGKILL, subprocess.PIPE) as initdb:
            said = initdb.communicate()[0].decode(errors="replace")
        if initdb.returncode:
            shutil.rmtree(unfinished, ignore_errors=True)
            lines = [line for line in said.splitlines() if "error:" in line or "FATAL:" in line]
            raise Failure(lines[0] if lines else f"initdb ended with status {initdb.returncode}")
        unfinished.rename(self.cluster)
        descriptor = os.open(self.folder, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)

    def write_files(self) -> None:
        """Replaced, never written through: the folder belongs to the server's account, and we may be root."""
        # Whoever holds the server lock knows that no server is left: this file is from one that was killed, and
        # its process id may be somebody else's by now. A server started by hand still meets the shared memory check.
        (self.cluster / "postmaster.pid").unlink(missing_ok=True)
        for name, text in self.files.items():
            fresh = self.cluster / f"{name}.new"
            fresh.unlink(missing_ok=True)
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
            self.give(fresh)
            fresh.replace(self.cluster / name)

    def give(self, path: Path) -> None:
        if self.account:
            os.chown(path, *self.account, follow_symlinks=False)

    def server(self) -> subprocess.Popen[bytes]:
        options = [part for name, value in self.settings.items() for part in ("-c", f"{name}={value}")]
        return self.start("postgres", self.cluster, options, signal.SIGINT, self.log)

    def start(
        self, program: str, cluster: Path, options: list[str], death_signal: int, output: int
    ) -> subprocess.Popen[bytes]:
        """The program as the server's account, which may not be able to pass the folders above the cluster."""
        descriptor = os.open(cluster, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        identity: dict[str, Any] = {}
        if self.account:
            user, group = self.account
            identity = {"user": user, "group": group, "extra_groups": [group]}
            if Path("/proc/self/fd").is_dir():
                cluster = Path(f"/proc/self/fd/{descriptor}")
        try:
            return subprocess.Popen(  # noqa: S603 (our own program)
                [str(self.bin_dir / program), "-D", str(cluster), *options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=[descriptor, self.server_lock],
                preexec_fn=dying_with_us(death_signal),
                cwd="/",
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
                **identity,
            )
        finally:
            os.close(descriptor)

    def wait_until_nobody_is_attached(self, server: subprocess.Popen[bytes]) -> None:
        def look(*_: object) -> None:
            if server.poll() is not None:
                raise ServerEnded

        attached = os.open(self.folder / "attached.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        signal.signal(signal.SIGCHLD, look)
        # A signal that comes just before the call blocks is only seen at the next one.
        signal.signal(signal.SIGALRM, look)
        signal.setitimer(signal.ITIMER_REAL, 1, 1)
        look()
        fcntl.flock(attached, fcntl.LOCK_EX)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)

    def stop(self, server: subprocess.Popen[bytes]) -> None:
        for order, seconds in (
            (signal.SIGINT, FAST_SHUTDOWN_SECONDS),
            (signal.SIGQUIT, IMMEDIATE_SHUTDOWN_SECONDS),
        ):
            server.send_signal(order)
            try:
                server.wait(seconds)
                return
            except subprocess.TimeoutExpired:
                continue
        server.kill()


def main() -> None:
    plan = json.loads(sys.argv[1])
    report: int = plan["report"]
    if os.fork():
        os._exit(0)  # whoever started us waits for this process, and never has to reap the other
    os.setsid()
    for ignored in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, lambda *_: None)  # not SIG_IGN: the server would inherit that
    for inherited in (report, plan["server_lock"]):
        os.set_inheritable(inherited, False)
    try:
        keeper = Keeper(plan)
        os.dup2(keeper.log, 1)
        os.dup2(keeper.log, 2)
        keeper.run()
    except (Failure, OSError, subprocess.SubprocessError) as failure:
        os.write(report, str(failure).encode())


if __name__ == "__main__":
    main()
