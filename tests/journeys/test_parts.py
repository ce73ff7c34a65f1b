"""Worker and projections without the web part answer health checks and serve metrics, and nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from entrypoints.http.openapi import document
from entrypoints.http.table import OPERATIONS
from tests.client import LiveService, eventually, free_port
from tests.entrypoints.http.contract import Contract
from tests.postgres import fresh_database
from tests.processes import STOP_SECONDS, serving_without_port

TOKEN = "what opens the metrics of every part"
PARTS = ("worker", "projections")
COMPOSE = Path(__file__).parents[2] / "docker-compose.yml"


@pytest.fixture(scope="module")
def database(server_url: str, migrated_template: str) -> Iterator[str]:
    with fresh_database(server_url, migrated_template) as url:
        yield url


@pytest.fixture(scope="module")
def parts(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, LiveService]]:
    """Run both parts on one machine, each on its own port."""
    data_dir = tmp_path_factory.mktemp("parts")
    with ExitStack() as stack:
        yield {
            only: stack.enter_context(LiveService(database, data_dir, frozenset({only}), metrics_token=TOKEN))
            for only in PARTS
        }


@pytest.fixture(params=PARTS)
def part(request: pytest.FixtureRequest, parts: dict[str, LiveService]) -> LiveService:
    return parts[request.param]


def test_each_part_answers_health_checks_like_the_web_part(part: LiveService):
    contract = Contract(document(OPERATIONS, "1", part.base_url))
    with part.client() as supervisor:
        for path in ("/health/live", "/health/db", "/health/ready"):
            answer = supervisor.get(path)
            assert answer.status_code == 200
            contract.check(answer)
    assert answer.json()["ready"] is True


def test_each_part_serves_its_own_metrics_with_the_token(parts: dict[str, LiveService]):
    for only, part in parts.items():
        with part.client() as nobody, part.client(TOKEN) as prometheus:
            metrics_text = prometheus.get("/metrics").text
            assert re.search(rf'^storyledger_info{{parts="{only}",version="[^"]+"}} 1.0$', metrics_text, re.MULTILINE)
            assert nobody.get("/metrics").status_code == 401


@pytest.mark.parametrize("path", ["/api/tickets/search", "/docs", "/openapi.json", "/sandbox", "/d/abc", "/nothing"])
def test_a_process_without_the_web_part_answers_nothing_else(part: LiveService, path: str):
    with part.client() as visitor:
        answer = visitor.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
        assert visitor.post("/api/tickets/create", json={}).status_code == 404


def test_the_health_check_of_the_compose_file_detects_a_process_that_is_not_ready(part: LiveService):
    [command] = re.findall(r'^ +- "(import os, urllib\.request.*)"$', COMPOSE.read_text(), re.MULTILINE)

    def checked(port: object) -> int:
        env = os.environ | {"PORT": str(port)}
        return subprocess.run([sys.executable, "-c", command], env=env, capture_output=True, check=False).returncode

    eventually(lambda: checked(part.settings.port) == 0)
    assert checked(free_port()) != 0


def test_the_compose_file_gives_every_process_a_port_and_a_health_check():
    text = COMPOSE.read_text()
    for part in ("web", *PARTS):
        [service] = re.findall(rf"^  {part}:\n((?:    .*\n|\n)+)", text, re.MULTILINE)
        assert f"serve, --only, {part}]" in service
        assert "healthcheck: *healthcheck" in service
    assert re.search(r"^    PORT: ", text, re.MULTILINE)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root sees the sockets of a process that hides its memory")
def test_a_process_without_a_port_setting_listens_on_no_port_and_exits_with_0(
    database: str, tmp_path: Path, parts: dict[str, LiveService]
):
    assert len(_listening(os.getpid())) >= len(parts)
    with serving_without_port("worker", tmp_path / "log", database_url=database, data_dir=tmp_path) as process:
        assert not _listening(process.pid)
        process.terminate()
        assert process.wait(STOP_SECONDS) == 0


def _listening(pid: int) -> set[str]:
    """Return the listening sockets of the process."""
    own = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            own.add(str(file.readlink()))
    tables = (Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()).splitlines()
    lines = [line.split() for line in tables if line.split()[3:4] == ["0A"]]
    return {inode for *_, inode in (words[:10] for words in lines) if f"socket:[{inode}]" in own}
