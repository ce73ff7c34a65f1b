"""The rules about imports and module length. `make check` runs this module without the fixtures of the suite."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("domain", "projections", "adapters", "entrypoints")
MAX_MODULE_LINES = 400
# The list of events is read as a whole, and `checker.py` is published as a single file.
LONG_MODULES = ("domain/events/__init__.py", "adapters/proof/checker.py")


def modules(root: Path) -> Iterator[Path]:
    for folder in FOLDERS:
        yield from (root / folder).rglob("*.py")


def imported_packages(folder: str) -> set[str]:
    """Return the top-level packages, without the standard library, that the modules of a folder import."""
    packages: set[str] = set()
    for module in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Import):
                packages |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                packages.add(node.module.partition(".")[0])
    return packages - set(sys.stdlib_module_names)


def reads_clock(code: str) -> bool:
    """Return True if the code uses the module `time`, or asks `datetime` or `date` for the present moment."""
    readings = r"import time|from time import .*|.*(datetime|date)\.(now|utcnow|today)"
    return any(
        re.fullmatch(readings, ast.unparse(node))
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Attribute)
    )


def long_modules(root: Path) -> list[str]:
    """Return the modules that are too long, as paths relative to `root`."""
    lengths = {module.relative_to(root).as_posix(): len(module.read_text().splitlines()) for module in modules(root)}
    return [path for path, lines in lengths.items() if lines > MAX_MODULE_LINES and not path.startswith(LONG_MODULES)]


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    # import-linter changes sys.path, so it runs in a process of its own.
    command = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run([sys.executable, "-c", command, "--no-cache"], cwd=root, capture_output=True, text=True)


def import_circle(root: Path) -> list[str]:
    """Return the modules of one import circle, or an empty list."""
    script = (
        "import sys, json, grimp; sys.path.insert(0, '.');"
        "graph = grimp.build_graph(*sys.argv[1:], cache_dir=None);"
        "print(json.dumps({m: list(graph.find_modules_directly_imported_by(m)) for m in graph.modules}))"
    )
    process = subprocess.run(
        [sys.executable, "-c", script, *FOLDERS], cwd=root, capture_output=True, text=True, check=True
    )
    try:
        TopologicalSorter(ast.literal_eval(process.stdout)).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_imports_follow_the_contracts():
    linted = lint_imports(ROOT)
    assert linted.returncode == 0, linted.stdout
    assert "0 broken" in linted.stdout


def test_no_modules_import_each_other_in_a_circle():
    assert import_circle(ROOT) == []


def test_no_module_is_longer_than_400_lines():
    assert long_modules(ROOT) == []


@pytest.mark.parametrize(
    ("folder", "allowed"),
    [
        ("domain", {"domain", "eventsourcing", "msgspec"}),
        ("projections", {"domain", "projections", "msgspec"}),
    ],
)
def test_domain_and_projections_import_no_technology(folder: str, allowed: set[str]):
    assert imported_packages(folder) <= allowed


@pytest.mark.parametrize(
    "code",
    [
        "from datetime import UTC, datetime\nat = datetime.now(UTC)",
        "import datetime\nday = datetime.date.today()",
        "from time import time_ns\nat = time_ns()",
        "import time\nat = time.time()",
    ],
)
def test_a_read_of_the_clock_is_found(code: str):
    assert reads_clock(code)


def test_the_domain_reads_no_clock():
    assert [str(module) for module in (ROOT / "domain").rglob("*.py") if reads_clock(module.read_text())] == []


def test_every_package_is_checked():
    packages = {module.parent.name for module in ROOT.glob("*/__init__.py")}
    assert packages - {"tests"} == set(FOLDERS)
