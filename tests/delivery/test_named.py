"""Channels that the settings name: any service that apprise has a URL for."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from tests.support import Recorder, Served

from fairuse.base.errors import DeliveryFailed
from fairuse.delivery.deliver import deliver

if TYPE_CHECKING:
    from tests.delivery.conftest import MakeMeans, MakeMessage

pytestmark = pytest.mark.anyio


async def test_a_contact_goes_through_the_channel_it_names(
    means: MakeMeans, message: MakeMessage, recorder: Recorder
) -> None:
    """E30: `sms:+31...` goes through the channel `sms`, to the number behind it."""
    recorder.status = 200
    with Served(recorder, lifespan="off") as server:
        channel = f"json://127.0.0.1:{server.port}/send/{{to}}"
        await deliver(message("sms:+31612/34 5"), means(channels={"sms": channel}))
    [(scope, body)] = recorder.requests
    assert scope["raw_path"] == b"/send/+31612%2F34%205"
    assert b'"title": "Uw gebruik"' in body


async def test_a_channel_that_is_not_there_is_named(means: MakeMeans, message: MakeMessage) -> None:
    """E30: a channel that was taken away since is a failure that says so."""
    with pytest.raises(DeliveryFailed, match=r"gateway\.toml has no notices\.channels\.sms"):
        await deliver(message("sms:+31"), means())


@pytest.mark.parametrize(
    "channel",
    [
        "json://127.0.0.1:9/t0k3n-of-ours/{to}",
        "slack://t0k3n-of-ours",
        "twilio://t0k3n-of-ours:t0k3n-of-ours@12",
        "nonsense://t0k3n-of-ours",
        "t0k3n-of-ours",
        "json://127.0.0.1:{port}/t0k3n-of-ours",
    ],
)
async def test_a_channel_that_fails_tells_no_secret(
    means: MakeMeans,
    message: MakeMessage,
    recorder: Recorder,
    caplog: pytest.LogCaptureFixture,
    channel: str,
) -> None:
    """F-53 (secrets): whatever is wrong with a channel, its tokens are in no log and no error."""
    caplog.set_level(logging.DEBUG)
    recorder.status = 500
    with Served(recorder, lifespan="off") as server:
        url = channel.replace("{port}", str(server.port))
        with pytest.raises(DeliveryFailed) as failed:
            await deliver(message("sms:+31"), means(channels={"sms": url}))
    assert str(failed.value)
    assert "t0k3n" not in f"{failed.value}{caplog.text}"
