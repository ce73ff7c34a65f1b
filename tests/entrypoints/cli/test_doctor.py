"""`storyledger doctor` and `storyledger stripe check` end with 1 if a person is needed, and change nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from adapters.payments.event_parsers import EVENT_PARSERS
from entrypoints.cli import doctor
from entrypoints.composition.service import Service
from tests.client import WAIT_SECONDS
from tests.commands import run_here
from tests.money import Ledger
from tests.serving import serving

SECRET = "Kq9-canary-7Zw3vXbT5pRmLs8YdHf2Gn4"
BASE_URL = "https://stories.example.org"


def test_a_running_installation_is_fine_until_a_setting_is_odd(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(doctor, "SECONDS", WAIT_SECONDS)
    Ledger(service).follow()
    model = tmp_path / "whisper"
    model.mkdir()
    (model / "model.bin").touch()
    settings = {"database_url": service.url, "data_dir": service.settings.data_dir, "speech_model": model}

    fine = run_here("doctor", "--json", **settings)
    answer = json.loads(fine.stdout)
    assert (fine.returncode, answer["ok"], fine.stderr) == (0, True, ""), fine.stdout
    assert {check["state"] for check in answer["checks"]} == {"ok", "off"}
    assert {"settings", "database", "schema", "storage", "Stripe", "mail", "speech"} <= {
        check["check"] for check in answer["checks"]
    }

    odd = run_here("doctor", **settings, metrics_token="changeme", checkpoint_key=SECRET)
    assert odd.returncode == 1
    assert "settings\todd\tMETRICS_TOKEN: a default is no secret\n" in odd.stdout
    assert odd.stderr.startswith("storyledger: 1 of ")
    assert "changeme" not in odd.stdout
    assert SECRET not in odd.stdout


def test_the_doctor_creates_nothing(migrated_url: str, tmp_path: Path):
    folder = tmp_path / "var"
    assert run_here("doctor", database_url=migrated_url, data_dir=folder).returncode == 1
    assert not folder.exists()


# stripe check


@contextmanager
def stripe(*event_types: str, status: str = "enabled", url: str = f"{BASE_URL}/api/webhooks/stripe") -> Iterator[str]:
    """Run a Stripe with one webhook endpoint, and yield its address."""
    endpoint = {
        "id": "we_1",
        "object": "webhook_endpoint",
        "application": None,
        "enabled_events": event_types,
        "livemode": False,
        "status": status,
        "url": url,
    }
    body = {"object": "list", "data": [endpoint], "has_more": False, "url": "/v1/webhook_endpoints"}
    with serving(Starlette(routes=[Route("/v1/webhook_endpoints", lambda _: JSONResponse(body))])) as address:
        yield address


def check(address: str, *words: str, **settings: Any) -> tuple[int, str, str]:
    ran = run_here(
        "stripe",
        "check",
        *words,
        database_url="postgresql://127.0.0.1/x",
        base_url=BASE_URL,
        stripe_secret_key=f"sk_test_{SECRET}",
        stripe_api_base=address,
        **settings,
    )
    return ran.returncode, ran.stdout, ran.stderr


@pytest.mark.parametrize("event_types", [["*"], list(EVENT_PARSERS)], ids=["all", "needed"])
def test_an_endpoint_that_sends_all_needed_events_is_fine(event_types: list[str]):
    with stripe(*event_types) as address:
        code, out, err = check(address)
    assert (code, out.startswith(f"Stripe sends all {len(EVENT_PARSERS)} types"), err) == (0, True, "")


def test_events_that_the_endpoint_does_not_send_are_named():
    enabled_types = [type for type in EVENT_PARSERS if type not in ("refund.failed", "charge.dispute.closed")]
    with stripe(*enabled_types, "customer.created") as address:
        code, out, err = check(address)
        answer = json.loads(check(address, "--json")[1])
    message = "storyledger: 2 types of events are needed and not enabled at Stripe\n"
    assert (code, out, err) == (1, "charge.dispute.closed\nrefund.failed\n", message)
    assert answer == {
        "ok": False,
        "sandbox": False,
        "endpoints": 1,
        "missing": ["charge.dispute.closed", "refund.failed"],
    }


@pytest.mark.parametrize("given", [{"url": "https://other.example/hook"}, {"status": "disabled"}], ids=str)
def test_an_endpoint_elsewhere_or_a_disabled_one_is_none(given: dict[str, str]):
    with stripe("*", **given) as address:
        code, out, err = check(address)
    assert (code, out, "no enabled endpoint at Stripe has the address" in err) == (1, "", True)


def test_the_sandbox_needs_no_endpoint():
    ran = run_here("stripe", "check", database_url="postgresql://127.0.0.1/x", stripe_secret_key="")
    assert (ran.returncode, ran.stdout) == (0, "Payments go to the sandbox, which needs no endpoint at Stripe.\n")
