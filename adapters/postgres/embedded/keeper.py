"""The keeper: a process that runs one PostgreSQL server while any process is attached to its folder.

Every attached process holds a shared lock on one file. The keeper waits for the exclusive lock, which it gets when the
last of them has ended in any way, and then stops the server. It is a process of its own, and a script that needs only
the standard library, because Linux sends the parent-death signal when the *thread* ends that started the child, and a
thread of the application may end long before the application.
"""

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
    """The server ended although it was not stopped."""


class Failure(Exception):
    """The server cannot run; the message is one line."""


def dying_with_us(death_signal: int) -> Callable[[], None] | None:
    """Return the function that a child runs before the program, so that it gets a signal when the keeper ends.

    None on systems other than Linux.
    """
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
                    self.wait_until_last_process_detached(server)
                except ServerEnded:
                    return
                self.stop(server)
        finally:
            shutil.rmtree(self.socket_dir, ignore_errors=True)

    def initialise(self) -> None:
        """Create the cluster under another name and rename it, so that no incomplete cluster is left behind."""
        unfinished = self.folder / f"cluster.new-{os.getpid()}"
        unfinished.mkdir(mode=0o700)
        self.change_owner(unfinished)
        with self.start("initdb", unfinished, self.initdb_options, signal.SIGKILL, subprocess.PIPE) as initdb:
            output = initdb.communicate()[0].decode(errors="replace")
        if initdb.returncode:
            shutil.rmtree(unfinished, ignore_errors=True)
            lines = [line for line in output.splitlines() if "error:" in line or "FATAL:" in line]
            raise Failure(lines[0] if lines else f"initdb ended with status {initdb.returncode}")
        unfinished.rename(self.cluster)
        descriptor = os.open(self.folder, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)

    def write_files(self) -> None:
        """Replace the files and never write through them: root must not follow a link of the server's account."""
        # The keeper holds the server lock, so no server is running, and this file is left from one that was killed; its
        # process id may belong to another process by now. A server started by hand is detected by its shared memory.
        (self.cluster / "postmaster.pid").unlink(missing_ok=True)
        for name, text in self.files.items():
            fresh = self.cluster / f"{name}.new"
            fresh.unlink(missing_ok=True)
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
            self.change_owner(fresh)
            fresh.replace(self.cluster / name)

    def change_owner(self, path: Path) -> None:
        if self.account:
            os.chown(path, *self.account, follow_symlinks=False)

    def server(self) -> subprocess.Popen[bytes]:
        options = [part for name, value in self.settings.items() for part in ("-c", f"{name}={value}")]
        return self.start("postgres", self.cluster, options, signal.SIGINT, self.log)

    def start(
        self, program: str, cluster: Path, options: list[str], death_signal: int, output: int
    ) -> subprocess.Popen[bytes]:
        """Start the program as the server's account, which may have no access to the folders above the cluster."""
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

    def wait_until_last_process_detached(self, server: subprocess.Popen[bytes]) -> None:
        def check(*_: object) -> None:
            if server.poll() is not None:
                raise ServerEnded

        attached = os.open(self.folder / "attached.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        signal.signal(signal.SIGCHLD, check)
        # A SIGCHLD that arrives just before `flock` blocks would be missed, so a timer repeats the check every second.
        signal.signal(signal.SIGALRM, check)
        signal.setitimer(signal.ITIMER_REAL, 1, 1)
        check()
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
        os._exit(0)  # the application waits for this process, so that it never has to reap the keeper
    os.setsid()
    for ignored in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, lambda *_: None)  # not SIG_IGN, which the server would inherit
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
