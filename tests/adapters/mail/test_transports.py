"""Both mail transports keep one contract: a delivered message reaches its recipient unchanged."""

from __future__ import annotations

import socket
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import quote

import pytest

from adapters.mail import messages
from adapters.mail.letterhead import Letterhead
from adapters.mail.transports import FileTransport, MailTransport, SmtpTransport
from domain.errors import RefusedError, UnavailableError
from domain.ports import Mail
from tests.fakes.mailbox import PASSWORD, certified, files, smtp_server, text_of

# That is what these tests show: no credential goes to such a server.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")

SENDER = "Storyledger <hello@storyledger.example>"


def message(key: str = "k-1", to: str = "ada@example.com", second: int = 0, **values: str) -> EmailMessage:
    mail = messages.checked(
        Mail(
            "access_code", to, {"code": "123456", "expires": "soon", "link": "https://s.example/l"} | values, key, None
        )
    )
    return messages.compose(mail, Letterhead(SENDER), datetime(2026, 5, 1, 12, 0, second, tzinfo=UTC))


@dataclass
class Delivery:
    """A transport, and a function that returns the messages that arrived."""

    post: MailTransport
    arrived: Callable[[], list[EmailMessage]]


@pytest.fixture(params=["smtp", "smtps", "files"])
def delivery(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Delivery]:
    with ExitStack() as stack:
        if request.param == "files":
            yield Delivery(FileTransport(tmp_path / "outbox"), lambda: files(tmp_path / "outbox"))
            return
        tls = None
        if request.param == "smtps":
            tls, certificate_path = certified(tmp_path)
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate_path))
        mailbox = stack.enter_context(smtp_server(tls, smtps=request.param == "smtps"))
        yield Delivery(SmtpTransport(mailbox.url, SENDER), lambda: mailbox.messages)


# The contract.


def test_a_delivered_message_arrives_unchanged(delivery: Delivery):
    delivery.post.deliver(message(code="Zażółć 12 €"))
    [arrived] = delivery.arrived()
    for name in ("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"):
        assert arrived[name] == message(code="Zażółć 12 €")[name]
    assert "Zażółć 12 €" in text_of(arrived)
    assert len(list(arrived.walk())) == 3


def test_messages_arrive_in_the_order_of_their_delivery(delivery: Delivery):
    for number in range(3):
        delivery.post.deliver(message(f"k-{number}", second=number, code=f"code-{number}"))
    assert [message["Subject"].split()[0] for message in delivery.arrived()] == ["code-0", "code-1", "code-2"]


def test_a_message_delivered_twice_has_the_same_message_id(delivery: Delivery):
    delivery.post.deliver(message())
    delivery.post.deliver(message())
    assert {arrived_message["Message-ID"] for arrived_message in delivery.arrived()} == {message()["Message-ID"]}


def test_an_address_in_any_script_gets_its_message(delivery: Delivery):
    delivery.post.deliver(message(to="дара@пример.example"))
    assert delivery.arrived()[0]["To"].addresses[0].username == "дара"


def test_recalling_an_unknown_message_is_no_error(delivery: Delivery):
    delivery.post.recall(message()["Message-ID"])


# Files.


def test_a_message_in_a_folder_is_one_file_that_only_our_account_can_read(tmp_path: Path):
    post = FileTransport(tmp_path / "outbox")
    post.deliver(message())
    post.deliver(message())
    [file] = (tmp_path / "outbox").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_message_in_a_folder_can_be_recalled(tmp_path: Path):
    post = FileTransport(tmp_path)
    post.deliver(message("k-1"))
    post.deliver(message("k-2"))
    post.recall(message("k-1")["Message-ID"])
    assert [arrived_message["Message-ID"] for arrived_message in files(tmp_path)] == [message("k-2")["Message-ID"]]


