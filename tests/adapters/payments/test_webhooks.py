"""Webhook verification: only what Stripe signed, recently and for our mode, is accepted."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from adapters.payments.webhooks import BadEvent, BadSignature, InvalidWebhook, WebhookVerifier, WrongMode, sign
from domain.errors import UnavailableError

NOW = 1_790_000_000
SECRET = "whsec_present"
FORMER = "whsec_former"
EVENT = {
    "id": "evt_1",
    "object": "event",
    "api_version": "2026-10-28.endive",
    "created": NOW - 5,
    "livemode": False,
    "type": "charge.succeeded",
    "data": {"object": {"id": "ch_1", "object": "charge", "amount": 5000}},
}
THIN = {
    "id": "evt_test_65Ab",
    "object": "v2.core.event",
    "created": "2026-09-21T13:33:20.123Z",
    "livemode": False,
    "type": "v1.billing.meter.error_report_triggered",
    "related_object": {"id": "ch_1", "type": "charge", "url": "/v1/charges/ch_1"},
}
BODY = json.dumps(EVENT, indent=2).encode()


def verifier(*secrets: str, livemode: bool = False, now: float = NOW) -> WebhookVerifier:
    return WebhookVerifier(secrets or (SECRET,), livemode, lambda: now)


def opened(body: bytes | dict, **kwargs):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return verifier(**kwargs).verify(raw, sign(raw, SECRET, NOW))


def test_a_signed_event_is_accepted_with_all_its_values():
    event = opened(BODY)
    assert (event.id, event.type, event.livemode) == ("evt_1", "charge.succeeded", False)
    assert event.created == datetime.fromtimestamp(NOW - 5, UTC)
    assert event.body == BODY


def test_a_thin_event_is_accepted_with_an_rfc_3339_time():
    event = opened(THIN)
    assert event.id == THIN["id"]
    assert event.created == datetime(2026, 9, 21, 13, 33, 20, 123000, UTC)


def test_the_representation_of_an_event_shows_no_personal_data():
    assert "5000" not in repr(opened(BODY))


def test_our_signature_equals_that_of_the_library():
    library_signature = stripe.WebhookSignature.generate_signature_header(BODY.decode(), SECRET, NOW)
    assert sign(BODY, SECRET, NOW) == library_signature
    assert stripe.WebhookSignature.verify_header(BODY, sign(BODY, SECRET, NOW), SECRET)


@given(st.text(max_size=200), st.text(st.characters(min_codepoint=33, codec="utf-8"), min_size=1, max_size=40))
def test_the_librarys_signature_of_any_text_with_any_secret_is_accepted(text, secret):
    body = text.encode()
    assert sign(body, secret, NOW) == stripe.WebhookSignature.generate_signature_header(text, secret, NOW)


@pytest.mark.parametrize("secret", [SECRET, FORMER])
def test_while_secrets_are_rotated_signatures_with_either_are_valid(secret):
    assert verifier(SECRET, FORMER).verify(BODY, sign(BODY, secret, NOW)).id == "evt_1"


def test_one_of_several_signatures_is_enough():
    good = sign(BODY, SECRET, NOW).partition("v1=")[2]
    header = f"t={NOW},v1={'0' * 64},v1={good},v0={'1' * 64}"
    assert verifier().verify(BODY, header).id == "evt_1"


def test_the_header_may_be_bytes_and_hold_spaces():
    header = sign(BODY, SECRET, NOW).replace(",", ", ").encode()
    assert verifier().verify(BODY, header).id == "evt_1"


@pytest.mark.parametrize(("age", "fresh"), [(0, True), (300, True), (301, False), (-60, True), (-61, False)])
def test_a_signature_is_fresh_for_five_minutes_and_one_minute_ahead(age, fresh):
    header = sign(BODY, SECRET, NOW - age)
    if fresh:
        assert verifier().verify(BODY, header).id == "evt_1"
    else:
        with pytest.raises(BadSignature):
            verifier().verify(BODY, header)


def test_the_library_accepts_signatures_from_the_future():
    header = sign(BODY, SECRET, 10**10)
    assert stripe.WebhookSignature.verify_header(BODY, header, SECRET, tolerance=300)
    with pytest.raises(BadSignature):
        verifier().verify(BODY, header)


GOOD = sign(BODY, SECRET, NOW)
HEX = GOOD.partition("v1=")[2]


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        b"",
        "t",
        "t=",
        "=",
        ",",
        "v1=" + HEX,
        f"t={NOW}",
        f"t={NOW},v1=",
        f"t={NOW},v0={HEX}",
        f"t={NOW},v1={HEX},",
        f"t={NOW},v1={HEX},junk",
        f"t={NOW},t={NOW},v1={HEX}",
        f"{GOOD}, {GOOD}",
        f"t={NOW}.0,v1={HEX}",
        f"t=+{NOW},v1={HEX}",
        f"t=-{NOW},v1={HEX}",
        f"t={'9' * 5000},v1={HEX}",
        f"t={'9' * 400},v1={HEX}",
        f"t=١٢٣,v1={HEX}",
        f"t={NOW},v1={HEX.upper()}",
        f"t={NOW},v1={HEX[:-1]}",
        f"t={NOW},v1={HEX}0",
        f"t={NOW},v1={HEX[:-1]}é",
        f"t={NOW},v1={HEX}\ud800",
        f"T={NOW},V1={HEX}",
        f"t={NOW + 1},v1={HEX}",
        f"t={NOW}" + f",v1={HEX}" * 17,
        "t=1," * 1000,
        b"\xff\xfe" + GOOD.encode(),
        GOOD.encode("utf-16"),
    ],
)
def test_a_hostile_header_is_a_bad_signature(header):
    with pytest.raises(BadSignature):
        verifier().verify(BODY, header)


def test_one_changed_byte_anywhere_is_a_bad_signature():
    for place in range(0, len(BODY), 7):
        changed = bytearray(BODY)
        changed[place] ^= 1
        with pytest.raises(BadSignature):
            verifier().verify(bytes(changed), GOOD)


def test_a_signature_with_another_secret_is_refused():
    for secret in ("", "whsec_other", SECRET + " ", SECRET[:-1]):
        with pytest.raises(BadSignature):
            verifier().verify(BODY, sign(BODY, secret, NOW))


def test_without_a_secret_every_webhook_is_refused():
    with pytest.raises(UnavailableError):
        WebhookVerifier([], False, lambda: NOW).verify(BODY, GOOD)


def test_a_blank_secret_is_an_error():
    with pytest.raises(ValueError, match="blank"):
        WebhookVerifier([SECRET, "  "], False)


def with_(**changes) -> dict:
    return EVENT | changes


HOSTILE_BODIES = {
    "empty": b"",
    "empty object": b"{}",
    "array": b"[]",
    "null": b"null",
    "number": b"1",
    "text": b'"event"',
    "no json": b"{'id': 1}",
    "cut short": BODY[:-5],
    "two objects": BODY + BODY,
    "byte order mark": b"\xef\xbb\xbf" + BODY,
    "latin-1": BODY.replace(b"ch_1", b"ch_\xe9"),
    "utf-16": BODY.decode().encode("utf-16"),
    "surrogates in utf-8": BODY.replace(b"ch_1", b"\xed\xa0\x80"),
    "half a character": BODY.replace(b"ch_1", b"\\ud800"),
    "half a character as a name": BODY.replace(b'"amount"', b'"\\udfff"'),
    "raw control character": BODY.replace(b"ch_1", b"ch\x00"),
    "nested a thousand deep": BODY.replace(b"5000", b"[" * 100_000 + b"]" * 100_000),
    "objects a thousand deep": BODY.replace(b"5000", b'{"a":' * 30_000 + b"1" + b"}" * 30_000),
    "nested a little too deep": BODY.replace(b"5000", b"[" * 127 + b"]" * 127),
    "unclosed and deep": b"[" * 200_000,
    "NaN": BODY.replace(b"5000", b"NaN"),
    "infinity": BODY.replace(b"5000", b"-Infinity"),
    "float beyond bounds": BODY.replace(b"5000", b"1e999"),
    "huge integer": BODY.replace(b"5000", b"9" * 20),
    "monstrous integer": BODY.replace(b"5000", b"9" * 100_000),
    "id twice": BODY.replace(b'"id": "evt_1"', b'"id": "evt_1", "id": "evt_2"'),
    "amount twice": BODY.replace(b'"amount": 5000', b'"amount": 5000, "amount": 1'),
    "over 256 KiB": BODY + b" " * 256 * 1024,
    "another object": with_(object="charge"),
    "object no text": with_(object=["event"]),
    "no id": {name: value for name, value in EVENT.items() if name != "id"},
    "id a number": with_(id=1),
    "id null": with_(id=None),
    "id empty": with_(id=""),
    "id of a charge": with_(id="ch_1"),
    "id with a newline": with_(id="evt_1\n"),
    "id with markup": with_(id="evt_<b>"),
    "id very long": with_(id="evt_" + "x" * 300),
    "type a list": with_(type=["charge.succeeded"]),
    "type empty": with_(type=""),
    "type with spaces": with_(type="charge succeeded"),
    "type in capitals": with_(type="CHARGE.SUCCEEDED"),
    "type very long": with_(type="a." + "b" * 200),
    "created a text": with_(created=str(NOW)),
    "created a float": with_(created=1.5),
    "created a boolean": with_(created=True),
    "created negative": with_(created=-1),
    "created beyond the calendar": with_(created=10**15),
    "created missing": with_(created=None),
    "livemode a text": with_(livemode="false"),
    "livemode a number": with_(livemode=0),
    "livemode missing": with_(livemode=None),
    "version a number": with_(api_version=2026),
    "version empty": with_(api_version=""),
    "version with a newline": with_(api_version="2020-08-27\n"),
    "version too long": with_(api_version="v" * 201),
    "data missing": with_(data=None),
    "data a list": with_(data=[{"object": {}}]),
    "data without object": with_(data={}),
    "object without kind": with_(data={"object": {"id": "ch_1"}}),
    "thin with a number as time": THIN | {"created": NOW},
    "thin with no time": THIN | {"created": "yesterday"},
    "thin with an impossible time": THIN | {"created": "2026-13-41T25:61:61Z"},
    "thin with no zone": THIN | {"created": "2026-09-21T13:33:20"},
    "thin before the calendar": THIN | {"created": "0001-01-01T00:00:00+23:00"},
    "thin about a text": THIN | {"related_object": "ch_1"},
    "thin about a number": THIN | {"related_object": {"id": 1, "type": "charge"}},
}


@pytest.mark.parametrize("body", HOSTILE_BODIES.values(), ids=HOSTILE_BODIES.keys())
def test_a_hostile_body_is_refused_even_when_properly_signed(body):
    with pytest.raises(InvalidWebhook):
        opened(body)


@pytest.mark.parametrize(
    ("name", "escape"), [("nested a thousand deep", RecursionError), ("latin-1", UnicodeDecodeError)]
)
def test_the_library_lets_other_exceptions_escape(name, escape):
    body = HOSTILE_BODIES[name]
    with pytest.raises(escape):
        stripe.Webhook.construct_event(body, sign(body, SECRET, NOW), SECRET, tolerance=0)


def test_the_library_takes_an_empty_object_for_an_event():
    assert stripe.Webhook.construct_event(b"{}", sign(b"{}", SECRET, NOW), SECRET, tolerance=0).to_dict() == {}


def test_an_event_may_lack_its_related_object_or_version_and_have_an_unknown_type():
    assert opened(THIN | {"related_object": None}).id == THIN["id"]
    assert opened(with_(api_version=None)).id == EVENT["id"]
    assert opened(with_(type="some.new_thing.happened")).type == "some.new_thing.happened"


@pytest.mark.parametrize("version", ["2020-08-27; orders_beta=v4", "<script>", "v" * 200, "версия"])
def test_an_events_api_version_may_be_any_printable_text(version):
    assert opened(with_(api_version=version)).id == EVENT["id"]


def test_an_event_may_have_many_fields_and_the_depth_of_stripes_events():
    wide = BODY.replace(b"5000", b"[" + b"{}," * 500 + b"[[[[[[[[[[[[]]]]]]]]]]]]" + b"]")
    assert opened(wide).id == "evt_1"


def test_a_name_in_any_script_is_accepted_escaped_or_not():
    person = {"object": {"object": "charge", "billing_details": {"name": "Žofie 😀 李"}}}
    for ascii in (True, False):
        assert opened(json.dumps(with_(data=person), ensure_ascii=ascii).encode()).id == EVENT["id"]


@pytest.mark.parametrize("live_endpoint", [True, False])
def test_an_event_of_the_other_mode_is_refused_and_logged(live_endpoint, caplog):
    caplog.set_level(logging.WARNING)
    with pytest.raises(WrongMode):
        opened(with_(livemode=not live_endpoint), livemode=live_endpoint)
    assert "evt_1" in caplog.text


def test_a_live_endpoint_accepts_live_events():
    assert opened(with_(livemode=True), livemode=True).livemode


@given(st.binary(max_size=300), st.one_of(st.none(), st.binary(max_size=100), st.text(max_size=100)))
def test_any_request_is_refused_with_our_own_error(body, header):
    with pytest.raises(InvalidWebhook):
        verifier().verify(body, header)


@given(st.binary(max_size=300))
def test_any_signed_body_that_is_not_an_event_is_refused_with_our_own_error(body):
    with pytest.raises(BadEvent):
        opened(body)
