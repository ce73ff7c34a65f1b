"""ETag and If-Match prevent a client from overwriting changes that it has not seen."""

from __future__ import annotations

from collections.abc import Callable

import httpx2
import pytest

from domain.values import Draft
from tests.client import RECORDING, LiveService, Ticket
from tests.entrypoints.conftest import JobRunner, donate_in_sandbox
from tests.entrypoints.http.contract import problem

WRITES: dict[str, Callable[[Ticket, dict[str, str]], httpx2.Response]] = {
    "rename": lambda t, h: t.patch("", {"displayName": "Grace"}, headers=h),
    "draft": lambda t, h: t.patch("/draft", {"title": "Another"}, headers=h),
    "upload": lambda t, h: t.upload(RECORDING.read_bytes(), headers=h),
    "process": lambda t, h: t.post("/process", headers=h),
    "publish": lambda t, h: t.post("/publish", {"consent": True}, headers=h),
    "document": lambda t, h: t.post("/generate-doc", {"docType": "GOFUNDME_DRAFT"}, headers=h),
    "payment": lambda t, h: t.post("/create-payment", {"amount": 5, "currency": "USD"}, headers=h),
    "erase": lambda t, h: t.http.delete(t.path, headers=h),
}


@pytest.fixture
def ready(ticket: Ticket) -> Ticket:
    """Return a ticket that accepts every write."""
    ticket.upload(RECORDING.read_bytes())
    ticket.write_draft()
    return ticket


@pytest.mark.parametrize("write", WRITES)
def test_a_stale_version_is_refused_and_changes_nothing(live: LiveService, ready: Ticket, write: str):
    stale = ready.get().headers["etag"]
    assert ready.patch("", {"displayName": "Meanwhile"}).status_code == 200
    events, objects = live.row_count("events"), live.stored_objects()
    problem(WRITES[write](ready, {"If-Match": stale}), 412, "stale-version")
    assert live.row_count("events") == events
    assert live.stored_objects() == objects


@pytest.mark.parametrize("write", WRITES)
def test_the_current_version_is_accepted(ready: Ticket, write: str):
    assert WRITES[write](ready, {"If-Match": ready.get().headers["etag"]}).status_code < 300


@pytest.mark.parametrize("write", ["retry", "unpublish", "provide-info"])
def test_writes_that_need_a_state_refuse_a_stale_version_too(ready: Ticket, write: str):
    problem(ready.post(f"/{write}", headers={"If-Match": '"1000"'}), 412, "stale-version")


@pytest.mark.parametrize("header", ["*", '"0", "{version}"', 'W/"0","{version}"'])
def test_if_match_may_name_several_versions_or_any(ready: Ticket, header: str):
    version = ready.get().json()["version"]
    answer = ready.patch("", {"displayName": "Grace"}, headers={"If-Match": header.replace("{version}", str(version))})
    assert answer.status_code == 200


@pytest.mark.parametrize("header", ['"x"', "", '""', '"-1"', '"99999999999999999999"', "é"])
def test_an_unknown_version_is_stale(ready: Ticket, header: str):
    answer = ready.http.patch(ready.path, json={"displayName": "Grace"}, headers={"If-Match": header.encode()})
    problem(answer, 412, "stale-version")


def test_every_answer_that_shows_a_ticket_carries_its_version(ready: Ticket):
    version = f'"{ready.get().json()["version"]}"'
    for path in ("", "/status"):
        assert ready.get(path).headers["etag"] == version
    changed = ready.patch("", {"displayName": "Grace"})
    assert changed.headers["etag"] == f'"{changed.json()["version"]}"' == ready.get().headers["etag"] != version
    assert ready.patch("/draft", {"title": "More"}).headers["etag"] == ready.get("/status").headers["etag"]
    assert ready.post("/publish", {"consent": True}).headers["etag"] == ready.get().headers["etag"]
    assert ready.post("/unpublish").headers["etag"] == ready.get().headers["etag"]
    assert ready.upload(RECORDING.read_bytes()).headers["etag"] == ready.get().headers["etag"]


def test_the_answer_of_provide_info_has_the_version_too(ready: Ticket, work: JobRunner):
    ready.patch("/draft", {"goalAmount": None, "beneficiary": None})
    ready.post("/process")
    work.do(ready, Draft(title="Help"))
    assert ready.post("/provide-info", {"beneficiary": "Ada"}).headers["etag"] == ready.get().headers["etag"]


def test_a_gift_does_not_change_the_version(live: LiveService, ready: Ticket):
    before = ready.get().headers["etag"]
    donate_in_sandbox(live, ready)
    assert ready.get().json()["fundingStatus"] == "FUNDED"
    assert ready.get().headers["etag"] == before


def test_a_ticket_is_sent_in_full_even_if_the_client_has_its_version(ready: Ticket):
    etag = ready.get().headers["etag"]
    assert ready.get("", headers={"If-None-Match": etag}).status_code == 200


def test_a_repeated_write_makes_no_new_version(ready: Ticket):
    first = ready.patch("/draft", {"title": "The same"}).headers["etag"]
    assert ready.patch("/draft", {"title": "The same"}).headers["etag"] == first
