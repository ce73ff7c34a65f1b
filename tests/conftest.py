"""Fixtures for every test: a real PostgreSQL, migrated and empty, and the service on it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from playwright.sync_api import Browser

import projections
from adapters import stripe_sandbox
from adapters.health.self_test import runner
from adapters.observability import gauges
from adapters.postgres import database as postgres_database
from adapters.postgres import migrations, watchdog
from adapters.postgres.database import Database, connect
from adapters.read_models import rebuild
from adapters.stripe_sandbox import PaymentTiming
from adapters.stripe_sandbox import service as sandbox_service
from entrypoints.composition.gc_tuning import hold, settle
from entrypoints.composition.service import Parts, Service
from entrypoints.composition.settings import Settings
from entrypoints.http import server
from entrypoints.http.handlers import health, metrics
from tests.browser import started_browser
from tests.client import Client, LiveService
from tests.examples import IN_A_SOAK, IN_THE_SUITE
from tests.postgres import fresh_database, roomy_folder, template_database, test_server

# Until all tests are collected, which otherwise takes a tenth longer.
hold()

# The folders of `tmp_path` are in memory if there is enough, so that nothing waits for a disk.
os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(roomy_folder()))

# The same examples in every run, and no time limit for generating them, because the machine may be busy.
settings.register_profile(
    "suite",
    max_examples=IN_THE_SUITE,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
# Different examples in every run.
settings.register_profile("soak", settings.get_profile("suite"), max_examples=IN_A_SOAK, derandomize=False)
settings.load_profile("suite")

# A service in the tests' process waits longer than a real one before it takes a busy machine for an outage. Tests
# of these limits set their own.
postgres_database.CONNECT_SECONDS = postgres_database.WAIT_FOR_CONNECTION_SECONDS = 60
watchdog.ANSWER_SECONDS = gauges.STATEMENT_SECONDS = runner.STATEMENT_SECONDS = 30
# Its pools open a connection when one is needed. They would open five at once, of which most tests need one.
postgres_database.READY_CONNECTIONS = 0
# A service in the tests' process is stopped when all its answers have arrived.
server.IDLE_GRACE_SECONDS = 0.0
health.PROBE_TIMEOUT_SECONDS = metrics.QUERY_TIMEOUT_SECONDS = 30

# The sandbox of a service in the tests' process reports a balance transaction at once, not after a second.
sandbox_service.PaymentTiming = partial(PaymentTiming, settlement=0)  # type: ignore[misc, assignment]

# Tests that start processes, kill them, run whole journeys or take several seconds each; `make test-quick` skips them.
SLOW = (
    "journeys/",
    "oracle/",
    "releases/",
    "adapters/backup/",
    "adapters/observability/test_tracing.py",
    "adapters/postgres/test_embedded.py",
    "adapters/read_models/test_cut_off.py",
    "adapters/read_models/test_follow.py",
    "adapters/speech/test_inspector.py",
    "adapters/speech/test_local_transcriber.py",
    "entrypoints/http/test_fuzz.py",
    "entrypoints/http/test_hostile",
    "entrypoints/http/test_limits_shared.py",
    "entrypoints/http/test_timing.py",
    "entrypoints/http/test_uploads.py",
)


# The browser that runs in this process now, if any, and how to close it.
_browser: Browser | None = None
_running_browser = ExitStack()


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    folder = f"{Path(__file__).parent}/"
    for item in items:
        if _needs_browser(item):
            item.add_marker(pytest.mark.browser)
        # Strings, because paths of thousands of tests take a second.
        if str(item.path).removeprefix(folder).startswith(SLOW):
            item.add_marker(pytest.mark.slow)
    yield  # pytest takes out the tests that are not selected
    items[:] = in_order(items, getattr(config, "workerinput", {}).get("workercount", 1))


def in_order(items: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """Return the tests in an order in which every worker begins with those in a browser, followed by other slow ones.

    xdist gives each worker an equal part of the list, from the end of which others steal when they have none left. The
    last tests of the run are then short, so that no worker waits for another one's long test.
    """
    in_browser = [item for item in items if _needs_browser(item)]
    slow = [item for item in items if _is_slow(item) and not _needs_browser(item)]
    quick = [item for item in items if not _is_slow(item) and not _needs_browser(item)]
    ordered: list[pytest.Item] = []
    for worker in range(workers):
        size = (len(items) - len(ordered)) // (workers - worker)
        own = [*_share(in_browser, worker, workers), *_share(slow, worker, workers)]
        count = max(0, size - len(own))
        ordered += own + quick[:count]
        quick = quick[count:]
    return ordered + quick


def _share(items: list[pytest.Item], worker: int, workers: int) -> list[pytest.Item]:
    """Return the tests of every third module, if there are three workers."""
    own_modules = set(list(dict.fromkeys(item.path for item in items))[worker::workers])
    return [item for item in items if item.path in own_modules]


def _is_slow(item: pytest.Item) -> bool:
    return item.get_closest_marker("slow") is not None


def _needs_browser(item: pytest.Item) -> bool:
    return "browser" in getattr(item, "fixturenames", ())


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    # As in a serving process. Otherwise the collector traverses all test modules repeatedly.
    settle()


@pytest.fixture(scope="module")
def hanging_is_noticed_soon() -> Iterator[None]:
    """A service of the tests notices a database that hangs after seconds, not after a minute."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watchdog, "ANSWER_SECONDS", 5)
        yield


