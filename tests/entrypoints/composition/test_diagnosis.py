"""`storyledger doctor` says what is set, reachable, missing or odd, and never more than that."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from adapters.postgres.database import Database
from adapters.proof.checkpoints import sign_complete_tree
from adapters.proof.published import PublishedCheckpoints
from domain.errors import UnavailableError
from entrypoints.composition.diagnosis import database as database_checks
from entrypoints.composition.diagnosis import surroundings
from entrypoints.composition.diagnosis.findings import Finding, State, examine
from entrypoints.composition.service import Service
from entrypoints.composition.settings import Settings, read
from tests.client import WAIT_SECONDS, free_port
from tests.fakes.mailbox import smtp_server
from tests.money import Ledger
from tests.serving import serving

SECRET = "Kq9-canary-7Zw3vXbT5pRmLs8YdHf2Gn4"


def found(findings: Iterable[Finding]) -> list[tuple[str, State]]:
    """Return the name and the state of each line."""
    return [(finding.check, finding.state) for finding in findings]


@contextmanager
def server(body: dict[str, Any], status: int = 200) -> Iterator[str]:
    """Run a server that gives the same answer to every request."""
    app = Starlette(routes=[Route("/{path:path}", lambda _: JSONResponse(body, status))])
    with serving(app) as url:
        yield url


# How checks are run.


def test_every_check_runs_even_if_others_fail_or_never_end():
    never = threading.Event()

    def unreachable() -> list[Finding]:
        raise UnavailableError("the store is away")

    def failing() -> list[Finding]:
        raise ValueError(SECRET)

    def hanging() -> Iterator[Finding]:
        yield Finding("hanging", State.OK, "the first line")
        never.wait()

    findings = examine(
        {"hanging": hanging, "store": unreachable, "code": failing, "fine": lambda: [Finding("fine", State.OK, "yes")]},
        seconds=0.2,
    )
    never.set()
    assert findings == [
        Finding("hanging", State.OK, "the first line"),
        Finding("hanging", State.UNREACHABLE, "no answer within 0.2 s"),
        Finding("store", State.UNREACHABLE, "the store is away"),
        Finding("code", State.ODD, "the check failed (ValueError)"),
        Finding("fine", State.OK, "yes"),
    ]


# Settings.


def test_settings_are_named_without_their_values(tmp_path: Path):
    settings = read(data_dir=tmp_path, app_env="production", master_key=(SECRET,), metrics_token=SECRET[:9])
    findings = list(surroundings.check_settings(settings, {"SMPT_URL": SECRET, "HOSTNAME": "ada"}))
    text = "\n".join(f"{finding.state} {finding.sentence}" for finding in findings)
    assert SECRET[:9] not in text
    assert "MASTER_KEY, METRICS_TOKEN" in findings[0].sentence
    for line in (
        "missing STRIPE_SECRET_KEY: missing",
        "odd METRICS_TOKEN: shorter than 32 bytes",
        "odd SMPT_URL is not a setting; SMTP_URL is",
    ):
        assert line in text
    assert "HOSTNAME" not in text


def test_a_default_secret_is_odd_in_development_too(tmp_path: Path):
    settings = read(data_dir=tmp_path, metrics_token="changeme")
    assert [finding.sentence for finding in surroundings.check_settings(settings, {})][1:] == [
        "METRICS_TOKEN: a default is no secret"
    ]


# Servers.


@pytest.mark.parametrize(
    ("status", "body", "state"),
    [
        (200, {"id": "m", "object": "model", "created": 1, "owned_by": "us"}, State.OK),
        (404, {"error": {"message": "The model does not exist", "code": "model_not_found"}}, State.MISSING),
        (401, {"error": {"message": f"Wrong key {SECRET}"}}, State.ODD),
        (404, {"detail": "Not Found"}, State.OK),
        (503, {"error": {"message": "later"}}, State.UNREACHABLE),
    ],
)
def test_a_model_server_is_asked_for_its_model(status: int, body: dict[str, Any], state: State, tmp_path: Path):
    with server(body, status) as url:
        settings = read(data_dir=tmp_path, openai_speech_base_url=f"{url}/v1", openai_speech_api_key=SECRET)
        [finding] = surroundings.check_speech(settings)
    assert (finding.state, SECRET in finding.sentence) == (state, False)


def test_a_model_with_an_announced_end_is_odd(tmp_path: Path):
    settings = read(
        data_dir=tmp_path,
        openai_draft_model="gpt-5-mini",
        openai_draft_base_url=f"http://127.0.0.1:{free_port()}",
        openai_draft_api_key="none",
    )
    findings = list(surroundings.check_drafting(settings))
    assert found(findings) == [("drafting", State.UNREACHABLE), ("drafting", State.ODD)]
    assert "2026-12-11" in findings[1].sentence


def test_local_speech_needs_its_model(tmp_path: Path):
    settings = read(data_dir=tmp_path, speech_model=f"{tmp_path}/model")
    assert found(surroundings.check_speech(settings)) == [("speech", State.MISSING)]
    by_name = read(data_dir=tmp_path, speech_model="no-such-model")
    assert found(surroundings.check_speech(by_name)) == [("speech", State.MISSING)]


@pytest.mark.parametrize(
    ("status", "body", "state"),
    [
        (200, {"object": "list", "data": [], "has_more": False, "url": "/v1/events"}, State.OK),
        (401, {"error": {"message": f"Invalid API Key: {SECRET}"}}, State.ODD),
    ],
)
def test_stripe_is_asked_whether_it_accepts_the_key(status: int, body: dict[str, Any], state: State, tmp_path: Path):
    with server(body, status) as url:
        settings = read(data_dir=tmp_path, stripe_secret_key=f"sk_test_{SECRET}", stripe_api_base=url)
        findings = list(surroundings.check_stripe(settings))
    # Without a webhook secret every webhook is refused.
    assert found(findings) == [("Stripe", state), ("Stripe", State.MISSING)]
    assert SECRET not in findings[0].sentence


def test_the_smtp_server_is_greeted_and_gets_no_mail(tmp_path: Path):
    with smtp_server() as box:
        settings = read(data_dir=tmp_path, smtp_url=box.url, mail_from="hello@example.org")
        assert found(surroundings.check_mail(settings)) == [("mail", State.OK)]
    assert box.messages == []
    [finding] = examine({"mail": partial(surroundings.check_mail, settings)}, WAIT_SECONDS)
    assert finding.state is State.UNREACHABLE


@pytest.mark.parametrize("given", [{}, {"mail": "off"}], ids=["outbox", "off"])
def test_mail_without_a_server_is_off(given: dict[str, Any], tmp_path: Path):
    settings = read(data_dir=tmp_path, **given)
    assert found(surroundings.check_mail(settings)) == [("mail", State.OFF)]


def test_too_little_free_space_is_odd(tmp_path: Path):
    settings = read(data_dir=tmp_path, min_free_mb=1_000_000_000)
    assert set(found(surroundings.check_disk(settings))) == {("disk", State.ODD)}


# The database and what is in it.


@pytest.fixture
def work(service: Service) -> Callable[[], dict[str, Finding]]:
    """Return a function that checks the work of the service."""
    Ledger(service).follow()
    return lambda: {finding.check: finding for finding in database_checks.check_work(lambda: service.url)}


def test_a_database_is_described_and_only_production_demands_two_roles(migrated_url: str):
    def check(app_env: str) -> dict[str, State]:
        settings = Settings(app_env=app_env, database_url=migrated_url)  # type: ignore[arg-type]
        return dict(found(database_checks.check_database(settings, lambda: migrated_url)))

    states = check("development")
    assert [states[name] for name in ("database", "clock", "schema", "role")] == [State.OK] * 3 + [State.OFF]
    assert check("production").get("role", State.ODD) is State.ODD


def test_a_damaged_schema_is_odd(migrated_url: str, database: Database):
    database.execute("ALTER TABLE stripe_inbox RENAME TO inbox")
    settings = Settings(database_url=migrated_url)
    findings = list(database_checks.check_database(settings, lambda: migrated_url))
    assert findings[-1] == Finding("schema", State.ODD, "schema is damaged: no table stripe_inbox")


def test_an_unreachable_database_is_said_by_every_check_that_needs_it(tmp_path: Path):
    url = f"postgresql://ada:{SECRET}@127.0.0.1:{free_port()}/story"
    settings = read(data_dir=tmp_path, database_url=url)
    findings = examine(
        {
            "database": partial(database_checks.check_database, settings, lambda: url),
            "work": partial(database_checks.check_work, lambda: url),
            "epoch keys": partial(database_checks.check_epoch_keys, settings, lambda: url),
        },
        WAIT_SECONDS,
    )
    assert {finding.state for finding in findings} == {State.UNREACHABLE}
    assert SECRET not in repr(findings)


def test_a_replica_that_is_away_or_no_standby_is_told(migrated_url: str, tmp_path: Path):
    away = f"postgresql://127.0.0.1:{free_port()}/story"
    states = {
        State.OFF: (None, migrated_url),
        State.ODD: (migrated_url, migrated_url),
        State.UNREACHABLE: (away, migrated_url),
    }
    for state, (standby, primary) in states.items():
        settings = read(data_dir=tmp_path, read_database_url=standby)
        assert found(database_checks.check_replica(settings, partial(str, primary))) == [("replica", state)]
    settings = read(data_dir=tmp_path, read_database_url=migrated_url)
    assert found(database_checks.check_replica(settings, lambda: away)) == [("replica", State.UNREACHABLE)]


def test_nothing_that_waits_is_ok(work: Callable[[], dict[str, Finding]]):
    assert {finding.state for finding in work().values()} == {State.OK}


def test_work_that_waits_too_long_or_is_dead_is_reported_as_odd(
    work: Callable[[], dict[str, Finding]], service: Service
):
    for statement in (
        "INSERT INTO stripe_inbox (event_id, type, stripe_created, body, state, received_at)"
        " SELECT 'evt_' || s, 'charge.succeeded', 1, '', s, now() - interval '1 hour'"
        " FROM unnest(ARRAY['received', 'dead']) s",
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args) VALUES ('q', 'transcribe', '{}')",
        "UPDATE procrastinate_events SET at = now() - interval '10 minutes'",
    ):
        service.database.execute(statement.encode())
    findings = work()
    assert {name for name, finding in findings.items() if finding.state is State.ODD} == {
        "webhooks",
        "dead letters",
        "jobs",
    }
    assert findings["jobs"].sentence.startswith("1 wait, the oldest for 10 min")


def test_a_missing_or_old_epoch_key_is_noticed(service: Service):
    def check() -> Finding:
        [finding] = database_checks.check_epoch_keys(service.settings, lambda: service.url)
        return finding

    assert check().state is State.OFF
    name = service.epochs.current()
    assert check().state is State.OK
    service.database.execute("UPDATE epoch_keys SET created_at = now() - interval '3 days'")
    assert (check().state, "3 days" in check().sentence) == (State.ODD, True)
    service.epochs.store.destroy(name)
    assert check().state is State.MISSING


def test_checkpoints_tell_what_they_do_not_cover(service: Service):
    def check() -> Finding:
        [finding] = database_checks.check_checkpoints(service.settings, lambda: service.url)
        return finding

    signer, ledger = service.proof.signer, Ledger(service)
    published = PublishedCheckpoints(service.content.storage, signer.read)
    ledger.ticket()
    assert "none was published yet" in check().sentence
    with service.database.connection() as connection:
        size, _ = sign_complete_tree(connection, signer, published)
    assert check().sentence.startswith(f"the newest covers {size} events")
    assert "; 0 events" in check().sentence
    ledger.ticket()
    assert "; 0 events" not in check().sentence
    # A database that was set back.
    published.publish(signer.checkpoint(10_000, bytes(32)))
    assert check().state is State.ODD
