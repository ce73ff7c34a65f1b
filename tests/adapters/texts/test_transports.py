"""Whatever sends text messages keeps one contract: the text reaches the number unchanged, and no error quotes them."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from adapters.texts.transports import FileTexts, TextProvider, TwilioTexts
from domain.errors import OptedOutError, RefusedError, UnavailableError
from domain.ports import TextMessages
from tests.client import free_port
from tests.fakes.text_provider import (
    ACCOUNT,
    SENDER,
    TOKEN,
    MemoryTexts,
    Received,
    TextProviderServer,
    text_files,
    text_provider_server,
)

NUMBER = "+34600123456"
TEXT = "Storyledger: ¿Lees esto? 1234 5678 & más = ñandú, مرحبا\nhttps://s.example/t/1?a=b+c%20"


@dataclass
class Sending:
    """A transport of messages, and the messages that arrived."""

    texts: TextMessages
    received: Callable[[], list[Received]]


@pytest.fixture(params=["provider", "folder", "memory"])
def sending(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sending]:
    match request.param:
        case "provider":
            with text_provider_server() as provider:
                yield Sending(TwilioTexts(account(provider)), lambda: provider.received)
        case "folder":
            yield Sending(FileTexts(tmp_path / "outbox"), lambda: text_files(tmp_path / "outbox"))
        case _:
            memory = MemoryTexts()
            yield Sending(memory, lambda: memory.received)


@pytest.fixture
def provider() -> Iterator[TextProviderServer]:
    with text_provider_server() as provider:
        yield provider


def account(provider: TextProviderServer) -> TextProvider:
    return TextProvider(ACCOUNT, TOKEN, sender=SENDER, base_url=provider.url)


def test_a_text_reaches_its_number_unchanged(sending: Sending):
    sending.texts.send("1", NUMBER, TEXT)
    sending.texts.send("2", "+15005550001", "other")
    assert sending.received() == [Received(NUMBER, TEXT), Received("+15005550001", "other")]


def test_recalling_an_unknown_message_is_no_error(sending: Sending):
    sending.texts.recall("nothing")


def test_a_file_is_readable_by_our_account_alone_and_recalled(tmp_path: Path):
    texts = FileTexts(tmp_path / "outbox")
    texts.send("1", NUMBER, TEXT)
    [file] = (tmp_path / "outbox").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert NUMBER not in file.name
    texts.recall("1")
    assert list((tmp_path / "outbox").iterdir()) == []


def test_the_provider_gets_the_sender_or_the_service(provider: TextProviderServer):
    TwilioTexts(account(provider)).send("1", NUMBER, "x")
    TwilioTexts(replace(account(provider), sender=None, service="MG1")).send("2", NUMBER, "x")
    assert provider.forms == [
        {"To": NUMBER, "Body": "x", "From": SENDER},
        {"To": NUMBER, "Body": "x", "MessagingServiceSid": "MG1"},
    ]


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        ((429, 20429), UnavailableError),
        ((500, None), UnavailableError),
        ((503, 20503), UnavailableError),
        ((403, 20005), UnavailableError),
        ((400, 21211), RefusedError),
        ((400, 21610), OptedOutError),
        ((422, None), RefusedError),
    ],
)
def test_a_refusal_is_final_unless_a_later_attempt_may_succeed(
    provider: TextProviderServer, refusal: tuple[int, int | None], error: type[Exception]
):
    provider.refusal = refusal
    with pytest.raises(error) as raised:
        TwilioTexts(account(provider)).send("1", NUMBER, "the text")
    assert type(raised.value) is error
    assert "+" not in str(raised.value)
    assert "the text" not in str(raised.value)


def test_a_wrong_token_is_mended_by_the_operator_and_the_message_sent_then(provider: TextProviderServer):
    with pytest.raises(UnavailableError):
        TwilioTexts(replace(account(provider), token="wrong")).send("1", NUMBER, "x")


def test_a_provider_that_does_not_answer_is_tried_again():
    provider = TextProvider(ACCOUNT, TOKEN, sender=SENDER, base_url=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(UnavailableError, match="ConnectError"):
        TwilioTexts(provider).send("1", NUMBER, "x")
    with pytest.raises(UnavailableError):
        TwilioTexts(provider).check()


def test_a_check_sends_nothing(provider: TextProviderServer):
    assert TwilioTexts(account(provider)).check()
    with pytest.raises(RefusedError):
        TwilioTexts(replace(account(provider), token="wrong")).check()
    provider.refusal = 405, None
    assert not TwilioTexts(account(provider)).check()
    assert provider.forms == []


def test_the_token_is_not_in_the_representation_of_an_account(provider: TextProviderServer):
    assert TOKEN not in repr(account(provider))
