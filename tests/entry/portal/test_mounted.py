"""A whole choice in an app that mounts the middleware under a prefix, over a real socket."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from tests.entry.portal.support import DAY, HTML, NAMED, POLICY, deliver, portal_config
from tests.support import SALON, Served, told

from fairuse import FairUse
from fairuse.stores.casebook import case_numbered
from fairuse.stores.charges import charges_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from fairuse.base.clock import ManualClock

PREFIX = "/shop/api"
PORTAL = f'[portal]\nurl = "https://shop.example{PREFIX}"\n'
KEY = {"X-API-Key": SALON}
BOOK = f"{PREFIX}/locations/centrum/appointments"


async def _booked(request: Request) -> JSONResponse:
    return JSONResponse({"at": request.path_params["location"]}, status_code=201)


async def _home(_request: Request) -> JSONResponse:
    return JSONResponse({"shop": "open"})


@pytest.fixture
def fair(tmp_path: Path, clock: ManualClock) -> FairUse:
    """Wrap an app that takes appointments."""
    api = Starlette(routes=[Route("/locations/{location}/appointments", _booked, methods=["POST"])])
    policy = POLICY.replace('from = "notice" }', 'approval = "none" }')
    config = portal_config(tmp_path, policy=policy, portal=PORTAL)
    return FairUse(api, config, clock=clock, access_stream=None)


@pytest.fixture
def shop(fair: FairUse) -> Iterator[Served]:
    """Serve a shop that has the wrapped app below a path."""
    app: ASGIApp = Starlette(routes=[Route("/", _home), Mount(PREFIX, fair)])
    with Served(app, lifespan="on") as server:
        yield server
        server.run(fair.service.stop())


def test_a_customer_chooses_below_a_prefix(shop: Served, fair: FairUse, clock: ManualClock) -> None:
    """A15, A23, A09, B03: notice, signed link, page, choice and charge, all below the mount."""
    with httpx.Client(base_url=shop.url, trust_env=False) as client:
        assert client.get("/").json() == {"shop": "open"}
        assert [client.post(BOOK, headers=KEY).status_code for _ in range(3)] == [201] * 3
        ledger = shop.run(told(fair.service))
        shop.run(deliver(ledger, clock.wall))
        [case] = shop.run(ledger.cases("salon"))
        [notice] = shop.run(ledger.notices("salon"))
        links = re.findall(r"https://shop\.example(\S+)", notice.body)
        assert all(link.startswith(f"{PREFIX}/fairuse/") for link in links)

        paths = [link for link in links if "/choice/" in link]
        first = client.get(paths[1], headers=HTML)
        assert first.status_code == 200
        assert "Het gebruik terugbrengen" in first.text
        found = re.findall(r'<a href="([^":]+)"', first.text)
        around = [urljoin(paths[1], link) for link in found]
        assert {*paths} - {paths[1]} < {*around}
        assert [client.get(path, headers=HTML).status_code for path in around] == [200] * len(
            around
        )

        assert 'action="' not in first.text  # the form goes to the page's own address
        assert client.post(paths[0], data=NAMED, headers=HTML).status_code == 200
        case = shop.run(case_numbered(ledger, case.id)) or case
        assert case.state == "accepted"

        usage = client.get(f"{PREFIX}/fairuse/usage", headers={**KEY, **HTML})
        assert "U bent akkoord gegaan met de kosten." in usage.text
        clock.advance(3_660)
        for _ in range(20):
            assert client.post(BOOK, headers=KEY).status_code == 201
        shop.run(told(fair.service))
        clock.advance(35 * DAY)
        assert fair.service.upkeep is not None
        shop.run(fair.service.upkeep.run())
        [charge] = shop.run(charges_of(ledger, account="salon"))
        assert (charge.units, str(charge.amount)) == (20, "1.00")
