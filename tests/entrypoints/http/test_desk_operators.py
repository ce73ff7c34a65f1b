"""Operators of the installation enter the desk with their key, and are led to the parts that are for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from adapters.ids import uuid7
from domain.members import MemberRole
from domain.values import Role
from tests.client import Client, LiveService
from tests.entrypoints.http.test_desk_pages import OWN_PAGE
from tests.members import joined_member


def browser_with_key(live: LiveService, role: Role) -> Client:
    """Return a browser in which somebody has entered with a key of the installation."""
    _, key = live.service.access.credentials.create(role)
    browser = Client(base_url=live.base_url, headers=OWN_PAGE)
    entered = browser.post("/audit", data={"key": key, "next": "/desk"})
    assert (entered.status_code, entered.headers["location"]) == (303, "/desk"), entered.text
    return browser


@pytest.fixture
def administrator(live: LiveService) -> Iterator[Client]:
    with closing(browser_with_key(live, Role.ADMIN)) as browser:
        yield browser


@pytest.mark.parametrize("role", [Role.ADMIN, Role.AUDITOR])
def test_an_operator_is_led_from_the_desk_to_the_first_part_for_operators(live: LiveService, role: Role):
    with closing(browser_with_key(live, role)) as browser:
        first = browser.get("/desk")
        assert first.status_code == 303
        assert browser.get(first.headers["location"]).status_code == 200


def test_the_sign_in_of_members_leads_operators_to_the_form_for_their_key_and_back(live: LiveService):
    with Client(base_url=live.base_url, headers=OWN_PAGE) as visitor:
        assert 'href="/audit?next=/desk"' in visitor.get("/desk/sign-in").text
        assert 'href="/audit?next=/desk/jobs"' in visitor.get("/desk/sign-in?next=/desk/jobs").text
        assert 'name="next" value="/desk/jobs"' in visitor.get("/audit?next=/desk/jobs").text


def test_the_frame_says_in_the_readers_language_that_an_operator_works_on_the_installation(administrator: Client):
    for language, name, role in (("en", "Installation", "Administrator"), ("es", "Instalación", "Administrador")):
        page = administrator.get(f"/desk/sign-in?lang={language}").text
        assert f"<span>{name} <span" in page
        assert role in page
        assert 'action="/sign-out"' in page


def test_pages_of_members_are_not_for_operators_and_pages_of_operators_not_for_members(
    live: LiveService, administrator: Client
):
    assert administrator.get("/desk/members").status_code == 403
    with joined_member(live, f"w-{uuid7().hex[-12:]}", MemberRole.OWNER) as owner:
        assert "Installation" not in owner.get("/desk/account", headers=OWN_PAGE).text
