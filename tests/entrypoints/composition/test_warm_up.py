"""A start loads what a first request needs; the rest is loaded soon after, before anybody asks for it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

from entrypoints.composition.warm_up import Loading
from tests.client import WAIT_SECONDS, eventually
from tests.processes import Serving

# What people ask of the web part now and then, each of it slow to load.
ASKED_FOR = {"docx", "typst", "qrcode", "PIL", "stripe", "phonenumbers", "email_validator", "jinja2", "limits"}
# What works in a process of its own, or not at all unless it is chosen.
ELSEWHERE = {"av", "numpy", "pocketsphinx", "openai", "obstore", "redis", "opentelemetry"}
# What only the terminal shows.
TERMINAL = {"rich", "pygments"}


# A program prints which packages it has loaded so far.
TELL = "import json, sys\nprint(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"


def loaded(program: str, *arguments: str | Path) -> list[set[str]]:
    """The packages that a process has loaded wherever it tells, and in the end."""
    tail = f"\n{TELL}\nimport os\nsys.stdout.flush()\nos._exit(0)"
    command = [sys.executable, "-c", program + tail, *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return [set(json.loads(line)) for line in ran.stdout.splitlines()]


SERVES = """
import sys
from pathlib import Path
from entrypoints.cli.serving import server
from entrypoints.composition.service import Service
from entrypoints.composition.settings import Settings
service = Service(Settings(data_dir=Path(sys.argv[2])), sys.argv[1])
service.start()
server(service)
"""


def test_what_only_some_requests_need_is_loaded_after_the_start_by_the_warm_up(migrated_url: str, tmp_path: Path):
    at_start, warm = loaded(f"{SERVES}\n{TELL}\nfor load in service.loads:\n    load()", migrated_url, tmp_path)
    assert {"starlette", "psycopg", "structlog"} <= at_start
    assert not at_start & (ASKED_FOR | ELSEWHERE)
    assert warm >= ASKED_FOR


def test_help_loads_neither_the_service_nor_its_database():
    [found] = loaded("import sys\nsys.argv = ['storyledger', '--help']\nimport entrypoints.cli")
    assert not found & (ASKED_FOR | ELSEWHERE | TERMINAL | {"psycopg", "starlette", "pydantic", "uvicorn", "structlog"})


def test_a_process_that_is_stopped_at_once_ends_cleanly(migrated_url: str, tmp_path: Path):
    with Serving(database_url=migrated_url, data_dir=tmp_path) as serving:
        assert serving.stop() == 0


def test_a_failed_preload_does_not_stop_the_others():
    loaded: list[str] = []

    def broken() -> None:
        raise ImportError

    loading = Loading([broken, lambda: loaded.append("next")], lambda: loaded.append("all"))
    loading.start()
    eventually(lambda: loaded == ["next", "all"])
    loading.stop()


def test_nothing_is_begun_any_more_once_it_is_told_to_stop():
    begun, go = threading.Event(), threading.Event()
    loaded: list[str] = []

    def slow() -> None:
        begun.set()
        go.wait(WAIT_SECONDS)
        loaded.append("slow")

    loading = Loading([slow, lambda: loaded.append("next")], lambda: loaded.append("all"))
    loading.start()
    assert begun.wait(WAIT_SECONDS)
    stopping = threading.Thread(target=loading.stop)
    stopping.start()
    eventually(loading._stopping.is_set)
    go.set()
    stopping.join(WAIT_SECONDS)
    assert loaded == ["slow"]
