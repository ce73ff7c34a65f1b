"""Administrators see on a page which webhook events could not be applied, apply them again, and let payments count."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing

import pytest

from adapters.ids import uuid7
from domain.values import Role
from entrypoints.http.handlers.desk_dead_letters import fault_of
from tests.client import Client, LiveService
from tests.entrypoints.http.test_desk_operators import browser_with_key

NO_CHECKOUT = "its payment belongs to no checkout that we opened"


@pytest.fixture
def administrator(live: LiveService) -> Iterator[Client]:
    with closing(browser_with_key(live, Role.ADMIN)) as browser:
        yield browser


def dead_letter(live: LiveService, error: str) -> str:
    """Return the id of an event that is dead for this reason. It is the oldest one, so that the first page shows it."""
    id = f"evt_{uuid7().hex}"
    event = {"id": id, "object": "event", "type": "customer.created", "created": 1}
    body = json.dumps(event | {"data": {"object": {"id": "cus_1", "object": "customer"}}})
    inbox = live.service.payments.inbox
    with live.service.database.connection() as connection:
        connection.execute(
            "INSERT INTO stripe_inbox (event_id, type, stripe_created, body, state, attempts, error, received_at)"
            " VALUES (%s, 'customer.created', 1, %s, 'dead', 8, %s, now() - interval '1 year')",
            (id, inbox.seal_body(id, body.encode()), error),
        )
    return id


def state_of(live: LiveService, id: str) -> tuple[str, bool]:
    """Return the state of the event, and whether somebody accepted it."""
    row = live.service.database.row("SELECT state, accepted_by FROM stripe_inbox WHERE event_id = %s", (id,))
    assert row is not None
    return row[0], row[1] is not None


def test_a_dead_letter_is_applied_again_on_its_page(live: LiveService, administrator: Client):
    id = dead_letter(live, "KeyError")
    page = administrator.get("/desk/dead-letters").text
    assert (id in page, "Applying it failed on our side." in page) == (True, True)
    assert f'id="confirmed-{id}"' not in page
    retried = administrator.post(f"/desk/dead-letters/{id}/retry", data={"do": "retry"})
    assert (retried.status_code, retried.headers["location"]) == (303, "/desk/dead-letters?done=retried")
    assert state_of(live, id)[0] != "dead"


def test_a_payment_counts_only_after_the_administrator_has_confirmed_that(live: LiveService, administrator: Client):
    id = dead_letter(live, NO_CHECKOUT)
    assert f'id="confirmed-{id}"' in administrator.get("/desk/dead-letters").text
    refused = administrator.post(f"/desk/dead-letters/{id}/retry", data={"do": "accept"})
    assert (refused.status_code, f'href="#confirmed-{id}"' in refused.text) == (422, True)
    assert state_of(live, id) == ("dead", False)
    accepted = administrator.post(f"/desk/dead-letters/{id}/retry", data={"do": "accept", "confirmed": "yes"})
    assert (accepted.status_code, accepted.headers["location"]) == (303, "/desk/dead-letters?done=accepted")
    assert state_of(live, id)[1] is True


def test_an_event_that_is_no_dead_letter_any_more_is_said_to_be_gone(administrator: Client):
    answer = administrator.post("/desk/dead-letters/evt_none/retry", data={"do": "retry"})
    assert (answer.status_code, 'id="error-summary"' in answer.text) == (404, True)


def test_auditors_do_not_see_dead_letters(live: LiveService):
    with closing(browser_with_key(live, Role.AUDITOR)) as auditor:
        assert auditor.get("/desk/dead-letters").status_code == 403


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (NO_CHECKOUT, "no_checkout"),
        ("captured 70 USD instead of 50 USD", "amount"),
        ("malformed: amount", "malformed"),
        ("erased", "erased"),
        ("unmatched", "unmatched"),
        ("KeyError", "other"),
    ],
)
def test_the_reason_of_the_inbox_becomes_a_sentence_for_operators(error: str, fault: str):
    assert fault_of(error) == fault