def test_the_error_for_an_unwritable_folder_does_not_name_it(tmp_path: Path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(UnavailableError) as error_info:
        FileTransport(tmp_path / "taken").deliver(message())
    assert str(tmp_path) not in str(error_info.value)


# SMTP.


def test_a_message_goes_only_to_its_recipient():
    with smtp_server() as mailbox:
        SmtpTransport(mailbox.url, SENDER).deliver(message())
        assert mailbox.recipients == ["ada@example.com"]


def test_encryption_is_used_if_the_server_offers_it(tmp_path: Path):
    tls, _ = certified(tmp_path)
    with smtp_server(tls) as mailbox:
        SmtpTransport(mailbox.url, SENDER).deliver(message())
        assert mailbox.encrypted == [True]


def with_user(url: str, password: str = PASSWORD) -> str:
    scheme, _, address = url.partition("://")
    return f"{scheme}://ada%40office:{quote(password, safe='')}@{address}"


@pytest.mark.parametrize("smtps", [False, True])
def test_credentials_are_sent_to_a_server_with_a_valid_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, smtps: bool
):
    tls, certificate_path = certified(tmp_path)
    with smtp_server(tls, smtps=smtps, auth=True) as mailbox:
        post = SmtpTransport(with_user(mailbox.url), SENDER)
        with pytest.raises(UnavailableError):
            post.deliver(message())
        assert mailbox.users == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate_path))
        post.deliver(message())
        assert mailbox.users == ["ada@office"]
        assert len(mailbox.messages) == 1
        with pytest.raises(UnavailableError, match="535") as error_info:
            SmtpTransport(with_user(mailbox.url, "wrong"), SENDER).deliver(message())
        assert "wrong" not in str(error_info.value)


def test_credentials_are_never_sent_unencrypted():
    with smtp_server(auth=True) as mailbox:
        with pytest.raises(UnavailableError):
            SmtpTransport(with_user(mailbox.url), SENDER).deliver(message())
        assert mailbox.users == []


@pytest.mark.parametrize("word", ["rcpt", "data"])
@pytest.mark.parametrize(("answer", "kind"), [("451 4.3.0 later", UnavailableError), ("550 5.1.1 no", RefusedError)])
def test_permanent_and_temporary_refusals_are_distinguished(word: str, answer: str, kind: type[Exception]):
    with smtp_server() as mailbox:
        post = SmtpTransport(mailbox.url, SENDER)
        setattr(mailbox, word, f"{answer} <ada@example.com>")
        with pytest.raises(kind) as error_info:
            post.deliver(message())
        assert "ada" not in str(error_info.value)
        setattr(mailbox, word, "250 OK")
        post.deliver(message())
        assert len(mailbox.messages) == 1


def test_an_unreachable_or_silent_server_is_not_waited_for_beyond_the_timeout():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(UnavailableError):
            SmtpTransport(f"smtp://127.0.0.1:{port}", SENDER, timeout_seconds=0.2).deliver(message())
    with pytest.raises(UnavailableError):
        SmtpTransport(f"smtp://127.0.0.1:{port}", SENDER).deliver(message())


def test_a_message_is_delivered_even_if_the_server_hangs_up_after_accepting_it():
    """A lost connection is no error then, because a second attempt would deliver the message twice."""
    words = [b"220 hi", b"250 hi", b"250 ok", b"250 ok", b"354 go", b"250 taken"]
    with socket.create_server(("127.0.0.1", 0)) as door:

        def serve() -> None:
            connection, _ = door.accept()
            with connection, connection.makefile("rb") as stream:
                for word in words[:5]:
                    connection.sendall(word + b"\r\n")
                    stream.readline()
                while stream.readline() != b".\r\n":
                    pass
                connection.sendall(words[5] + b"\r\n")

        server = threading.Thread(target=serve)
        server.start()
        SmtpTransport(f"smtp://127.0.0.1:{door.getsockname()[1]}", SENDER).deliver(message())
        server.join()
