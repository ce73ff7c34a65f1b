"""The environment selects the mail transport, and errors in these settings are reported before the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.mail.transports import FileTransport, NoTransport, SmtpTransport
from entrypoints.composition.settings import SettingsError, load


def test_without_a_server_mails_are_files_in_the_data_folder(tmp_path: Path):
    settings = load(data_dir=tmp_path, smtp_url=" ", mail_from="")
    assert settings.smtp_url is None
    assert settings.outbox == tmp_path / "outbox"
    assert "@" in settings.sender


@pytest.mark.parametrize("url", ["smtp://mail.example", "smtps://ada:p%40ss@mail.example:465/", "smtp://[::1]:2525"])
def test_a_mail_server_requires_a_sender_address(url: str):
    assert load(smtp_url=url, mail_from="Storyledger <hello@example.org>").sender == "Storyledger <hello@example.org>"
    with pytest.raises(SettingsError, match="MAIL_FROM"):
        load(smtp_url=url)


@pytest.mark.parametrize(
    "url",
    [
        "ada:s3cret@mail.example",
        "http://ada:s3cret@mail.example",
        "smtp://ada:s3cret@",
        "smtp://ada:s3cret@mail.example/path",
        "smtp://ada:s3cret@mail.example?tls=no",
        "smtp://ada:s3cret@mail.example:99999",
        "smtp://ada:s3cret@mail.example:port",
    ],
)
def test_an_invalid_mail_server_url_is_refused_without_being_quoted(url: str):
    with pytest.raises(SettingsError, match="SMTP_URL") as error_info:
        load(smtp_url=url, mail_from="hello@example.org")
    assert "s3cret" not in str(error_info.value)


@pytest.mark.parametrize(
    "sender", ["nobody", "a@example.org, b@example.org", "hello@example.org\r\nBcc: x@y.org", "дара@example.org", "<>"]
)
def test_a_sender_that_is_not_exactly_one_address_is_refused(sender: str):
    with pytest.raises(SettingsError, match="MAIL_FROM"):
        load(mail_from=sender)


def test_the_service_uses_the_mail_transport_of_its_settings(make_service):
    assert isinstance(make_service().mail.sender._transport, FileTransport)
    served = make_service(smtp_url="smtp://127.0.0.1:1", mail_from="hello@example.org")
    assert isinstance(served.mail.sender._transport, SmtpTransport)
    assert isinstance(make_service(mail="off").mail.sender._transport, NoTransport)
