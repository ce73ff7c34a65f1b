"""The health of every part: owners and admins see the states of the last day, operators the figures as well."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest

from adapters.health.parts import Part, State
from adapters.health.records import MINUTE
from adapters.health.strips import SLOT, beginning
from adapters.ids import uuid7
from domain.members import MemberRole
from domain.values import Role
from entrypoints.presentation.health_history import BAR_HEIGHTS
from tests.client import Client, LiveService
from tests.health_record import record_three_hours
from tests.members import joined_member

HTML = {"Accept": "text/html"}


@pytest.fixture
def now(live: LiveService) -> datetime:
    """Record three hours, and return the present minute."""
    return record_three_hours(live)


@pytest.fixture
def owner(live: LiveService) -> Client:
    return joined_member(live, f"w-{uuid7().hex[-12:]}", MemberRole.OWNER)


def section(page: str, part: Part) -> str:
    match = re.search(rf'<section [^>]*aria-labelledby="title-{part}".*?</section>', page, re.DOTALL)
    assert match is not None
    return match[0]


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_an_owner_sees_the_state_of_every_part_and_since_when(now: datetime, owner: Client):
    page = owner.get("/desk/health", headers=HTML).text
    assert "Everything that is set up works." in page
    webhooks = words(section(page, Part.WEBHOOKS))
    assert webhooks.startswith("Gifts from Stripe Works")
    assert f"Since {(now - 59 * MINUTE):%-d %B %Y, %H:%M} UTC." in webhooks
    assert words(section(page, Part.TEXTS)).startswith("Text messages Not set up")


def test_the_table_says_the_same_as_the_chart(now: datetime, owner: Client):
    webhooks = section(owner.get("/desk/health", headers=HTML).text, Part.WEBHOOKS)
    rows = [words(row) for row in re.findall(r"<tr>(.*?)</tr>", webhooks, re.DOTALL)[1:]]
    states = [next(name for name in ("Slow", "Works", "No record") if name in row) for row in rows]
    assert states == ["Works", "Slow", "Works", "No record"]
    bars = re.findall(r'<rect class="state-(\w+)" x="\d+" y="\d+" width="(\d+)"', webhooks)
    assert [state for state, _ in bars] == ["works", "slow", "works"]
    summary = re.search(r"<title[^>]*>(.*?)</title>", webhooks, re.DOTALL)
    assert summary is not None
    hours = [float(text) for text in re.findall(r"for ([\d.]+) h", summary[1])]
    assert sum(hours) == 24
    assert "Slow or incomplete for" in summary[1]


def test_members_see_no_figures_and_operators_do(now: datetime, owner: Client, live: LiveService):
    del now
    with live.client_with_key(Role.ADMIN) as admin, live.client_with_key(Role.AUDITOR) as auditor:
        assert "412" not in owner.get("/desk/health", headers=HTML).text
        for operator in (admin, auditor):
            section_words = words(section(operator.get("/desk/health", headers=HTML).text, Part.WEBHOOKS))
            assert "Waiting 7 Oldest waits for 7 min" in section_words


def test_a_part_that_does_not_work_is_said_first_and_what_that_means(now: datetime, owner: Client, live: LiveService):
    live.service.database.execute(
        "UPDATE health_samples SET state = 'fails' WHERE part = 'files' AND at > %s", (now - 5 * MINUTE,)
    )
    page = owner.get("/desk/health", headers=HTML).text
    assert "1 part is slow or does not work." in page
    assert "Nobody can record" in words(section(page, Part.FILES))


def test_a_service_that_recorded_nothing_lately_says_so(now: datetime, owner: Client, live: LiveService):
    live.service.database.execute("DELETE FROM health_samples WHERE at > %s", (now - 20 * MINUTE,))
    page = owner.get("/desk/health", headers=HTML).text
    assert "There is no record of the last minutes." in page
    assert words(section(page, Part.DISK)).startswith("Disk space No record")


def test_programs_of_operators_get_the_last_day_as_json(now: datetime, live: LiveService):
    with live.client_with_key(Role.AUDITOR) as auditor:
        parts = auditor.get("/admin/health/history").json()["parts"]
    assert [each["part"] for each in parts] == [part.value for part in Part]
    webhooks = next(each for each in parts if each["part"] == "webhooks")
    assert (webhooks["state"], webhooks["measures"]) == ("works", {"waiting": 7, "oldestSeconds": 412.5})
    assert datetime.fromisoformat(webhooks["since"]) == now - 59 * MINUTE
    assert [each["state"] for each in webhooks["stretches"]] == [None, "works", "slow", "works"]
    first, last = webhooks["stretches"][0], webhooks["stretches"][-1]
    # A quarter of an hour may have begun since the record was made.
    assert datetime.fromisoformat(first["start"]) - beginning(now) in (timedelta(), SLOT)
    assert datetime.fromisoformat(last["end"]) - datetime.fromisoformat(first["start"]) == timedelta(days=1)


def test_an_unknown_parameter_is_refused(live: LiveService):
    with live.client_with_key(Role.ADMIN) as admin:
        assert admin.get("/admin/health/history?part=disk").status_code == 422


def test_every_state_has_a_height_of_its_own():
    assert len(set(BAR_HEIGHTS.values())) == len(State)
