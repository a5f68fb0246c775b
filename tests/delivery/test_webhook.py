"""Webhooks, received by a real server that verifies them with the standard's own library."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import httpx
import pytest
from standardwebhooks import Webhook
from tests.delivery.servers import HOST, SECRET, receiving, secrets_of
from tests.support import NOON

from fairuse.base.errors import DeliveryFailed
from fairuse.delivery import deliver as way
from fairuse.delivery import webhook
from fairuse.delivery.deliver import deliver

if TYPE_CHECKING:
    from typing import Any

    from tests.delivery.conftest import MakeMeans, MakeMessage
    from tests.delivery.servers import Authority, Names, Receiver

    from fairuse.delivery.message import Message

pytestmark = pytest.mark.anyio


@pytest.mark.usefixtures("names")
async def test_a_webhook_is_signed_as_the_standard_says(
    receiver: Receiver, means: MakeMeans, message: MakeMessage
) -> None:
    """F-53, E30: the receiver verifies it, and finds the notice with its figures and choices."""
    await deliver(message(receiver.url), means())
    [(identity, content)] = receiver.taken
    assert identity == message(receiver.url).letter.message_id
    assert content == {
        "type": "notice.over",
        "timestamp": "2026-11-02T12:00:00.000+00:00",
        "data": {
            "notice": 3,
            "case": 7,
            "rule": "appointments-per-month",
            "account": "salon",
            "figures": {
                "reading": 5_001,
                "amount": 5_000,
                "unit": "appointment",
                "source": "policy",
            },
            "subject": "Uw gebruik",
            "body": "5.001 van 5.000\n\nGroet €",
            "choices": {"reduce": "https://choose.example/x"},
            "evidence": None,
        },
    }
    [(headers, _)] = receiver.seen
    assert headers["webhook-timestamp"] == str(int(NOON))
    assert headers["content-type"] == "application/json"
    assert headers["host"] == f"{HOST}:{receiver.port}"
    assert receiver.paths == ["/T0KEN/notices"]


@pytest.mark.usefixtures("names")
async def test_while_one_secret_takes_anothers_place_both_sign(
    receiver: Receiver,
    means: MakeMeans,
    message: MakeMessage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """F-53: a receiver that knows the old secret, and one that knows the new one, both verify."""
    monkeypatch.setenv("HOOK", f"whsec_{'QUJD' * 8} {SECRET}")
    await deliver(message(receiver.url), means(webhooks={"salon": {"env": "HOOK"}}))
    [(headers, body)] = receiver.seen
    assert len(headers["webhook-signature"].split()) == 2
    Webhook(f"whsec_{'QUJD' * 8}").verify(body, headers)
    assert len(receiver.taken) == 1


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        (None, "gateway.toml has no notices.webhooks.salon"),
        ("whsec_dG9vIHNob3J0", "is no webhook secret"),
        (f"whsec_{'QUJD' * 30}", "is no webhook secret"),
        ("whsec_not*base64*at*all*but*long*enough", "is no webhook secret"),
        (f"{SECRET} nonsense", "is no webhook secret"),
        (" ", "is no webhook secret"),
        ({"env": "NOT_SET"}, "the environment variable NOT_SET is not set"),
    ],
)
@pytest.mark.usefixtures("names")
async def test_nothing_goes_out_unsigned(
    receiver: Receiver,
    means: MakeMeans,
    message: MakeMessage,
    secret: Any,
    said: str,
) -> None:
    """F-53: without a secret that is one nothing is sent, and it is said whose is missing."""
    secrets = {} if secret is None else {"salon": secret}
    with pytest.raises(DeliveryFailed, match=said) as failed:
        await deliver(message(receiver.url), means(webhooks=secrets))
    assert receiver.seen == []
    assert "QUJD" not in str(failed.value)
    assert "not*base64" not in str(failed.value)


@pytest.mark.parametrize(
    ("status", "for_good"),
    [(302, False), (307, False), (400, False), (410, True), (429, False), (503, False)],
)
@pytest.mark.usefixtures("names")
async def test_anything_but_success_is_a_failure(
    receiver: Receiver,
    means: MakeMeans,
    message: MakeMessage,
    status: int,
    *,
    for_good: bool,
) -> None:
    """F-53: a redirect is not followed; 410 says that no more are wanted, all others try again."""
    receiver.status = status
    receiver.headers = [(b"location", receiver.url.encode() + b"/elsewhere")]
    with pytest.raises(DeliveryFailed, match=f"the receiver answered {status}") as failed:
        await deliver(message(receiver.url), means())
    assert failed.value.for_good == for_good
    assert receiver.paths == ["/T0KEN/notices"]


@pytest.mark.usefixtures("names")
async def test_an_answer_without_an_end_is_not_read(
    receiver: Receiver, means: MakeMeans, message: MakeMessage
) -> None:
    """F-53: the answer's status is all that is wanted, however much follows it."""
    receiver.endless, receiver.status = True, 200
    await deliver(message(receiver.url), means())
    assert len(receiver.taken) == 1


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize(
    ("bound", "said"),
    [((way, "SEND_SECONDS"), "it took longer"), ((webhook, "ANSWER_SECONDS"), "no answer came")],
)
async def test_an_answer_that_never_comes_is_not_awaited_for_ever(
    receiver: Receiver,
    means: MakeMeans,
    message: MakeMessage,
    monkeypatch: pytest.MonkeyPatch,
    bound: tuple[Any, str],
    said: str,
) -> None:
    """F-53: a receiver that hangs costs a bounded time."""
    monkeypatch.setattr(*bound, 0.2)
    receiver.hangs = True
    with pytest.raises(DeliveryFailed, match=said):
        await deliver(message(receiver.url), means())


