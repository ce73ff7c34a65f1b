"""Worker and projections in processes of their own: a supervisor asks each how it is, and gets nothing else of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx2
import pytest

from entrypoints.http.openapi import document
from entrypoints.http.table import OPERATIONS
from tests.client import eventually, free_port
from tests.entrypoints.http.contract import Contract
from tests.postgres import fresh_database
from tests.processes import STORYLEDGER, Serving, environment

TOKEN = "what opens the metrics of every part"
PARTS = ("worker", "projections")
COMPOSE = Path(__file__).parents[2] / "docker-compose.yml"


@pytest.fixture(scope="module")
def database(server_url: str, migrated_template: str) -> Iterator[str]:
    with fresh_database(server_url, migrated_template) as url:
        yield url


@pytest.fixture(scope="module")
def parts(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Serving]]:
    """Both parts on one machine, each with a port of its own."""
    env = {"database_url": database, "data_dir": tmp_path_factory.mktemp("parts"), "metrics_token": TOKEN}
    with ExitStack() as stack:
        running = {only: stack.enter_context(Serving(only, **env)) for only in PARTS}
        for serving in running.values():
            serving.wait_until_ready()
        yield running


@pytest.fixture(params=PARTS)
def part(request: pytest.FixtureRequest, parts: dict[str, Serving]) -> Serving:
    return parts[request.param]


def test_each_process_answers_health_checks_like_the_web_process(part: Serving):
    contract = Contract(document(OPERATIONS, "1", part.url))
    for path in ("/health/live", "/health/db", "/health/ready"):
        answer = httpx2.get(part.url + path)
        assert answer.status_code == 200
        contract.check(answer)
    assert answer.json()["ready"] is True


def test_each_process_serves_its_own_metrics_with_the_token(parts: dict[str, Serving]):
    for only, part in parts.items():
        told = httpx2.get(f"{part.url}/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert re.search(rf'^storyledger_info{{parts="{only}",version="[^"]+"}} 1.0$', told.text, re.MULTILINE)
        assert httpx2.get(f"{part.url}/metrics").status_code == 401


@pytest.mark.parametrize("path", ["/api/tickets/search", "/docs", "/openapi.json", "/sandbox", "/d/abc", "/nothing"])
def test_a_process_without_the_web_part_answers_nothing_else(part: Serving, path: str):
    answer = httpx2.get(part.url + path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert httpx2.post(f"{part.url}/api/tickets/create", json={}).status_code == 404


def test_the_health_check_of_the_compose_file_detects_a_process_that_is_not_ready(part: Serving):
    [command] = re.findall(r'^ +- "(import os, urllib\.request.*)"$', COMPOSE.read_text(), re.MULTILINE)

    def checked(port: object) -> int:
        env = os.environ | {"PORT": str(port)}
        return subprocess.run([sys.executable, "-c", command], env=env, capture_output=True, check=False).returncode

    assert checked(part.settings["port"]) == 0
    assert checked(free_port()) != 0


def test_the_compose_file_gives_every_process_a_port_and_a_health_check():
    text = COMPOSE.read_text()
    for part in ("web", *PARTS):
        [service] = re.findall(rf"^  {part}:\n((?:    .*\n|\n)+)", text, re.MULTILINE)
        assert f"serve, --only, {part}]" in service
        assert "healthcheck: *healthcheck" in service
    assert re.search(r"^    PORT: ", text, re.MULTILINE)


def test_a_process_without_a_port_setting_listens_on_no_port(database: str, tmp_path: Path, parts: dict[str, Serving]):
    assert all(len(_listening(one.process.pid)) == 1 for one in parts.values())
    env = environment({"database_url": database, "data_dir": tmp_path, "log_level": "INFO"})
    env.pop("PORT", None)
    log = tmp_path / "log"
    with log.open("wb") as told:
        process = subprocess.Popen([STORYLEDGER, "serve", "--only", "worker"], env=env, stdout=told, stderr=told)
    try:
        eventually(lambda: b'"started"' in log.read_bytes())
        assert not _listening(process.pid)
    finally:
        process.terminate()
        assert process.wait(15) == 0


def test_a_worker_that_is_stopped_exits_with_0(database: str, tmp_path: Path):
    with Serving("worker", database_url=database, data_dir=tmp_path) as part:
        part.wait_until_ready()
        assert part.stop() == 0


def _listening(pid: int) -> set[str]:
    """The sockets on which the process waits for others to connect."""
    own = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            own.add(str(file.readlink()))
    tables = (Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()).splitlines()
    lines = [line.split() for line in tables if line.split()[3:4] == ["0A"]]
    return {inode for *_, inode in (words[:10] for words in lines) if f"socket:[{inode}]" in own}
