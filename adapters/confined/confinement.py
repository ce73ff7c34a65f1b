"""Confines the process that reads strangers' bytes: an account of its own, no network, no other program, few files.

What the kernel lacks or does not permit is left out, and `confine` returns what is in force. Linux offers
no-new-privileges since version 3.5, filters of system calls for all threads since 3.17, and Landlock since 5.13. The
filter is written for x86_64 and aarch64. On macOS only the account changes, if the service runs as root.
"""

import ctypes
import os
import struct
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

from adapters.confined.system_calls import refuse_system_calls


class Measure(StrEnum):
    """The protections that may be in force, in words for the log and the operator."""

    OWN_ACCOUNT = "own account"
    NO_NEW_PRIVILEGES = "no new privileges"
    FEW_FILES = "few readable files"
    OWN_NETWORK = "network of its own, without any link"
    FEW_SYSTEM_CALLS = "no system call that opens a connection, starts a program or changes a file"


def is_harmless(in_force: Iterable[Measure]) -> bool:
    """Return True if a confined process can open no connection, change no file, and read nothing of the service."""
    return Measure.FEW_SYSTEM_CALLS in in_force and not {Measure.FEW_FILES, Measure.OWN_ACCOUNT}.isdisjoint(in_force)


# Accounts that belong to nobody: the range from which systemd takes its dynamic users (systemd.io/UIDS-GIDS). The
# account named `nobody` may be that of the embedded PostgreSQL. Each process gets another one, by its id.
FIRST_ACCOUNT, ACCOUNTS = 61_184, 4_336

PR_SET_NO_NEW_PRIVS = 38
CLONE_NEWNET = 0x4000_0000


def confine(needed: Sequence[Path], optional: Sequence[Path]) -> list[Measure]:
    """Give up the rights of this process for ever, and return the measures in force.

    Call it when libraries are loaded. Open descriptors stay usable, and files below `needed` and `optional` can be
    opened for reading, as far as their permissions allow. The account changes only if everybody may read what is
    needed.
    """
    in_force = []
    if _forbid_new_privileges():
        in_force.append(Measure.NO_NEW_PRIVILEGES)
        # Before the change of the account, which may not reach these folders.
        if _restrict_files([*needed, *optional]):
            in_force.append(Measure.FEW_FILES)
    if _leave_network():
        in_force.append(Measure.OWN_NETWORK)
    if all(map(_everybody_reads, needed)) and _change_account():
        in_force.append(Measure.OWN_ACCOUNT)
    if Measure.NO_NEW_PRIVILEGES in in_force and refuse_system_calls():
        in_force.append(Measure.FEW_SYSTEM_CALLS)
    return in_force


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _forbid_new_privileges() -> bool:
    return sys.platform == "linux" and bool(_libc().prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)


def _leave_network() -> bool:
    return sys.platform == "linux" and bool(_libc().unshare(CLONE_NEWNET) == 0)


def _everybody_reads(path: Path) -> bool:
    """Return True if any account may open the file or folder, by the permissions of it and of the folders above."""
    if not path.exists():
        return True  # nothing is missed there
    # Links are followed, but the folders above the link count as well.
    folders = {*path.parents, *path.resolve().parents}
    right = 0o005 if path.is_dir() else 0o004
    return all(folder.stat().st_mode & 0o001 for folder in folders) and path.stat().st_mode & right == right


def _change_account() -> bool:
    account = FIRST_ACCOUNT + os.getpid() % ACCOUNTS
    try:
        os.setgroups([])
        os.setgid(account)
        os.setuid(account)
    except OSError:  # we are not root, or the account does not exist in this user namespace
        return False
    return True


# Landlock: https://docs.kernel.org/userspace-api/landlock.html

LANDLOCK_CREATE_RULESET, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT_SELF = 444, 445, 446  # on every architecture
LANDLOCK_CREATE_RULESET_VERSION = 1
LANDLOCK_RULE_PATH_BENEATH = 1
READ_FILE, READ_DIR = 1 << 2, 1 << 3
# How many rights over files and over TCP each version of Landlock knows. A later version knows at least the last.
FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
NETWORK_RIGHTS = {4: 2}
# Signals and abstract sockets stay within the process since version 6.
SCOPES = {6: 2}


def _restrict_files(readable: Iterable[Path]) -> bool:
    if sys.platform != "linux":
        return False
    libc = _libc()
    version = libc.syscall(LANDLOCK_CREATE_RULESET, None, 0, LANDLOCK_CREATE_RULESET_VERSION)
    if version < 1:
        return False
    handled = [
        (1 << max((count for since, count in rights.items() if since <= version), default=0)) - 1
        for rights in (FILE_RIGHTS, NETWORK_RIGHTS, SCOPES)
    ]
    # A version knows only the fields that it has rights for.
    attributes = struct.pack("=3Q", *handled)[: 8 if version < 4 else 16 if version < 6 else 24]
    ruleset = libc.syscall(LANDLOCK_CREATE_RULESET, attributes, len(attributes), 0)
    if ruleset < 0:
        return False
    try:
        for path in readable:
            _allow_reading(libc, ruleset, path)
        return bool(libc.syscall(LANDLOCK_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _allow_reading(libc: ctypes.CDLL, ruleset: int, path: Path) -> None:
    with suppress(OSError):  # a folder that does not exist here
        descriptor = os.open(path, os.O_PATH)
        rights = READ_FILE | READ_DIR if path.is_dir() else READ_FILE
        rule = struct.pack("=Qi", rights, descriptor)
        libc.syscall(LANDLOCK_ADD_RULE, ruleset, LANDLOCK_RULE_PATH_BENEATH, rule, 0)
        os.close(descriptor)
