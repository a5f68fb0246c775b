"""Mail, sent by a real mail server that wants TLS and a password."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from tests.delivery.servers import PASSWORD, QUOTED, Receiver, mail_server, secrets_of

from fairuse.base.errors import DeliveryFailed
from fairuse.delivery.deliver import deliver

if TYPE_CHECKING:
    from tests.delivery.conftest import MakeMeans, MakeMessage
    from tests.delivery.servers import Authority

pytestmark = pytest.mark.anyio

ANNA = "mailto:anna@salon.example"


async def test_a_notice_arrives_as_it_was_written(
    authority: Authority, means: MakeMeans, message: MakeMessage
) -> None:
    """E30, A15: the mail has the notice's subject and text, to the contact and nobody else."""
    async with mail_server(authority) as box:
        await deliver(message(ANNA), means(mail=box.url))
    [(recipient, mail)] = box.mails
    assert recipient == "anna@salon.example"
    assert (mail["To"], mail["From"]) == ("anna@salon.example", "no-reply@booking.example")
    assert (mail["Subject"], mail.get_content_type()) == ("Uw gebruik", "text/plain")
    assert mail.get_content().splitlines() == ["5.001 van 5.000", "", "Groet €"]
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["X-Fairuse-Message"] == message(ANNA).letter.message_id


async def test_the_mail_servers_url_may_stand_in_the_environment(
    authority: Authority,
    means: MakeMeans,
    message: MakeMessage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """E30: no secret has to stand in the file, and a variable that is missing is named."""
    sender = means(mail={"env": "FAIRUSE_MAIL"})
    with pytest.raises(DeliveryFailed, match="the environment variable FAIRUSE_MAIL is not set"):
        await deliver(message(ANNA), sender)
    monkeypatch.setenv("FAIRUSE_MAIL", "smtp://mail.example")
    with pytest.raises(DeliveryFailed, match=r"notices\.mail is no mail server"):
        await deliver(message(ANNA), sender)
    async with mail_server(authority) as box:
        monkeypatch.setenv("FAIRUSE_MAIL", box.url)
        await deliver(message("mailto:anna%2Bnotices@salon.example"), sender)
    assert [recipient for recipient, _ in box.mails] == ["anna+notices@salon.example"]


async def test_without_a_mail_server_no_mail_goes_out(
    means: MakeMeans, message: MakeMessage
) -> None:
    """E30: a mail that nobody is there to send is a failure that says what is missing."""
    with pytest.raises(DeliveryFailed, match=r"gateway\.toml has no notices\.mail"):
        await deliver(message(ANNA), means())


@pytest.mark.parametrize(
    "contact",
    ["mailto:anna%0d%0aBcc:%20eve@evil.example", "mailto:anna@salon.example,eve%40evil.example"],
)
async def test_a_contact_adds_no_recipients(
    authority: Authority, means: MakeMeans, message: MakeMessage, contact: str
) -> None:
    """F-53: what stands in a contact is one address, and writes no header."""
    async with mail_server(authority) as box:
        with pytest.raises(DeliveryFailed, match="not one mail address"):
            await deliver(message(contact), means(mail=box.url))
    assert box.mails == []


@pytest.mark.parametrize("wrong", ["password", "port", "refused", "certificate"])
async def test_what_went_wrong_is_said_without_the_password(
    authority: Authority,
    means: MakeMeans,
    message: MakeMessage,
    caplog: pytest.LogCaptureFixture,
    wrong: str,
) -> None:
    """F-53 (secrets): a mail server that can't be used is named; its password is nowhere."""
    caplog.set_level(logging.DEBUG)
    async with mail_server(authority) as box:
        url = {
            "password": box.url.replace(QUOTED, f"{QUOTED}x"),
            "port": box.url.replace(str(box.port), "9"),
            "certificate": box.url.replace("localhost", "127.0.0.1"),
        }.get(wrong, box.url)
        box.answer = "554 no thanks"
        with pytest.raises(DeliveryFailed) as failed:
            await deliver(message(ANNA), means(mail=url))
    assert box.mails == []
    assert str(failed.value)
    assert "Apprise" in caplog.text or "apprise" in caplog.text
    for text in (str(failed.value), caplog.text):
        assert not [secret for secret in secrets_of(Receiver()) if secret in text]
        assert PASSWORD.split("/", maxsplit=1)[0] not in text
