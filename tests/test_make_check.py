"""`make check` reports each kind of fault, each in a small tree of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_architecture import FOLDERS, MAX_MODULE_LINES, ROOT, import_circle, lint_imports, long_modules

TYPED_FOLDERS = (*FOLDERS, "tests/domain", "tests/projections")


def write(root: Path, module: str, source: str) -> None:
    (root / module).parent.mkdir(parents=True, exist_ok=True)
    (root / module).write_text(source)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a tree with the four empty packages and the project's tool settings."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for folder in FOLDERS:
        write(tmp_path, f"{folder}/__init__.py", "")
    return tmp_path


def recipe_of(*arguments: str) -> str:
    command = ["make", "--dry-run", "--no-print-directory", *arguments]
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("arguments", "command"),
    [([], "demo"), (["--keep"], "demo --keep"), (["KEEP=1"], "demo --keep"), (["-j2"], "demo")],
)
def test_the_demo_of_make_is_kept_if_that_is_asked_for(arguments: list[str], command: str):
    assert f"/storyledger {command}\n" in recipe_of("demo", *arguments).replace(" \n", "\n")


def test_make_check_runs_every_check():
    recipe = recipe_of("check")
    for check in ("ruff check", "ruff format --check", "mypy", "tests/test_architecture.py"):
        assert check in recipe


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("projections/upward.py", "import adapters.postgres\n"),
        ("adapters/upward.py", "def connect() -> None:\n    import entrypoints.cli\n"),
        ("domain/unnamed.py", ""),
    ],
    ids=[
        "a projection imports an adapter",
        "a function of an adapter imports an entrypoint",
        "an unnamed domain module",
    ],
)
def test_an_upward_import_or_an_unnamed_domain_module_breaks_a_contract(tree: Path, module: str, source: str):
    for folder in ("domain", "projections"):
        shutil.copytree(ROOT / folder, tree / folder, dirs_exist_ok=True)
    write(tree, "adapters/postgres.py", "")
    for module_name in ("cli", "http", "composition", "presentation"):
        write(tree, f"entrypoints/{module_name}.py", "")
    assert lint_imports(tree).returncode == 0, lint_imports(tree).stdout
    write(tree, module, source)
    linted = lint_imports(tree)
    assert linted.returncode != 0
    assert module.removesuffix(".py").replace("/", ".") in linted.stdout


def test_an_import_circle_is_named(tree: Path):
    assert import_circle(tree) == []
    write(tree, "adapters/egg.py", "import adapters.hen\n")
    write(tree, "adapters/hen.py", "def lay() -> None:\n    import adapters.egg\n")
    assert set(import_circle(tree)) == {"adapters.egg", "adapters.hen"}


def test_a_module_of_401_lines_is_named(tree: Path):
    write(tree, "adapters/long.py", "\n" * MAX_MODULE_LINES)
    assert long_modules(tree) == []
    write(tree, "adapters/long.py", "\n" * (MAX_MODULE_LINES + 1))
    assert long_modules(tree) == ["adapters/long.py"]


@pytest.mark.slow
def test_type_errors_in_source_and_in_tests_of_domain_and_projections_are_named(tree: Path):
    for folder in TYPED_FOLDERS:
        write(tree, f"{folder}/broken.py", "def count():\n    number: int = 'three'\n    return number\n")
    checked = subprocess.run([sys.executable, "-m", "mypy"], cwd=tree, capture_output=True, text=True)
    assert checked.returncode != 0
    for folder in TYPED_FOLDERS:
        assert f"{folder}/broken.py:2: error: Incompatible types" in checked.stdout
