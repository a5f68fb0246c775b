"""The gateway's way mounted in a Starlette app: `uvicorn mounted_starlette:app`."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from fairuse import FairUse

CONFIG = Path(__file__).parent.parent / "config"


async def book(request: Request) -> JSONResponse:
    """Accept an appointment."""
    return JSONResponse({"booked": request.path_params["location"]}, status_code=201)


api = Starlette(routes=[Route("/locations/{location}/appointments", book, methods=["POST"])])
app = FairUse(api, config=CONFIG)