INSIDE = [
    "127.0.0.1", "127.1", "0x7f.1", "2130706433", "017700000001", "0", "localhost", "[::1]",
    "[::ffff:127.0.0.1]", "[::ffff:a9fe:a9fe]", "169.254.169.254", "10.1.2.3", "192.168.0.10",
    "[fe80::1]", "[fd00:ec2::254]", "[64:ff9b::a9fe:a9fe]", "good.example@127.0.0.1",
]  # fmt: skip


@pytest.mark.parametrize("host", INSIDE)
async def test_a_webhook_is_no_way_inside(
    means: MakeMeans, message: MakeMessage, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """F-53: what is inside is refused, in whichever way it is written, before anybody connects."""
    refuse_connections(monkeypatch)
    with pytest.raises(DeliveryFailed, match="is inside our own network"):
        await deliver(message(f"https://{host}/latest"), means(allow_private=False))


def refuse_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where a connection is made."""

    async def connect(*_: Any) -> httpx.Response:
        raise AssertionError("it connected")

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", connect)


@pytest.mark.parametrize("addresses", [["10.0.0.1"], ["1.1.1.1", "10.0.0.1"], ["fd00::1"]], ids=str)
async def test_a_name_that_means_something_inside_is_refused(
    means: MakeMeans,
    message: MakeMessage,
    names: Names,
    monkeypatch: pytest.MonkeyPatch,
    addresses: list[str],
) -> None:
    """F-53: one address inside among those of a name is enough."""
    refuse_connections(monkeypatch)
    names.answers[HOST] = [addresses]
    with pytest.raises(DeliveryFailed, match=f"{HOST} is inside our own network"):
        await deliver(message(f"https://{HOST}/"), means(allow_private=False))


async def test_a_name_that_changes_its_meaning_changes_nothing(
    receiver: Receiver,
    names: Names,
    means: MakeMeans,
    message: MakeMessage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """F-53: a name is asked for once; the address that was looked at is the one that is used."""
    monkeypatch.setattr(webhook, "is_inside", lambda address: address != "127.0.0.1")
    names.answers[HOST] = [["127.0.0.1"], ["169.254.169.254"]]
    await deliver(message(receiver.url), means(allow_private=False))
    assert len(receiver.taken) == 1
    assert names.asked == [HOST]
    with pytest.raises(DeliveryFailed, match="is inside our own network"):
        await deliver(message(receiver.url), means(allow_private=False))


async def test_the_next_address_is_tried(
    receiver: Receiver, names: Names, means: MakeMeans, message: MakeMessage
) -> None:
    """F-53: a name with an address that nobody listens at is still reached at its other one."""
    names.answers[HOST] = [["127.0.0.2", "127.0.0.1"]]
    await deliver(message(receiver.url), means())
    assert len(receiver.taken) == 1


@pytest.mark.usefixtures("names")
async def test_the_certificate_must_be_the_names(
    receiver: Receiver,
    authority: Authority,
    means: MakeMeans,
    message: MakeMessage,
) -> None:
    """F-53: the connection goes to an address, and the certificate is still the name's."""
    refused = pytest.raises(DeliveryFailed, match="can't be reached, or shows no certificate")
    with receiving(receiver, authority, "other.example"), refused:
        await deliver(message(receiver.url), means())
    assert receiver.seen == []


async def test_what_went_wrong_is_said_without_secrets(
    receiver: Receiver,
    names: Names,
    means: MakeMeans,
    message: MakeMessage,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """F-53 (secrets): neither the path of a webhook nor its secret is in a log or an error."""
    caplog.set_level(logging.DEBUG)
    await deliver(message(receiver.url), means())
    said = []
    for change in (unknown_name, nobody_there, broken):
        with pytest.raises(DeliveryFailed) as failed:
            await deliver(change(receiver, names, message(receiver.url)), means())
        said.append(str(failed.value))
    assert len(set(said)) == 3
    text = json.dumps(said) + caplog.text
    assert not [secret for secret in secrets_of(receiver) if secret in text]


async def test_what_others_code_says_is_not_repeated(
    means: MakeMeans, message: MakeMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-53 (secrets): an error that nobody foresaw is named, and what it says is kept back."""

    async def buggy(*_: Any) -> None:
        raise ValueError("T0KEN")

    monkeypatch.setattr(webhook, "_addresses", buggy)
    with pytest.raises(DeliveryFailed, match=r"^it could not be sent: ValueError$"):
        await deliver(message(f"https://{HOST}/T0KEN"), means())


def unknown_name(_receiver: Receiver, names: Names, message: Message) -> Message:
    """Have nobody know the name."""
    del names.answers[HOST]
    return message


def nobody_there(_receiver: Receiver, names: Names, message: Message) -> Message:
    """Have nobody listen."""
    names.answers[HOST] = [["127.0.0.2"]]
    return message


def broken(_receiver: Receiver, _names: Names, message: Message) -> Message:
    """Have the contact be none."""
    letter = message.letter._replace(channel="https://[::zz]/T0KEN")
    return message._replace(letter=letter)
