"""The process that decodes strangers' recordings can do nothing else, tried from inside a real one."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
import tempfile
from pathlib import Path

import pytest

from adapters.confined import child_process
from adapters.confined.child_process import Limits, measures_in_force, run_child
from adapters.confined.confinement import (
    ACCOUNTS,
    FIRST_ACCOUNT,
    LANDLOCK_CREATE_RULESET,
    LANDLOCK_CREATE_RULESET_VERSION,
    Measure,
)
from tests.fakes import intruder

LINUX = sys.platform == "linux" and platform.machine() in intruder.TGKILL
pytestmark = pytest.mark.skipif(not LINUX, reason="system calls are refused under Linux on x86_64 and aarch64")

HAS_LANDLOCK = (
    LINUX and ctypes.CDLL(None).syscall(LANDLOCK_CREATE_RULESET, None, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0
)
needs_landlock = pytest.mark.skipif(not HAS_LANDLOCK, reason="the kernel has no Landlock")
needs_root = pytest.mark.skipif(not LINUX or os.geteuid() != 0, reason="only root changes the account")


@pytest.fixture(scope="module")
def outcomes() -> dict[str, object]:
    """The results of the intruder's attempts, in a folder where everybody may do everything."""
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name)
        for file in ("secret", "model"):
            (folder / file).write_text(file)
            (folder / file).chmod(0o666)
        folder.chmod(0o777)
        patch.setattr(child_process, "START", intruder.START)
        with (folder / "model").open("rb") as recording:
            arguments, limits = {"folder": name}, Limits(30, 60, 512)
            outcomes: dict[str, object] = run_child("", recording, arguments, limits, readable=[folder / "model"])
        assert sorted(path.name for path in folder.iterdir()) == ["model", "secret"]
        assert (folder / "secret").read_text() == "secret"
    return outcomes


@pytest.mark.parametrize(
    "attempt",
    [
        "open a connection",
        "open a local connection",
        "start a program",
        "start a process",
        "signal the service",
        "signal a thread of the service",
        "limit the service",
        "create a file",
        "change a file",
        "delete a file",
        "move a file",
        "open a file for everybody",
        "remove memory that processes share",
        "change the attributes of a file",
    ],
)
def test_it_is_refused_to(outcomes: dict[str, object], attempt: str) -> None:
    assert outcomes[attempt] in ("EPERM", "EACCES")


@needs_landlock
@pytest.mark.parametrize("attempt", ["read a file", "list a folder", "read the service's environment"])
def test_with_landlock_it_is_refused_to(outcomes: dict[str, object], attempt: str) -> None:
    assert outcomes[attempt] == "EACCES"


def test_it_reads_files_that_its_job_names_and_starts_threads(outcomes: dict[str, object]) -> None:
    assert outcomes["read a file that is named"] == "model"
    assert outcomes["start a thread"] == "done"


def test_it_has_no_secret_in_its_environment_and_leaves_no_core_file(outcomes: dict[str, object]) -> None:
    variables = outcomes["variables"]
    assert isinstance(variables, list)
    assert set(variables) <= {*child_process.KEPT_ENVIRONMENT, "OPENBLAS_NUM_THREADS", "LC_CTYPE"}
    assert outcomes["core"] == [0, 0]


@needs_root
def test_under_root_it_has_an_account_that_belongs_to_nobody_and_no_way_back(outcomes: dict[str, object]) -> None:
    assert outcomes["account"] in range(FIRST_ACCOUNT, FIRST_ACCOUNT + ACCOUNTS)
    assert outcomes["groups"] == []
    assert outcomes["become root"] == "EPERM"


@needs_root
def test_the_account_stays_if_another_one_could_not_read_the_model(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    assert Measure.OWN_ACCOUNT not in measures_in_force([tmp_path])


def test_it_reports_the_measures_that_are_in_force() -> None:
    in_force = measures_in_force()
    assert {Measure.NO_NEW_PRIVILEGES, Measure.FEW_SYSTEM_CALLS} <= set(in_force)
    assert (Measure.FEW_FILES in in_force) == HAS_LANDLOCK
    if os.geteuid() == 0:
        assert Measure.OWN_ACCOUNT in in_force
