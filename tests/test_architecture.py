"""Imports point one way, and the core knows no technology."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("domain", "projections", "adapters", "entrypoints")


def imported(folder: str) -> set[str]:
    """The outermost names of all that the modules of a folder import."""
    names: set[str] = set()
    for file in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.partition(".")[0])
    return names - set(sys.stdlib_module_names)


def test_the_contracts_of_the_import_linter_are_kept():
    """In a process of its own: the linter changes the path that modules are found on."""
    lint = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run([sys.executable, "-c", lint], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


@pytest.mark.parametrize(
    ("folder", "known"),
    [
        ("domain", {"domain", "eventsourcing"}),
        ("projections", {"domain", "projections", "msgspec"}),
    ],
)
def test_the_core_knows_no_technology(folder: str, known: set[str]):
    assert imported(folder) <= known


def test_the_database_driver_is_known_to_adapters_and_to_what_builds_them_only():
    assert "psycopg" in imported("adapters")
    for folder in ("domain", "projections"):
        assert not {"psycopg", "psycopg_pool", "procrastinate"} & imported(folder)


def test_every_folder_that_ships_is_watched():
    packages = {file.parent.name for file in ROOT.glob("*/__init__.py")}
    assert packages - {"tests"} == set(FOLDERS)
