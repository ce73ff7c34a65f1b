"""A start loads the packages for a first request. The other packages are loaded right afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

from entrypoints.composition.warm_up import Loading
from tests.client import WAIT_SECONDS, eventually
from tests.processes import Serving

# Packages that only some requests need, each slow to load.
NEEDED_BY_SOME_REQUESTS = {
    "docx",
    "typst",
    "qrcode",
    "PIL",
    "stripe",
    "phonenumbers",
    "email_validator",
    "jinja2",
    "limits",
}
# Packages that are loaded in child processes, or only if a setting selects them.
NOT_IN_WEB_PROCESS = {
    "av",
    "numpy",
    "faster_whisper",
    "ctranslate2",
    "onnxruntime",
    "openai",
    "obstore",
    "redis",
    "opentelemetry",
}
# Packages for output on a terminal.
TERMINAL = {"rich", "pygments"}


# Prints the packages that the program has loaded so far.
PRINT_LOADED = "import json, sys\nprint(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"


def loaded(program: str, *arguments: str | Path) -> list[set[str]]:
    """Return the packages loaded by a program at each `PRINT_LOADED` and at its end."""
    tail = f"\n{PRINT_LOADED}\nimport os\nsys.stdout.flush()\nos._exit(0)"
    command = [sys.executable, "-c", program + tail, *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    # The service may have logged something in between, for example that it had to wait on a busy machine.
    return [set(json.loads(line)) for line in ran.stdout.splitlines() if line.startswith("[")]


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


def test_packages_that_only_some_requests_need_are_loaded_by_the_warm_up_after_the_start(
    migrated_url: str, tmp_path: Path
):
    at_start, warm = loaded(f"{SERVES}\n{PRINT_LOADED}\nfor load in service.loads:\n    load()", migrated_url, tmp_path)
    assert {"starlette", "psycopg", "structlog"} <= at_start
    assert not at_start & (NEEDED_BY_SOME_REQUESTS | NOT_IN_WEB_PROCESS)
    assert warm >= NEEDED_BY_SOME_REQUESTS


def test_help_loads_neither_the_service_nor_its_database():
    [packages] = loaded("import sys\nsys.argv = ['storyledger', '--help']\nimport entrypoints.cli")
    assert not packages & (
        NEEDED_BY_SOME_REQUESTS
        | NOT_IN_WEB_PROCESS
        | TERMINAL
        | {"psycopg", "starlette", "pydantic", "uvicorn", "structlog"}
    )


def test_a_process_names_its_address_and_ends_cleanly_if_it_is_stopped_at_once(migrated_url: str, tmp_path: Path):
    output = tmp_path / "output"
    with Serving(log=output, database_url=migrated_url, data_dir=tmp_path / "var") as serving:
        assert serving.stop() == 0
    assert "Storyledger runs at" in output.read_text()


def test_a_failed_preload_does_not_stop_the_others():
    loaded: list[str] = []

    def broken() -> None:
        raise ImportError

    loading = Loading([broken, lambda: loaded.append("next")], lambda: loaded.append("all"))
    loading.start()
    eventually(lambda: loaded == ["next", "all"])
    loading.stop()


def test_a_stopped_warm_up_loads_nothing_more():
    started, go_on = threading.Event(), threading.Event()
    loaded: list[str] = []

    def slow() -> None:
        started.set()
        go_on.wait(WAIT_SECONDS)
        loaded.append("slow")

    loading = Loading([slow, lambda: loaded.append("next")], lambda: loaded.append("all"))
    loading.start()
    assert started.wait(WAIT_SECONDS)
    stopping = threading.Thread(target=loading.stop)
    stopping.start()
    eventually(loading._stopping.is_set)
    go_on.set()
    stopping.join(WAIT_SECONDS)
    assert loaded == ["slow"]