@pytest.fixture(scope="module")
def browser() -> Browser:
    """Return a browser that makes no requests by itself, and into whose microphone somebody speaks.

    It runs until the tests of a module without it follow, because its start takes longer than most tests with it, and
    because no test with its own event loop could run in this thread meanwhile.
    """
    global _browser
    if _browser is None:
        _browser = _running_browser.enter_context(started_browser())
    return _browser


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    # After the fixtures of the module, some of which are tabs.
    global _browser
    if nextitem is None or (nextitem.path != item.path and not _needs_browser(nextitem)):
        _running_browser.close()
        _browser = None


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """Return the URL of the server with the databases of all tests."""
    with test_server() as url:
        yield url


@pytest.fixture
def database_url(server_url: str) -> Iterator[str]:
    """Return the URL of an empty database for one test."""
    with fresh_database(server_url) as url:
        yield url


def _prepare(url: str) -> None:
    with connect(url) as connection:
        migrations.migrate(connection)
        # Each service without keys of Stripe makes sure of them. If it created them, no other test could use its
        # database.
        stripe_sandbox.ensure_schema(connection)
    rebuild.ensure_live(url, projections.ALL, lambda *_: None)


@pytest.fixture(scope="session")
def migrated_template(server_url: str) -> str:
    # The name has a hash of the schema, because the server may outlive a change of the schema.
    read_models = [(projection.VERSION, projection.TABLES) for projection in projections.ALL]
    schema = repr(migrations.steps()) + repr(read_models) + stripe_sandbox.SCHEMA.read_text()
    return template_database(server_url, f"migrated_{hashlib.sha256(schema.encode()).hexdigest()[:12]}", _prepare)


@pytest.fixture
def migrated_url(server_url: str, migrated_template: str) -> Iterator[str]:
    """Return the URL of a database for one test with this version's schema and empty read models."""
    with fresh_database(server_url, migrated_template) as url:
        yield url


@pytest.fixture
def database(migrated_url: str) -> Iterator[Database]:
    with Database(migrated_url, size=8) as opened:
        yield opened


@pytest.fixture
def make_service(migrated_url: str, tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Return a function that makes services on this test's database, without running parts. Settings are keywords."""
    with ExitStack() as stack:

        def make(parts: frozenset[str] = frozenset(), **settings: Any) -> Service:
            service = Service(Settings(data_dir=tmp_path / "var", **settings), migrated_url, parts)
            stack.callback(service.stop)
            return service

        yield make


@pytest.fixture
def service(make_service: Callable[..., Service]) -> Service:
    """Return a service without running parts, on which a test calls commands and queries."""
    return make_service()


@pytest.fixture
def live(migrated_url: str, tmp_path: Path) -> Iterator[LiveService]:
    """Return the whole service as `serve` runs it, on a free port."""
    with LiveService(migrated_url, tmp_path / "var", Parts.ALL) as running:
        yield running


@pytest.fixture
def client(live: LiveService) -> Iterator[Client]:
    """Return a client of the running service without a credential."""
    with live.client() as visitor:
        yield visitor
