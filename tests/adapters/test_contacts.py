"""A contact has one normal form, and a text that is not a contact is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.contacts import ContactIndex, normalize_contact, possible_contacts
from domain.errors import InvalidError
from domain.values import ContactType

EMAIL, PHONE, SOCIAL = ContactType.EMAIL, ContactType.PHONE, ContactType.SOCIAL


@pytest.mark.parametrize(
    ("type", "typed", "normal"),
    [
        (EMAIL, "ada@example.com", "ada@example.com"),
        (EMAIL, "  Ada.Lovelace@EXAMPLE.com ", "ada.lovelace@example.com"),
        (EMAIL, "ada+gifts@example.com", "ada+gifts@example.com"),
        (EMAIL, "ada@bücher.example", "ada@bücher.example"),
        (EMAIL, "ada@xn--bcher-kva.example", "ada@bücher.example"),
        (PHONE, "+1 415 555 2671", "+14155552671"),
        (PHONE, "(415) 555-2671", "+14155552671"),
        (PHONE, "+44 20 7946 0958", "+442079460958"),
        (PHONE, "+49 (0)30 901820", "+4930901820"),
        (SOCIAL, "ada", "@ada"),
        (SOCIAL, "@Ada.Lovelace", "@ada.lovelace"),
        (SOCIAL, "STRASSE", "@strasse"),
        (SOCIAL, "@Straße", "@strasse"),
        (SOCIAL, "https://Example.com/Ada/", "https://example.com/Ada"),
        (SOCIAL, "http://example.com/Ada?utm=1#me", "https://example.com/Ada"),
    ],
)
def test_a_contact_has_one_normal_form(type: ContactType, typed: str, normal: str):
    assert normalize_contact(type, typed).value == normal
    assert normalize_contact(type, normal).value == normal


@pytest.mark.parametrize(
    ("type", "typed"),
    [
        *((type, "") for type in ContactType),
        *((type, "   ") for type in ContactType),
        *((type, "a" * 321) for type in ContactType),
        *((type, "ada\x00@example.com") for type in ContactType),
        *((type, "ada\r\nBcc: all@example.com") for type in ContactType),
        *((type, "\ud800") for type in ContactType),
        (EMAIL, "ada"),
        (EMAIL, "ada@"),
        (EMAIL, "@example.com"),
        (EMAIL, "ada@example.com, grace@example.com"),
        (EMAIL, "Ada <ada@example.com>"),
        (EMAIL, "ada@127.0.0.1"),
        (EMAIL, "ada@exa mple.com"),
        (PHONE, "12"),
        (PHONE, "call me"),
        (PHONE, "+1 415 555 2671 999 999 999"),
        (SOCIAL, "two words"),
        (SOCIAL, "@"),
        (SOCIAL, "-ada"),
        (SOCIAL, "ada@example.com"),
        (SOCIAL, "javascript://alert(1)"),
        (SOCIAL, "https://"),
        (SOCIAL, "https://ada:secret@example.com/"),
        (SOCIAL, "https://[::1"),
        (SOCIAL, "https://example.com/a b"),
        (SOCIAL, "<script>"),
        (SOCIAL, "ada\u202eada"),
        (SOCIAL, "https://example.com/\u202egnp"),
        (SOCIAL, "https://exam\u2028ple.com/"),
        (SOCIAL, "https://example.com/\x7f"),
    ],
)
def test_a_text_that_is_not_a_contact_of_its_type_is_refused(type: ContactType, typed: str):
    with pytest.raises(InvalidError) as refused:
        normalize_contact(type, typed)
    assert refused.value.pointer == "/contactValue"
    assert typed.strip() == "" or typed not in refused.value.detail


@given(st.sampled_from(ContactType), st.text(max_size=40))
def test_any_text_is_refused_or_has_a_stable_normal_form(type: ContactType, typed: str):
    try:
        contact = normalize_contact(type, typed)
    except InvalidError:
        return
    assert normalize_contact(type, contact.value) == contact


@given(st.text("htps:/@.#?%[]()+0123456789ab \u202e\n", max_size=30))
def test_no_search_text_causes_an_error(typed: str):
    for contact in possible_contacts(typed):
        assert normalize_contact(contact.type, contact.value) == contact


def test_a_bare_search_text_may_mean_several_contacts():
    assert [contact.type for contact in possible_contacts("ada@example.com")] == [EMAIL]
    assert [contact.type for contact in possible_contacts("@ada")] == [SOCIAL]
    assert {contact.type for contact in possible_contacts("4155552671")} == {PHONE, SOCIAL}


def test_a_contact_is_found_with_every_pepper_and_indexed_with_the_newest():
    ada, grace = normalize_contact(SOCIAL, "ada"), normalize_contact(SOCIAL, "grace")
    old, both = ContactIndex(("old",)), ContactIndex(("new", "old"))
    assert both.all_of(ada)[:2] == [both.of(ada), old.of(ada)]
    assert len({both.of(ada), old.of(ada), both.of(grace), old.of(grace)}) == 4
    assert "ada" not in both.of(ada)


def test_contacts_of_different_types_have_different_hashes():
    index = ContactIndex(("pepper",))
    assert index.of(normalize_contact(PHONE, "+14155552671")) != index.of(normalize_contact(SOCIAL, "14155552671"))
