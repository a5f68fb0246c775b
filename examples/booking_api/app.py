"""The booking service over HTTP: its routes, and how each of them answers."""

import csv
import io
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, closing
from http import HTTPStatus
from itertools import chain
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.convertors import IntegerConvertor, StringConvertor, register_url_convertor
from starlette.endpoints import HTTPEndpoint
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from .store import Appointment, Store, WrongFieldsError, check

MAX_BODY = 64 * 1024


class _Slug(StringConvertor):
    regex = "[a-z0-9-]{1,64}"


class _Number(IntegerConvertor):
    regex = "[0-9]{1,18}"  # what SQLite surely holds in 64 bits


register_url_convertor("slug", _Slug())
register_url_convertor("number", _Number())


class _Appointments(HTTPEndpoint):
    def get(self, request: Request) -> Response:
        query = {"limit": "50", **request.query_params}
        check(query, query.keys() & {"day", "limit"})
        location = request.path_params["location"]
        found = request.state.store.newest(location, query.get("day"), int(query["limit"]))
        return JSONResponse({"appointments": [row._asdict() for row in found]})

    async def post(self, request: Request) -> Response:
        body = {"minutes": 30, **await _read_object(request)}
        check(body, ("customer", "start", "minutes"))
        made = await run_in_threadpool(request.state.store.add, **request.path_params, **body)
        return JSONResponse(made._asdict(), 201, {"Location": f"{request.url.path}/{made.id}"})


class _Appointment(HTTPEndpoint):
    def get(self, request: Request) -> Response:
        return _answer(request.state.store.find(**request.path_params))

    async def patch(self, request: Request) -> Response:
        body = await _read_object(request)
        check(body, body.keys() & {"start", "minutes"} or ("start", "minutes"))
        moved = await run_in_threadpool(request.state.store.move, **request.path_params, **body)
        return _answer(moved)

    def delete(self, request: Request) -> Response:
        _answer(request.state.store.remove(**request.path_params))
        return Response(status_code=204)


def _export(request: Request) -> Response:
    pages = request.state.store.pages(request.path_params["location"])
    texts = chain([_csv([Appointment._fields])], map(_csv, pages))
    return StreamingResponse(texts, media_type="text/csv")


def _csv(rows: Iterable[tuple[object, ...]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


async def _health(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


def _answer(found: Appointment | None) -> Response:
    if found is None:
        raise HTTPException(404, "This location has no such appointment.")
    return JSONResponse(found._asdict())


async def _read_object(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(await _read_body(request))
    except (ValueError, RecursionError, ClientDisconnect):
        body = None
    if not isinstance(body, dict):
        raise HTTPException(400, "The body must be a JSON object.")
    return body


async def _read_body(request: Request) -> bytes:
    # What is over the limit stays unread, so the connection cannot carry another request.
    too_large = HTTPException(413, "A body may have 64 KiB.", {"Connection": "close"})
    if int(request.headers.get("content-length", "0")) > MAX_BODY:
        raise too_large
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise too_large
    return body


async def _problem(_request: Request, error: Exception) -> Response:
    if isinstance(error, WrongFieldsError):
        return _document(422, str(error), errors=error.errors)
    if isinstance(error, HTTPException):
        return _document(error.status_code, error.detail, error.headers)
    return _document(500, "The service failed; the fault is not yours.")


def _document(status: int, detail: str, headers: Any = None, **more: object) -> Response:
    # RFC 9457, whose "type" may be left out where it would be "about:blank".
    body = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    return JSONResponse(body, status, headers, "application/problem+json")


ALL = "/locations/{location:slug}/appointments"
ROUTES = [
    Route("/health", _health),
    Route(ALL, _Appointments),
    Route(f"{ALL}.csv", _export),
    Route(f"{ALL}/{{number:number}}", _Appointment),
]


def create_app(database: Path) -> Starlette:
    """Build the service over one database file, which it opens when it starts."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[dict[str, Store]]:
        with closing(Store(database)) as store:
            yield {"store": store}

    handlers = dict.fromkeys((HTTPException, WrongFieldsError, Exception), _problem)
    app = Starlette(routes=ROUTES, lifespan=lifespan, exception_handlers=handlers)
    # A redirect would name this server's own address, which no client of the gateway knows.
    app.router.redirect_slashes = False
    return app
