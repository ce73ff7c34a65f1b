"""A start loads what a first request needs; the rest is loaded soon after, before anybody asks for it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

# What people ask of the web part now and then, each of it slow to load.
ASKED_FOR = {"docx", "typst", "qrcode", "PIL", "stripe", "phonenumbers", "email_validator", "jinja2", "limits"}
# What works in a process of its own, or not at all unless it is chosen.
ELSEWHERE = {"av", "numpy", "pocketsphinx", "openai", "obstore", "redis", "opentelemetry"}
# What only the terminal shows.
TERMINAL = {"rich", "pygments"}


def loaded(program: str, *arguments: str | Path) -> set[str]:
    """The packages that a process has loaded in the end."""
    tail = "\nimport json, os, sys\nprint(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    tail += "\nsys.stdout.flush()\nos._exit(0)"
    command = [sys.executable, "-c", program + tail, *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return set(json.loads(ran.stdout))


SERVES = """
import sys
from pathlib import Path
from entrypoints.light import load_logging
load_logging()
from entrypoints.serving import server
from entrypoints.bootstrap import Service
from entrypoints.settings import Settings
service = Service(Settings(data_dir=Path(sys.argv[2])), sys.argv[1])
service.start()
server(service)
"""


def test_the_start_loads_nothing_that_only_some_requests_need(migrated_url: str, tmp_path: Path):
    found = loaded(SERVES, migrated_url, tmp_path)
    assert {"starlette", "psycopg", "structlog"} <= found
    assert not found & (ASKED_FOR | ELSEWHERE | TERMINAL)


def test_what_the_start_left_out_is_there_once_the_rest_is_loaded(migrated_url: str, tmp_path: Path):
    found = loaded(f"{SERVES}\nfor load in service.loads:\n    load()", migrated_url, tmp_path)
    assert found >= ASKED_FOR


def test_help_loads_neither_the_service_nor_its_database():
    found = loaded("import sys\nsys.argv = ['storyledger', '--help']\nimport entrypoints.cli")
    assert not found & (ASKED_FOR | ELSEWHERE | TERMINAL | {"psycopg", "starlette", "pydantic", "uvicorn", "structlog"})


def test_logs_do_not_load_what_draws_on_terminals_and_commands_still_can():
    program = "from entrypoints.light import load_logging\nload_logging()"
    assert not loaded(program) & TERMINAL
    assert "rich" in loaded(f"{program}\nfrom entrypoints.cli.console import Bar\nBar(shown=False)")
